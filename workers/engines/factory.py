"""An engine from its name. What an engine needs is imported only when it is built."""

from pathlib import Path

from anabranch.workers.engines.protocol import Engine
from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.settings import EngineSettings


def build_engine(settings: EngineSettings) -> Engine:
    """Blocks until the engine can decode. Raises ModelUnavailable, and whatever the engine itself raises."""
    match settings.name:
        case "scripted":
            return _scripted(settings)
        case "vllm":
            from anabranch.workers.engines.vllm.engine import VllmEngine
            from anabranch.workers.engines.vllm.settings import VllmSettings

            if settings.model is None:
                raise ModelUnavailable(
                    "engine vllm needs a model: an embedded one, a folder, or a hub's name"
                )
            return VllmEngine(VllmSettings(model=settings.model, **settings.options))
        case "openai":
            from anabranch.workers.engines.openai.engine import OpenAIEngine
            from anabranch.workers.engines.openai.settings import OpenAISettings

            if not settings.options.get("base_url"):
                raise ModelUnavailable(
                    "engine openai needs the upstream's base URL, such as http://host:8000/v1"
                )
            return OpenAIEngine(OpenAISettings(model=settings.model, **settings.options))
        case other:
            raise ModelUnavailable(f"there is no engine {other!r}: choose vllm, openai or scripted")


def _scripted(settings: EngineSettings) -> Engine:
    """Options: `script`, a JSON file's path or a script itself; the rest as in ScriptedEngine."""
    from anabranch.workers.engines.script import Rules, script_from
    from anabranch.workers.engines.scripted import ScriptedEngine

    options = dict(settings.options)
    script = options.pop("script", Rules())
    if isinstance(script, str | Path):
        script = script_from(Path(script))
    if isinstance(script, Rules):
        options.setdefault("tokens_per_second", script.tokens_per_second)
    return ScriptedEngine(script, model=settings.model or "scripted", **options)
