"""Says what an operator may choose of vLLM, and which choices go together.

Whatever is left out is vLLM's own default, or follows from the machine (`start.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from anabranch.workers.models.resolve import DEFAULT_MODEL

DTYPES = ("auto", "bfloat16", "float16", "float32")
USABLE = 0.9
"""Part of a GPU's memory that vLLM uses by itself."""
NAMED_HERE = {
    "model": "model",
    "max_model_len": "max_model_len",
    "tensor_parallel_size": "tensor_parallel",
    "gpu_memory_utilization": "gpu_memory_utilization",
    "kv_cache_memory_bytes": "kv_cache_gib",
    "dtype": "dtype",
    "reasoning_parser": "reasoning_parser",
}
"""vLLM's names of what has a field of its own here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """Which model vLLM runs, and how. Raises ValueError, in one sentence, for what cannot be."""

    name: ClassVar[str] = "vllm"
    remote: ClassVar[bool] = False
    light: ClassVar[bool] = False
    model: str = DEFAULT_MODEL
    """An embedded model's name, a folder, or a Hugging Face name."""
    max_model_len: int | None = None
    """Tokens of prompt and completion together. None: what the model takes and the KV cache holds."""
    kv_cache_gib: float | None = None
    """Memory for keys and values. None: 2 GiB on a CPU, on a GPU all that `gpu_memory_utilization` leaves."""
    tensor_parallel: int | None = None
    """GPUs that share one copy of the model. None: all that the replica has."""
    gpu_memory_utilization: float | None = None
    """Part of each GPU's memory that vLLM may use. None: 0.9, or that part of it which the replica has of its GPU."""
    dtype: str | None = None
    """auto, bfloat16, float16 or float32. None: what pays on this machine."""
    reasoning_parser: str = "auto"
    """By which marks a thought is known: vLLM's name of a reasoning parser, such as deepseek_r1; `auto`, by the model's
    tokenizer and chat template; `none`: all that it writes is text."""
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """What the chat template is told besides, as it names it: {"enable_thinking": false}. What a job says of thinking
    goes first."""
    tool_parser: str | None = None
    """vLLM's name of what reads the calls of tools that this model writes, such as hermes. None: told by the model's
    chat template; where it tells none, calls are asked for in plain JSON."""
    adapters: Mapping[str, str] = field(default_factory=dict)
    """LoRA adapters of this model, each a model's name and the folder of its weights on the replica's machine."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Any other argument of vLLM's engine, by vLLM's name (`AsyncEngineArgs`): {"enable_expert_parallel": true}."""

    def __post_init__(self) -> None:
        for name in ("max_model_len", "kv_cache_gib", "tensor_parallel", "gpu_memory_utilization"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be more than 0, not {value:g}")
        if self.gpu_memory_utilization is not None and self.gpu_memory_utilization > 1:
            raise ValueError(f"gpu_memory_utilization is a part of 1, not {self.gpu_memory_utilization:g}")
        if self.gpu_memory_utilization is not None and self.kv_cache_gib is not None:
            raise ValueError(
                "gpu_memory_utilization and kv_cache_gib both size the KV cache: give one of them"
            )
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ValueError(f"dtype is one of {', '.join(DTYPES)}, not {self.dtype!r}")
        stages = self.extra.get("pipeline_parallel_size", 1)
        if not isinstance(stages, int) or stages < 1:
            raise ValueError(f"pipeline_parallel_size is a number of GPUs, not {stages!r}")
        for theirs, ours in NAMED_HERE.items():
            if theirs in self.extra:
                raise ValueError(f"extra has {theirs}: say it as {ours}, beside extra")

    def on_gpus(self, gpus: float) -> "VllmSettings":
        """These settings for a replica with so many GPUs (0: none). Raises ValueError where they do not fit."""
        if gpus == 0:
            if self.gpu_memory_utilization is not None:
                raise ValueError("gpu_memory_utilization is for GPUs: on a CPU, say kv_cache_gib")
            return replace(self, tensor_parallel=self.tensor_parallel or 1)
        if gpus > 1 and gpus != int(gpus):
            raise ValueError(f"a replica has a part of one GPU, or whole ones: not {gpus:g}")
        stages = self.extra.get("pipeline_parallel_size", 1)
        wanted = (self.tensor_parallel or max(1, int(gpus) // stages)) * stages
        if wanted != max(1, gpus):
            parallel = "tensor_parallel" + (" times pipeline_parallel_size" if stages > 1 else "")
            raise ValueError(
                f"{parallel} is {wanted}, but each replica has {gpus:g} GPUs: they must be equal"
            )
        fitted = replace(self, tensor_parallel=wanted // stages)
        if gpus < 1 and self.gpu_memory_utilization is None and self.kv_cache_gib is None:
            return replace(fitted, gpu_memory_utilization=USABLE * gpus)
        return fitted
