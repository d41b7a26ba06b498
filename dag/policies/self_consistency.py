"""Implements self-consistency (Wang et al., arXiv 2203.11171): all samples at once, or in windows that end early.

Windows: Adaptive-Consistency (arXiv 2305.11860) and ESC (arXiv 2401.10480); short-m@k: arXiv 2505.17813.
"""

from typing import Annotated, Literal

from anabranch.dag.actions import Explain, Fork, Forked, Join, Joined, Mode, Policy, Voted
from anabranch.dag.errors import BadParameters
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.samples import Samples, agree, lead_probability, sample_of, spared_tokens
from anabranch.dag.policies.parts.waiting import Within, room_for
from anabranch.dag.policies.presets.windows import ADAPTIVE_CONSISTENCY, ESC
from anabranch.dag.policy import Param, policy


@policy(
    title="Self-consistency",
    paper="Wang et al. 2022, arXiv 2203.11171; windows: 2305.11860, 2401.10480; short-m@k: 2505.17813",
    use_when="Answers can be compared (a number, a name) and chains of thought go wrong at random.\n"
    "Costs n chains; stops as soon as no other answer can win, in windows sooner.",
    presets={"adaptive-consistency": ADAPTIVE_CONSISTENCY, "esc": ESC},
    marks_answer=True,
    may_call=True,
    efforts={"none": {"n": 2}, "minimal": {"n": 2}, "low": {"n": 4}, "high": {"n": 16}},
)
def self_consistency(
    problem: Problem,
    *,
    n: Annotated[int, Param("samples drawn, at most", ge=1, le=1024)] = 8,
    window: Annotated[
        int, Param("samples drawn at once, the next ones if these decide nothing; 0: all", ge=0, le=1024)
    ] = 0,
    as_room: Annotated[
        bool,
        Param("windows no wider than the pool has room for without slowing other jobs (ANABRANCH_SLOWDOWN)"),
    ] = False,
    stop: Annotated[
        Literal["quorum", "all", "first", "posterior", "unanimous"],
        Param(
            "quorum: once decided; all: never early; first: short-m@k; posterior: once the leader is likely the most "
            "frequent answer (Adaptive-Consistency); unanimous: once a window agrees (ESC)"
        ),
    ] = "quorum",
    m: Annotated[int, Param("stop='first': how many finished samples vote", ge=1, le=1024)] = 1,
    confidence: Annotated[
        float, Param("stop='posterior': how likely the leader must lead", ge=0.5, le=1.0)
    ] = 0.95,
    within: Within = None,
    ask: Annotated[bool, Param("tell the model how to mark its answer, so that it can be found")] = True,
    temperature: Annotated[float, Param("of the samples", ge=0.0, le=2.0)] = 0.8,
) -> Policy:
    """Sample independent branches and answer with the majority; what still runs then is cancelled.

    Answers that mean the same count as one. A sample without an answer abstains. Ties go to the answer that was found
    first. T is the longest sample that was waited for; of windows, the sum of these. Where the answer must have a
    form, each sample is an answer as it stands: those that are the same JSON count as one, and the first of the
    winning ones is given. A sample that calls tools votes for its calls: the same functions with arguments that are
    the same JSON are one. When the time of a window is up, those that have ended decide. Whatever `stop` says but
    `all`, nobody waits once no other answer can win; each rule is asked whenever a sample ends, which for `posterior`
    is as after windows of one. With `all` the samples of a window are joined and counted once. With `as_room` each
    window asks the pool how many samples it has room for: the busier it is, the fewer are drawn before the rule is
    asked. What a window saved is told with the reason.
    """
    if stop == "unanimous" and window < 2:
        raise BadParameters("stop='unanimous' asks whether a window agrees: window must be 2 or more")
    sample = sample_of(problem, ask=ask, temperature=temperature)
    samples, tally, left = Samples(structured=problem.structured), None, n
    pending: tuple[BranchId, ...] = ()
    drawn = pending
    while pending or left:
        if not pending:
            width = (yield from room_for(2 if stop == "unanimous" else 1)) if as_room else n
            forked: Forked = yield Fork(children=(sample,) * min(window or n, width, left))
            left = 0 if forked.rejected or forked.winding_down else left - len(forked.ids)
            pending = drawn = forked.branches
            continue
        mode, count = (Mode.FIRST_K, len(pending)) if stop == "all" else (Mode.FIRST, 0)
        joined: Joined = yield Join(targets=pending, mode=mode, count=count, seconds=within)
        pending, left = joined.pending, 0 if joined.winding_down else left
        if joined.expired and not joined.results:
            break
        for result in joined.results:
            samples.take(result)
        outstanding = max(0, m - len(samples.ballots)) if stop == "first" else len(pending) + left
        tally = voted = yield from samples.count(outstanding)
        why = _reason(voted, stop, () if pending else drawn, confidence)
        if joined.expired:
            break
        if why:
            if window or as_room or stop in ("posterior", "unanimous"):
                spared = spared_tokens(samples.drawn.values(), left)
                numbers = {"ended": len(samples.ballots), "stopped": len(pending), "not_drawn": left}
                yield Explain("stop", why, {**numbers, "spared_tokens": round(spared, 1)})
            break
    return (yield from samples.answer(tally))


def _reason(tally: Voted, stop: str, window: tuple[BranchId, ...], confidence: float) -> str:
    """Why no more samples are needed; empty if they are. `window`: the last one, once all of it has ended."""
    if tally.decided and stop != "all":
        return "no other answer can win"
    if stop == "posterior" and (lead := lead_probability(tally.classes)) >= confidence:
        return f"the leading answer is the most frequent one with probability {lead:.3f}"
    if stop == "unanimous" and window and agree(window, tally.classes):
        return f"all {len(window)} samples of the last window agree"
    return ""
