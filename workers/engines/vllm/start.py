"""Starts vLLM with the settings that pay on this machine."""

import difflib
import os
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from anabranch.workers.cores import usable_cores
from anabranch.workers.engines.vllm.settings import VllmSettings
from anabranch.workers.errors import ModelUnavailable

GIB = 1 << 30
CPU_KV_CACHE_GIB = 2.0
FIT_THE_CACHE = -1
"""As `max_model_len`: what the model takes, or less if the KV cache cannot hold one such sequence."""


def start(settings: VllmSettings, location: str, told: Mapping[str, Any]) -> Any:
    """An AsyncLLM of the model at `location`; `told` are its arguments about thinking and adapters. Raises
    ModelUnavailable."""
    # Statistics of its users are sent to vLLM's makers unless one says no; what runs here is nobody's business.
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    from vllm.config.structured_outputs import StructuredOutputsConfig
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM

    arguments: dict[str, Any] = {
        "model": location,
        "max_model_len": settings.max_model_len or FIT_THE_CACHE,
        "tensor_parallel_size": settings.tensor_parallel or 1,
        "enable_prefix_caching": True,
        "scheduling_policy": "priority",
        # guidance knows every form; without whitespace a plan in JSON takes a third of the tokens, and no model can
        # fill its whole length with blanks.
        "structured_outputs_config": StructuredOutputsConfig(backend="guidance", disable_any_whitespace=True),
    }
    arguments |= told
    arguments |= said(gpu_memory_utilization=settings.gpu_memory_utilization)
    kv_cache_gib = settings.kv_cache_gib
    if current_platform.is_cpu():
        arguments |= _for_cpu(settings)
        kv_cache_gib = kv_cache_gib or CPU_KV_CACHE_GIB  # vLLM's default is a large part of all memory
    if kv_cache_gib:
        arguments["kv_cache_memory_bytes"] = int(kv_cache_gib * GIB)
    arguments |= said(dtype=settings.dtype) | dict(settings.extra)
    if isinstance(forms := arguments["structured_outputs_config"], Mapping):  # vLLM writes into it
        arguments["structured_outputs_config"] = StructuredOutputsConfig(**forms)
    _refuse_unknown(settings.extra, {field.name for field in fields(AsyncEngineArgs)})
    try:
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
    except OSError as error:  # transformers: neither a folder nor to be had from the hub
        raise ModelUnavailable(f"vLLM cannot load {location}: {error}") from error


def _refuse_unknown(extra: Mapping[str, Any], known: Collection[str]) -> None:
    for name in sorted(set(extra) - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ModelUnavailable(f"vLLM has no engine argument {name!r}, which extra names{hint}")


def _for_cpu(settings: VllmSettings) -> dict[str, Any]:
    """What vLLM's CPU build needs to be said; the environment variables yield to those already set."""
    threads = max(1, usable_cores() - 1)
    # Ray's and this process's Python need a core: threads that lose theirs stop all others, at half the throughput.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    # Several replicas on one machine would all be pinned to its first cores.
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    # Nothing is compiled (enforce_eager), but a helper for log-probabilities would be: 20 s at the first request.
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
    arguments: dict[str, Any] = {
        "dtype": "float32" if _has_amx() else "bfloat16",  # the latter is 1.5 times as fast
        "enforce_eager": True,  # compiling takes minutes and gains a quarter
        "block_size": 32,  # prefixes are shared in whole blocks, and the default of 128 is longer than many forks
    }
    if settings.tensor_parallel in (None, 1):
        # One process less, a third less memory, and a start of 6 s in place of 25 s; it needs the other variable.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        arguments["distributed_executor_backend"] = "uni"
    return arguments


def _has_amx() -> bool:
    """Whether vLLM would use AMX for bfloat16: on a Xeon with it, SmolLM2 then wrote other, wrong words (vLLM 0.32.0);
    in float32, and on CPUs without it, it does not."""
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "amx_bf16" in flags.read_text()


def said(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
