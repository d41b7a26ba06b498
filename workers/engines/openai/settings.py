"""Says where an OpenAI-compatible upstream is and what is peculiar to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

EXAMPLE = "such as http://host:8000/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAISettings:
    """Where the upstream is. It is asked for all that is left None."""

    name: ClassVar[str] = "openai"
    remote: ClassVar[bool] = True
    light: ClassVar[bool] = True
    base_url: str = ""
    """Ends with the API's version in most cases: http://host:8000/v1."""
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    """None: the first that the upstream lists."""
    adapters: Mapping[str, str] = field(default_factory=dict)
    """Further models, such as LoRA adapters that it has loaded, by name, and the upstream's own name of each."""
    max_model_len: int | None = None
    """Tokens of prompt and completion together."""
    silence: float = 120.0
    """Seconds without a byte after which a decode counts as lost."""
    vllm: bool | None = None
    """Whether the upstream is vLLM, of which more can be asked."""
    session_header: str = "X-Session-ID"
    """The header that tells which requests share a prefix, for routers behind the URL (vLLM's; of Dynamo it is
    X-Dynamo-Session-ID). It holds a digest, the same for a job's trunk and the branches that read it. Empty: none."""
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    """Parameters of the protocol by the name that this upstream has for them; None leaves one out. What an upstream
    names when it refuses a request is learned without it."""

    def __post_init__(self) -> None:
        if not self.base_url:
            raise ValueError(f"engine openai needs the upstream's base URL, {EXAMPLE}")
        try:
            url = urlsplit(self.base_url)
            whole = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
        except ValueError:  # its text repeats the address, and a password with it
            whole = False
        if not whole:
            raise ValueError(
                f"the upstream's base URL begins with http:// or https:// and a host, whose port is a number, {EXAMPLE}"
            )

    def on_gpus(self, gpus: float) -> "OpenAISettings":
        """These settings, for a replica without GPUs. Raises ValueError for one with some."""
        if gpus:
            raise ValueError("engine openai decodes elsewhere: its replicas take no GPU")
        return self
