"""Names the extra that is missing for what was asked for."""

from importlib.util import find_spec

from anabranch.service.cli.errors import CannotStart
from anabranch.service.settings import Settings

VLLM = (
    "engine vllm is not installed: pip install 'anabranch[cpu]' (on NVIDIA GPUs 'anabranch[cuda]'); "
    "or let a server decode that runs already, such as Ollama: anabranch up --upstream http://localhost:11434/v1"
)
RAY = (
    "this runs on Ray (several replicas or organizers, or ANABRANCH_RAY), which is not installed: "
    "pip install 'anabranch[ray]'"
)


def require_extras(settings: Settings) -> None:
    """Raises CannotStart, with the command that installs what is missing."""
    if any(pool.engine.name == "vllm" for pool in settings.pool_settings()) and not _is_there("vllm"):
        raise CannotStart(VLLM)
    if settings.on_ray and not _is_there("ray"):
        raise CannotStart(RAY)


def _is_there(package: str) -> bool:
    return find_spec(package) is not None
