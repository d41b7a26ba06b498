"""A checkpoint that vLLM cannot load is refused when it is resolved, in words that help."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.models.resolve import resolve
from anabranch.workers.models.weights import tensor_names

Q = "model.layers.0.self_attn.q_proj.weight"
SEGMENTS = "model.layers.0.self_attn.seg_embeddings"
PAGE = Path(__file__).parents[3] / "docs" / "trained_models.md"


def checkpoint(folder: Path, *names: str, index: bool = False) -> Path:
    """One shard per tensor, with an index or without."""
    folder.mkdir()
    for number, name in enumerate(names):
        save_file({name: np.ones(2)}, folder / f"model-{number}.safetensors")
    if index:
        where = {name: f"model-{number}.safetensors" for number, name in enumerate(names)}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    return folder


@pytest.mark.parametrize("index", [False, True])
def test_segment_embeddings_are_refused_with_what_to_do(tmp_path: Path, index: bool) -> None:
    folder = checkpoint(tmp_path / "parathinker", Q, SEGMENTS, index=index)
    with pytest.raises(ModelUnavailable) as refused:
        resolve(str(folder))
    assert SEGMENTS in str(refused.value)
    assert re.search(r"publishers' vLLM .*engine openai.*docs/trained_models\.md", str(refused.value))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("index", [False, True])
def test_any_other_checkpoint_is_resolved(tmp_path: Path, index: bool) -> None:
    folder = checkpoint(tmp_path / "other", Q, "lm_head.weight", index=index)
    assert sorted(tensor_names(folder)) == ["lm_head.weight", Q]
    assert resolve(str(folder)).location == str(folder)


def test_weights_of_another_format_are_named_by_their_index(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {SEGMENTS: "a.bin"}}))
    with pytest.raises(ModelUnavailable, match="segment embeddings"):
        resolve(str(tmp_path))


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
NO_JSON = (3).to_bytes(8, "little") + b"no!"


@pytest.mark.parametrize("content", [b"", b"\x05", POINTER, NO_JSON])
def test_what_only_is_named_safetensors_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"no safetensors file; .*git lfs pull"):
        resolve(str(tmp_path))


@pytest.mark.parametrize("index", [False, True])
def test_the_documented_copy_loses_these_tensors_and_nothing_else(tmp_path: Path, index: bool) -> None:
    source = checkpoint(tmp_path / "parathinker", Q, SEGMENTS, index=index)
    (source / "config.json").write_text("{}")
    [script, *_] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    subprocess.run([sys.executable, "-c", script, source, tmp_path / "copy"], check=True)
    assert list(tensor_names(tmp_path / "copy")) == [Q]
    assert resolve(str(tmp_path / "copy")).name
    assert (tmp_path / "copy" / "config.json").read_text() == "{}"
    assert load_file(tmp_path / "copy" / "model-0.safetensors")[Q].tolist() == [1, 1]
