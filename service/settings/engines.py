"""Makes an engine's settings of what an operator said of it."""

import dataclasses
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from anabranch.service.settings.errors import describe_option_fault, suggest
from anabranch.workers.engines.factory import ENGINES, EngineSettings


def engine_settings(
    engine: str, said: Mapping[str, Any], options: Mapping[str, Any], gpus: float
) -> EngineSettings:
    """The settings of this engine, for replicas with so many GPUs: what was `said` by settings of their own, where it
    has such an option (None is not said), under the engine's own `options`. Raises ValueError, in one sentence."""
    if engine not in ENGINES:
        raise ValueError(f"there is no engine {engine!r}: choose {', '.join(ENGINES)}")
    known = options_of(engine)
    given = {name: value for name, value in said.items() if value is not None and name in known}
    for name in options:
        if name not in known:
            raise ValueError(f"engine {engine} has no option {name!r}; it has: {', '.join(known)}")
    try:
        settings = _adapter(engine).validate_python(given | dict(options))
    except ValidationError as error:
        raise ValueError("; ".join(describe_option_fault(fault) for fault in error.errors())) from error
    for name in given.keys() | options.keys():
        if isinstance(value := getattr(settings, name), float) and not math.isfinite(value):
            raise ValueError(f"{name}: Input should be a finite number")
    return settings.on_gpus(gpus)


def options_of(engine: str) -> tuple[str, ...]:
    """The options that this engine has, by name. Raises ValueError for an engine that does not exist."""
    if engine not in ENGINES:
        raise ValueError(f"there is no engine {engine!r}; {suggest(engine, tuple(ENGINES))}")
    return tuple(field.name for field in dataclasses.fields(ENGINES[engine]))


@cache
def _adapter(engine: str) -> TypeAdapter[EngineSettings]:
    return TypeAdapter(ENGINES[engine])
