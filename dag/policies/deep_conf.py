"""Implements DeepConf online (Fu et al., arXiv 2508.15260, section 3): unsure traces are stopped, sure ones outvote."""

from dataclasses import replace
from typing import Annotated

from anabranch.dag.actions import Explain, Join, Mode, Policy
from anabranch.dag.decoding.confidence import ConfidenceRule
from anabranch.dag.errors import BadParameters
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.samples import sample_of
from anabranch.dag.policies.parts.traces import Traces, threshold
from anabranch.dag.policies.parts.waiting import Within, join_within
from anabranch.dag.policies.presets.deep_conf import HIGH, LOW
from anabranch.dag.policy import Param, policy


@policy(
    title="DeepConf",
    paper="Fu et al. 2025, arXiv 2508.15260",
    use_when="As self-consistency, on engines that tell likelihoods (vLLM, most upstreams): unsure chains end early.\n"
    "Costs a warm-up of whole chains, then parts of the unsure ones; sure chains count for more.",
    presets={"low": LOW, "high": HIGH},
    marks_answer=True,
    may_call=True,
    efforts={"none": {"n": 4}, "minimal": {"n": 4}, "low": {"n": 8}, "high": {"n": 32, "warmup": 8}},
)
def deep_conf(
    problem: Problem,
    *,
    n: Annotated[int, Param("traces in all, at most", ge=1, le=1024)] = 16,
    warmup: Annotated[
        int, Param("of these, the first: none is stopped, they set the threshold", ge=1, le=256)
    ] = 4,
    keep: Annotated[
        float,
        Param("share of the warm-up whose worst group is sure enough (paper: 0.1 or 0.9)", ge=0.01, le=1.0),
    ] = 0.5,
    group: Annotated[int, Param("tokens of a group (paper: 2048)", ge=1, le=65536)] = 128,
    likeliest: Annotated[int, Param("tokens at each place whose likelihood is looked at", ge=1, le=20)] = 20,
    consensus: Annotated[
        float, Param("share of the votes with which an answer ends it", ge=0.5, le=1.0)
    ] = 0.95,
    within: Within = None,
    ask: Annotated[bool, Param("tell the model how to mark its answer, so that it can be found")] = True,
    temperature: Annotated[float, Param("of the traces", ge=0.0, le=2.0)] = 0.8,
) -> Policy:
    """Warm up with whole traces; stop later ones in the engine once a group of tokens is less sure than the threshold.

    Votes weigh as much as a trace's mean confidence. A trace that was stopped, or of the warm-up would have been,
    does not vote: it is pruned. Once an answer has the consensus, what still runs is cancelled. T is the longest
    trace of the warm-up and the longest waited for behind it. The paper draws the later traces one after the other;
    here they run at once. When the time of the warm-up is up, those that have ended set the threshold; when that of
    the later traces is, those that have ended decide. Where the engine tells no likelihoods nothing is stopped and
    each trace counts the same.
    """
    if warmup > n:
        raise BadParameters(f"{warmup} of {n} traces cannot warm up: warmup is at most n")
    traces = Traces(sample_of(problem, ask=ask, temperature=temperature), structured=problem.structured)
    rule = ConfidenceRule(likeliest=likeliest, group=group)
    first = yield from traces.draw(warmup, rule)
    joined = yield from join_within(first, 0, within)
    least = threshold(traces.measured(), keep)
    yield _explain(least, keep)
    pending: tuple[BranchId, ...] = ()
    left = 0 if joined.winding_down or len(first) < warmup else n - warmup
    while True:
        yield from traces.take(joined.results, least)
        tally, share = yield from traces.count(len(pending) + left)
        if share >= consensus or not (pending or left):
            break
        if left:
            pending, left = (yield from traces.draw(left, replace(rule, least=least))), 0
        joined = yield Join(targets=pending, mode=Mode.FIRST, seconds=within)
        if joined.expired:
            break
        pending = joined.pending
    if pending or left:
        yield traces.explain(f"the leading answer has {share:.0%} of the votes", len(pending), left)
    return (yield from traces.answer(tally))


def _explain(least: float | None, keep: float) -> Explain:
    if least is None:
        return Explain(
            "threshold", "the engine tells no likelihoods: no trace is stopped, and all count the same"
        )
    return Explain(
        "threshold", f"the surest {keep:.0%} of the warm-up are at least as sure", {"least": least}
    )
