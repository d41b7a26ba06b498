"""Registers the engines: the settings of each kind, and what is made of them.

A new engine is a module (or a room) of its own, and its lines here. Settings are for all processes; what an engine
needs is imported only when it is built.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.protocol import Engine
from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.engines.vllm.settings import VllmSettings

EngineSettings = VllmSettings | OpenAISettings | ScriptedSettings
"""One type per engine. Each has a `name`, a `model`, `on_gpus`, which fits it to a replica's GPUs, `remote`:
whether somebody else's server decodes; and `light`: whether it computes so little that the organizer's process can hold
it."""

ENGINES: Mapping[str, type[EngineSettings]] = {kind.name: kind for kind in get_args(EngineSettings)}
REMOTE = frozenset(name for name, kind in ENGINES.items() if kind.remote)
"""Names."""


def build_engine(settings: EngineSettings) -> Engine:
    """Blocks until the engine can decode. Raises ModelUnavailable, and whatever the engine itself raises."""
    match settings:
        case VllmSettings():
            from anabranch.workers.engines.vllm.engine import VllmEngine

            return VllmEngine(settings)
        case OpenAISettings():
            from anabranch.workers.engines.openai.engine import OpenAIEngine

            return OpenAIEngine(settings)
        case ScriptedSettings():
            return _scripted(settings)


def _scripted(settings: ScriptedSettings) -> Engine:
    from anabranch.workers.engines.script import Rules, script_from
    from anabranch.workers.engines.scripted import ScriptedEngine

    script = settings.script or Rules()
    if isinstance(script, Path):
        script = script_from(script)
    speed = settings.tokens_per_second
    if speed is None:
        speed = script.tokens_per_second if isinstance(script, Rules) else 0.0
    return ScriptedEngine(
        script,
        tokens_per_second=speed,
        chunk_tokens=settings.chunk_tokens,
        max_model_len=settings.max_model_len,
        model=settings.model,
    )
