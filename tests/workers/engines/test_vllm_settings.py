"""What may be said of vLLM, and what goes together; nothing here starts it."""

from dataclasses import replace
from typing import Any

import pytest

from anabranch.workers.engines.vllm.settings import NAMED_HERE, VllmSettings

TWO_STAGES = {"pipeline_parallel_size": 2}


@pytest.mark.parametrize(
    ("said", "gpus", "parallel"),
    [
        ({}, 0, 1),
        ({}, 0.5, 1),
        ({}, 1, 1),
        ({}, 2, 2),
        ({}, 8, 8),
        ({"tensor_parallel": 2}, 2, 2),
        ({"tensor_parallel": 2}, 0, 2),
        ({"extra": TWO_STAGES}, 8, 4),
        ({"extra": TWO_STAGES, "tensor_parallel": 2}, 4, 2),
    ],
)
def test_the_gpus_of_a_replica_hold_one_model_together(
    said: dict[str, Any], gpus: float, parallel: int
) -> None:
    assert VllmSettings(**said).on_gpus(gpus).tensor_parallel == parallel


@pytest.mark.parametrize(("gpus", "part"), [(0.5, 0.45), (0.25, 0.225), (1, None), (2, None)])
def test_replicas_that_share_a_gpu_share_its_memory(gpus: float, part: float | None) -> None:
    assert VllmSettings().on_gpus(gpus).gpu_memory_utilization == part
    assert VllmSettings(kv_cache_gib=1).on_gpus(gpus).gpu_memory_utilization is None
    assert VllmSettings(gpu_memory_utilization=0.3).on_gpus(gpus).gpu_memory_utilization == 0.3


@pytest.mark.parametrize(
    ("said", "gpus", "why"),
    [
        ({"tensor_parallel": 4}, 2, "tensor_parallel is 4, but each replica has 2 GPUs"),
        ({"tensor_parallel": 2}, 0.5, "each replica has 0.5 GPUs"),
        ({"tensor_parallel": 2}, 1, "each replica has 1 GPUs"),
        ({}, 1.5, "whole ones: not 1.5"),
        ({"extra": TWO_STAGES}, 3, "tensor_parallel times pipeline_parallel_size is 2"),
        ({"extra": TWO_STAGES}, 1, "pipeline_parallel_size is 2"),
        ({"gpu_memory_utilization": 0.5}, 0, "on a CPU, say kv_cache_gib"),
    ],
)
def test_gpus_that_do_not_fit_are_refused(said: dict[str, Any], gpus: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        VllmSettings(**said).on_gpus(gpus)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"max_model_len": 0}, "max_model_len must be more than 0"),
        ({"kv_cache_gib": -1.0}, "kv_cache_gib must be more than 0"),
        ({"tensor_parallel": 0}, "tensor_parallel must be more than 0"),
        ({"gpu_memory_utilization": 0.0}, "gpu_memory_utilization must be more than 0"),
        ({"gpu_memory_utilization": 1.5}, "a part of 1, not 1.5"),
        ({"gpu_memory_utilization": 0.5, "kv_cache_gib": 1.0}, "give one of them"),
        ({"dtype": "int4"}, "dtype is one of auto, bfloat16"),
        ({"extra": {"pipeline_parallel_size": "2"}}, "a number of GPUs"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        VllmSettings(**said)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("theirs", "ours"), NAMED_HERE.items())
def test_what_has_a_field_is_not_said_twice(theirs: str, ours: str) -> None:
    with pytest.raises(ValueError, match=f"say it as {ours}"):
        VllmSettings(extra={theirs: 1})


def test_fitting_changes_nothing_else() -> None:
    settings = VllmSettings(model="m", max_model_len=9, dtype="float32", extra={"seed": 1})
    assert settings.on_gpus(1) == replace(settings, tensor_parallel=1)
