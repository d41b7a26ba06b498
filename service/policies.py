"""Shows the policy catalogue as clients see it: a JSON Schema of each policy's parameters, and the check against it.

The policy's own signature is the only source: `Annotated[type, Param(doc, ge=…, le=…, choices=…)] = default`.
"""

import inspect
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from anabranch.dag.errors import DagError, PolicyBroken
from anabranch.dag.policy import (
    PRESET,
    Param,
    PolicyInfo,
    broken_plug_ins,
    catalogue,
    load_module,
    policy_named,
)
from anabranch.service.settings import BadSettings

logger = logging.getLogger(__name__)


def load_policies(modules: Iterable[str]) -> None:
    """Enters the policies of these modules, beside ours and those of installed packages. Each process that reads
    settings begins with it.

    Raises BadSettings for a module that cannot be loaded: an operator named it. An installed package that cannot be
    loaded is logged in one sentence; all others are there.
    """
    for name in modules:
        try:
            load_module(name)
        except PolicyBroken as error:
            raise BadSettings(f"ANABRANCH_POLICY_MODULES: {error}") from error
    for told in broken_plug_ins():
        logger.warning("%s", told)


LARGEST = 2**31 - 1
"""Of a number whose policy knows no limit: what every column and engine can hold."""


class BadParams(Exception):
    """A policy refuses its parameters, though each has the right type."""

    def __init__(self, policy: str, cause: Exception) -> None:
        told = str(cause) or type(cause).__name__
        super().__init__(f"{policy} refuses its parameters: {told}")


def params_model(info: PolicyInfo) -> type[BaseModel]:
    """A model whose fields are the policy's keyword-only arguments, and `preset` where it has any. Unknown names, wrong
    types and values that make no sense are refused."""
    return _params_model(info.function, info.name, tuple(info.presets))


def params_schema(info: PolicyInfo) -> dict[str, Any]:
    """JSON Schema of the policy's parameters."""
    return params_model(info).model_json_schema()


def check_params(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as given, once they fit the policy; what was not given stays the policy's own default.

    Raises UnknownPolicy, pydantic.ValidationError for parameters that do not fit the policy's signature, and BadParams
    for those that the policy itself refuses.
    """
    info = policy_named(name)
    fitting = params_model(info).model_validate_json(json.dumps(given))
    params = fitting.model_dump(mode="json", exclude_unset=True)
    try:
        info.check(params)
    except Exception as error:
        raise BadParams(info.name, error) from error
    return params


def effective_params(name: str, version: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given parameters, those of their preset, and the policy's own defaults. Of another version's defaults nothing
    is known here."""
    info = catalogue().get(name)
    if info is None or info.version != version:
        return dict(given)
    return params_model(info)().model_dump(mode="json") | info.expand(given) | dict(given)


@cache
def _params_model(function: Any, name: str, presets: tuple[str, ...]) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        parameter.name: (_constrained(hints[parameter.name]), _default(parameter))
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    if presets:
        about = "A published example: its parameters stand where none are given."
        fields[PRESET] = (Annotated[Literal[presets] | None, Field(description=about)], None)
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return create_model(name, __config__=config, **fields)


def _default(parameter: inspect.Parameter) -> Any:
    return ... if parameter.default is inspect.Parameter.empty else parameter.default


def _constrained(hint: Any) -> Any:
    """The annotation with the Param's limits in Pydantic's words."""
    if get_origin(hint) is not Annotated:
        return hint
    kind, *notes = get_args(hint)
    param = next((note for note in notes if isinstance(note, Param)), None)
    if param is None:
        return hint
    if param.choices:
        kind = Literal[param.choices]
    le = LARGEST if param.le is None and param.ge is not None else param.le
    constrained: Any = Annotated[
        kind,
        Field(description=param.doc, ge=param.ge, le=le, json_schema_extra=dict(param.schema or {})),
    ]
    return Annotated[constrained, AfterValidator(_checker(param.check))] if param.check else constrained


def _checker(check: Callable[[Any], object]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        try:
            check(value)
        except DagError as error:
            raise ValueError(str(error)) from error
        return value

    return checked
