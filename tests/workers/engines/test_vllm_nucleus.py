"""What is kept without sorting is what vLLM keeps by sorting."""

from importlib.metadata import entry_points
from typing import Any

import pytest

from anabranch.workers.engines.vllm import nucleus

WORDS = 2_000


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def sampler() -> Any:
    """vLLM's module that holds the function."""
    return pytest.importorskip("vllm.v1.sample.ops.topk_topp_sampler")


def logits(torch: Any, seed: int, sharpness: float, sequences: int = 6) -> Any:
    """Of distinct values, as what equals is kept by chance."""
    made = torch.Generator().manual_seed(seed)
    return torch.randn(sequences, WORDS, generator=made, dtype=torch.float64) * sharpness


def kept(found: Any) -> list[list[int]]:
    return [row.isfinite().nonzero().flatten().tolist() for row in found]


def sorting(sampler: Any, calls: list[int]) -> nucleus.Keep:
    def keep(rows: Any, k: Any, p: Any, allow_cpu_sync: bool) -> Any:
        if p is not None:
            calls.append(len(rows))
        return sampler.apply_top_k_top_p_pytorch(rows, k, p, allow_cpu_sync)

    return keep


@pytest.mark.parametrize("sharpness", [0.5, 2.0, 6.0])
@pytest.mark.parametrize(
    "k", [None, [1, 2, 20, 256, 257, WORDS], [WORDS] * 6, [5] * 6], ids=["none", "mixed", "all", "few"]
)
@pytest.mark.parametrize(
    "p", [[0.05, 0.5, 0.8, 0.95, 0.999, 1.0], [0.9] * 6, [1.0] * 6], ids=["mixed", "one", "all"]
)
def test_the_same_tokens_are_kept_with_the_same_logits(
    torch: Any, sampler: Any, sharpness: float, k: list[int] | None, p: list[float]
) -> None:
    ks = None if k is None else torch.tensor(k, dtype=torch.int32)
    ps = torch.tensor(p, dtype=torch.float64)
    for seed in range(20):
        whole = logits(torch, seed, sharpness)
        by_sorting = sampler.apply_top_k_top_p_pytorch(
            whole.clone(), None if ks is None else ks.clone(), ps.clone()
        )
        found = nucleus.keep_likely(
            whole.clone(), None if ks is None else ks.clone(), ps, sorting(sampler, [])
        )
        assert kept(found) == kept(by_sorting)
        assert torch.equal(found[found.isfinite()], by_sorting[by_sorting.isfinite()])


def test_only_a_sequence_whose_likely_tokens_are_many_is_sorted(torch: Any, sampler: Any) -> None:
    calls: list[int] = []
    whole = torch.cat([logits(torch, 1, 6.0, 3), logits(torch, 2, 0.1, 1)])
    nucleus.keep_likely(whole, None, torch.tensor([0.9] * 4), sorting(sampler, calls))
    assert calls == [1]
    nucleus.keep_likely(whole, torch.tensor([40] * 4), torch.tensor([0.9] * 4), sorting(sampler, calls))
    assert calls == [1]


def test_where_a_structure_allows_few_tokens_these_are_kept_and_nothing_is_sorted(
    torch: Any, sampler: Any
) -> None:
    calls: list[int] = []
    row = torch.full((1, WORDS), -float("inf"), dtype=torch.float64)
    row[0, [7, 9, 11]] = torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64)
    for k in (20, WORDS):
        found = nucleus.keep_likely(
            row.clone(), torch.tensor([k]), torch.tensor([0.95]), sorting(sampler, calls)
        )
        assert kept(found) == [[7, 9, 11]]
    assert calls == []


def test_all_that_equal_the_last_of_the_greatest_are_kept(torch: Any, sampler: Any) -> None:
    """Logits computed in bfloat16 are often equal."""
    row = torch.zeros(1, WORDS, dtype=torch.float64)
    row[0, :3] = torch.tensor([3.0, 2.0, 2.0])
    k, p = torch.tensor([2]), torch.tensor([0.999])
    assert kept(nucleus.keep_likely(row.clone(), k.clone(), p, sorting(sampler, []))) == [[0, 1, 2]]
    flat = torch.tensor(
        [[5.0] + [1.0] * (WORDS - 1)]
    )  # as many equals as there are words: beyond all candidates
    assert (
        len(kept(nucleus.keep_likely(flat, torch.tensor([2]), p, sorting(sampler, [])))[0])
        > nucleus.CANDIDATES
    )


def test_it_stands_before_the_function_of_vllm(
    torch: Any, sampler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "apply_top_k_top_p_pytorch", theirs := sampler.apply_top_k_top_p_pytorch)
    monkeypatch.setattr(nucleus, "keep_likely", lambda *given: ("ours", *given))
    nucleus.keep_without_sorting()
    whole = logits(torch, 1, 2.0)
    assert sampler.apply_top_k_top_p(whole, None, torch.tensor([0.5] * 6))[0] == "ours"
    only_k = sampler.apply_top_k_top_p(whole, torch.tensor([2] * 6), None)
    assert [len(row) for row in kept(only_k)] == [2] * 6
    assert sampler.apply_top_k_top_p_pytorch is not theirs


def test_vllm_is_told_of_it() -> None:
    """By the installed package: an entry point that a checkout gained since needs `make install`."""
    told = {entry.value for entry in entry_points(group="vllm.general_plugins")}
    assert f"{nucleus.__name__}:{nucleus.keep_without_sorting.__name__}" in told
