"""Says what an operator may choose of vLLM."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """What may be chosen; all else is vLLM's own default, or follows from the machine."""

    model: str
    """An embedded model's name, a folder, or a Hugging Face name."""
    max_model_len: int | None = None
    """Tokens of prompt and completion together. None: what the model takes and the KV cache holds."""
    kv_cache_gib: float | None = None
    """Memory for keys and values. None: 2 GiB on a CPU, on a GPU all that `gpu_memory_utilization` leaves."""
    tensor_parallel: int = 1
    """GPUs that share one copy of the model."""
    gpu_memory_utilization: float | None = None
    """Part of each GPU's memory that vLLM may use. None: vLLM's default."""
