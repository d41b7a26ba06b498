"""Declares pools: each is one model with its adapters, on replicas of one engine, under a name."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from anabranch.service.settings.engines import engine_settings, options_of
from anabranch.workers.engines.factory import EngineSettings
from anabranch.workers.settings import PoolSettings

PREFIX = "ANABRANCH_"
POOL_NAME = r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?"
"""Ray's deployments and Kubernetes' worker groups are named by it."""
GIB = 2**30
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_ENGINES = {
    "model",
    "upstream_url",
    "script",
    "max_model_len",
    "dtype",
    "kv_cache_bytes",
    "vllm_args",
    "adapters",
}
"""Fields that some engines have, and others not."""
_ENGINES_NAMES = {"upstream_url": "base_url", "kv_cache_bytes": "kv_cache_gib", "vllm_args": "extra"}


class Price(BaseModel):
    """What a model's tokens cost, per million, in the operator's currency."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    prompt: float = Field(default=0.0, ge=0)
    completion: float = Field(default=0.0, ge=0)


class PoolDeclaration(BaseModel):
    """What the settings say of a pool."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    engine: str = "vllm"
    """vllm in the replica's process, an OpenAI-compatible endpoint (openai), or a recorded script (scripted)."""
    model: str | None = None
    """A built-in model's name, a folder, a Hugging Face name; of an upstream, its own name. Not set: the engine's own
    default; of an upstream, any model that it lists."""
    replicas: int | None = Field(default=None, ge=1)
    """Engines, of a pool that does not scale. Not set: 1."""
    min_replicas: int | None = Field(default=None, ge=0)
    """Engines of a pool that scales, when there is nothing to do; 0 gives all back. Not set: 1."""
    max_replicas: int | None = Field(default=None, ge=1)
    """Engines of a pool that scales, at most."""
    gpus_per_replica: float = Field(default=0, ge=0)
    """GPUs that one replica takes, on which vLLM holds one copy of the model (tensor parallel); 0: the CPU decodes."""
    max_decodes: int = Field(default=32, ge=1)
    """Decodes that one replica takes at once."""
    max_model_len: int | None = Field(default=None, ge=1)
    """Tokens of prompt and completion together. Not set: what the model takes and the memory holds."""
    dtype: str | None = None
    """Of vLLM: auto, bfloat16, float16 or float32. Not set: what pays on the machine."""
    kv_cache_bytes: int | None = Field(default=None, ge=1)
    """Of vLLM: memory for keys and values. Not set: 2 GiB on a CPU, on a GPU what the model leaves."""
    vllm_args: dict[str, Any] = Field(default={}, repr=False)
    """Any other argument of vLLM's engine, by vLLM's name."""
    engine_options: dict[str, Any] = Field(default={}, repr=False)
    """More that is the engine's own, as in ANABRANCH_ENGINE_OPTIONS."""
    adapters: dict[str, str] | list[str] = {}
    """LoRA adapters, each usable as a model's name: of vLLM, with the folder of its weights; of an upstream, which has
    loaded them itself, with its own name of each, or a list of names."""
    price: Price | None = None
    """What a million tokens cost, whichever of its models writes them. Not set: as `prices` says."""
    upstream_url: str | None = None
    """Base URL of an OpenAI-compatible endpoint."""
    upstream_key_env: str | None = None
    """Name of the environment variable with the key of that endpoint, in each process that calls it."""
    script: Annotated[Path | None, Strict(False)] = None
    """JSON file of what engine `scripted` says. Not set: its own demonstration."""

    @model_validator(mode="after")
    def _can_be(self) -> "PoolDeclaration":
        self._check_replicas()
        self._check_key()
        known = options_of(self.engine)
        for name in sorted(self.model_fields_set & _OF_ENGINES):
            if _ENGINES_NAMES.get(name, name) not in known and getattr(self, name):
                raise ValueError(f"engine {self.engine} has no {name}")
        if self.engine == "vllm" and isinstance(self.adapters, list):
            raise ValueError("adapters of vLLM are named with their folders: {name: folder}")
        self.engine_settings()
        return self

    def _check_replicas(self) -> None:
        scales = self.min_replicas is not None or self.max_replicas is not None
        if scales and self.replicas is not None:
            raise ValueError("say replicas, or min_replicas and max_replicas of a pool that scales; not both")
        if scales and self.max_replicas is None:
            raise ValueError("a pool with min_replicas needs max_replicas, too")
        if self.max_replicas is not None and (self.min_replicas or 0) > self.max_replicas:
            raise ValueError(
                f"min_replicas ({self.min_replicas}) is more than max_replicas ({self.max_replicas})"
            )

    def _check_key(self) -> None:
        named = self.upstream_key_env
        if "api_key" in self.engine_options:
            raise ValueError("keys are only named here: say upstream_key_env, the variable that holds it")
        if named is None:
            return
        if "api_key" not in options_of(self.engine):
            raise ValueError(f"engine {self.engine} has no upstream_key_env")
        if not _VARIABLE.fullmatch(named):
            raise ValueError("upstream_key_env is the name of an environment variable, not a key itself")
        if named.upper().startswith(PREFIX) and named != f"{PREFIX}UPSTREAM_KEY":
            raise ValueError(
                f"upstream_key_env: names that begin with {PREFIX} are settings; name it otherwise"
            )

    def engine_settings(self) -> EngineSettings:
        """The settings of its engine, with the upstream's key where this process has it. Raises ValueError."""
        named = self.adapters if isinstance(self.adapters, dict) else {}
        said = {
            "model": self.model,
            "base_url": self.upstream_url,
            "api_key": os.environ.get(self.upstream_key_env) if self.upstream_key_env else None,
            "script": self.script,
            "max_model_len": self.max_model_len,
            "dtype": self.dtype,
            "kv_cache_gib": self.kv_cache_bytes / GIB if self.kv_cache_bytes else None,
            "extra": self.vllm_args or None,
            "adapters": {name: name for name in self.adapters} | named,
        }
        return engine_settings(self.engine, said, self.engine_options, self.gpus_per_replica)

    @property
    def lacks_key(self) -> bool:
        """Whether this process does not have the key that is named."""
        return self.upstream_key_env is not None and not os.environ.get(self.upstream_key_env)

    def pool_settings(
        self, name: str, stall_seconds: float, grace_seconds: float, scale_down_seconds: float
    ) -> PoolSettings:
        """What the pool is made of."""
        scales = self.max_replicas is not None
        least = 1 if self.min_replicas is None else self.min_replicas
        return PoolSettings(
            name=name,
            engine=self.engine_settings(),
            takes_any=self.engine == "openai" and self.model is None,
            replicas=max(1, least) if scales else self.replicas or 1,
            min_replicas=least if scales else None,
            max_replicas=self.max_replicas,
            scale_down_seconds=scale_down_seconds,
            gpus_per_replica=self.gpus_per_replica,
            max_decodes=self.max_decodes,
            stall_seconds=stall_seconds,
            grace_seconds=grace_seconds,
        )
