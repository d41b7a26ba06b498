"""LoRA adapters of a vLLM: each is a model's name, its weights lie in a folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.workers import tiny_model
from tests.workers.conftest import RequestFor
from tests.workers.models.test_models import converted

from anabranch.dag.text import Context
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.vllm.adapters import Adapters
from anabranch.workers.errors import DecodeError, ModelUnavailable
from anabranch.workers.messages import DecodeRequest

RANK = 4


def write_adapter(folder: Path, *, seed: int = 1, width: int = tiny_model.WIDTH, **config: Any) -> str:
    """An adapter of the tiny model's attention, as PEFT writes it."""
    random = np.random.default_rng(seed)
    told = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": 64,
        "target_modules": ["q_proj", "o_proj"],
        "bias": "none",
    }
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(told | config))
    tensors = {}
    for layer in range(tiny_model.LAYERS):
        for module in ("q_proj", "o_proj"):
            at = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            tensors[f"{at}.lora_A.weight"] = random.standard_normal((RANK, width), dtype=np.float32)
            tensors[f"{at}.lora_B.weight"] = random.standard_normal((width, RANK), dtype=np.float32)
    save_file(tensors, folder / "adapter_model.safetensors")
    return str(folder)


def test_the_engine_is_told_of_the_highest_rank_and_of_all_adapters(tmp_path: Path) -> None:
    folders = {
        "a": write_adapter(tmp_path / "a"),
        "b": write_adapter(tmp_path / "b", r=8, rank_pattern={"q_proj": 24}),
    }
    assert Adapters(folders).arguments() == {
        "enable_lora": True,
        "max_loras": 2,
        "max_cpu_loras": 2,
        "max_lora_rank": 32,
    }
    assert Adapters({}).arguments() == {}
    assert "a" in Adapters(folders) and "c" not in Adapters(folders) and None not in Adapters(folders)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (None, "cannot be read: No such file"),
        ("", "tells no rank"),
        ("[]", "tells no rank"),
        ("{}", "tells no rank"),
        ('{"r": "high"}', "tells no rank"),
    ],
)
def test_a_folder_without_an_adapter_is_refused_at_the_start(
    tmp_path: Path, config: str | None, why: str
) -> None:
    if config is not None:
        (tmp_path / "adapter_config.json").write_text(config)
    with pytest.raises(ModelUnavailable, match=f"adapter sql: .*{why}"):
        Adapters({"sql": str(tmp_path)})


@pytest.mark.real
async def test_an_adapter_answers_under_its_name_beside_its_model(
    tmp_path: Path, request_for: RequestFor
) -> None:
    from anabranch.workers.engines.vllm.engine import VllmEngine
    from anabranch.workers.engines.vllm.settings import VllmSettings

    adapters = {
        "tuned": write_adapter(tmp_path / "tuned"),
        "alien": write_adapter(tmp_path / "alien", width=2 * tiny_model.WIDTH),
    }
    folder = converted(tmp_path, tiny_model.weights())
    engine = VllmEngine(
        VllmSettings(
            model=str(folder), max_model_len=128, kv_cache_gib=0.1, dtype="float32", adapters=adapters
        )
    )

    async def said(model: str | None) -> tuple[str, str]:
        request: DecodeRequest = request_for(model=model, max_tokens=12, temperature=0.0)
        request = DecodeRequest(
            key=request.key, context=Context((), "hello"), decoding=request.decoding, seed=0, model=model
        )
        chunks = [chunk async for chunk in engine.decode(request)]
        return "".join(chunk.text for chunk in chunks), chunks[-1].model

    try:
        own, tuned = await said(None), await said("tuned")
        assert own[0] != tuned[0]
        assert (own[1], tuned[1]) == ("", "tuned")
        with pytest.raises(DecodeError, match="alien") as refused:
            await said("alien")
        assert (refused.value.fault.cause, refused.value.fault.retryable) == (Cause.REFUSED, False)
        assert (await said(None), await said("tuned")) == (own, tuned), "the engine goes on"
    finally:
        await engine.close()
