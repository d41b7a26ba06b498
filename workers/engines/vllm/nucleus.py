"""Keeps the likely tokens on a CPU without sorting the whole vocabulary.

For `top_p` vLLM's CPU build sorts all logits of each sequence in each step: 10 ms for the 151,000 tokens of Qwen, more
than half of the time of a small model. The tokens that `top_p` keeps are nearly always among the greatest few, which
are found twenty times faster. vLLM calls `keep_without_sorting` in each of its processes: it is named in pyproject.toml
under the entry points `vllm.general_plugins`.
"""

from collections.abc import Callable
from typing import Any

CANDIDATES = 256
"""Tokens of a sequence among which those that it keeps are looked for; is one of them further down, it is sorted."""

Tensor = Any
Keep = Callable[[Tensor, Tensor | None, Tensor | None, bool], Tensor]


def keep_without_sorting() -> None:
    """On a CPU: puts `keep_likely` before vLLM's own function. On other devices vLLM has kernels for it."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    from vllm.v1.sample.ops import topk_topp_sampler

    by_sorting = topk_topp_sampler.apply_top_k_top_p_pytorch

    def keep(logits: Tensor, k: Tensor | None, p: Tensor | None, allow_cpu_sync: bool = False) -> Tensor:
        if p is None:
            return by_sorting(logits, k, p, allow_cpu_sync)
        return keep_likely(logits, k, p, by_sorting)

    topk_topp_sampler.apply_top_k_top_p_pytorch = keep


def keep_likely(logits: Tensor, k: Tensor | None, p: Tensor, by_sorting: Keep) -> Tensor:
    """The logits [sequences, vocabulary] with -inf for all but the `k` greatest of each sequence, and of these but the
    fewest that have `p` of their probability; a k of the vocabulary's size, or a p of 1, takes nothing away.

    `by_sorting` does the same, for the sequences that cannot be told from their candidates. What equals the k-th is
    kept with it, as there.
    """
    vocabulary = logits.shape[1]
    count = min(CANDIDATES, vocabulary)
    values, tokens = logits.topk(count, dim=1)  # the greatest first
    k = p.new_full(p.shape, vocabulary, dtype=int) if k is None else k.long()
    least = values.gather(1, k.sub(1).clamp(max=count - 1).unsqueeze(1))
    everything = k == vocabulary
    # The k greatest are candidates, all of them: what else a structure forbids is -inf, and equals nothing.
    tied = (values[:, -1:] == least) & least.isfinite()
    few = (k <= count) & (everything | ~tied.squeeze(1))
    values = values.masked_fill(few.unsqueeze(1) & (values < least), -float("inf"))
    whole = values.logsumexp(dim=1).where(few, logits.logsumexp(dim=1))
    likely = (values - whole.unsqueeze(1)).exp()
    so_far = likely.cumsum(dim=1)
    values = values.masked_fill(so_far - likely >= p.unsqueeze(1), -float("inf"))
    kept = logits.new_full(logits.shape, -float("inf")).scatter_(1, tokens, values)
    told = few | (everything & (so_far[:, -1] >= p))
    for others, nucleus in ((p < 1) & ~told, p), (p >= 1, None):
        if others.any():
            rows = None if nucleus is None else nucleus[others]
            kept[others] = by_sorting(logits[others], k[others], rows, True)
    return kept
