"""Implements self-consistency (Wang et al., arXiv 2203.11171) with quorum stop, and short-m@k (arXiv 2505.17813)."""

import json
from typing import Annotated, Literal

from anabranch.dag.actions import (
    Answer,
    Ballot,
    Fork,
    Forked,
    Join,
    Joined,
    Mode,
    Policy,
    Result,
    Thought,
    Vote,
    Voted,
)
from anabranch.dag.answers.extraction import boxed, extract_answer
from anabranch.dag.decoding import Decoding, Purpose
from anabranch.dag.decoding.tools import meaning_of, without_halves
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.lists import TRUNCATED
from anabranch.dag.policy import Param, policy
from anabranch.dag.text import Base, say

FORMAT = "Reason briefly, then write the final answer, and nothing else, in \\boxed{}."


@policy(
    title="Self-consistency",
    paper="Wang et al. 2022, arXiv 2203.11171; short-m@k: arXiv 2505.17813",
    use_when="Answers can be compared (a number, a name) and chains of thought go wrong at random.\n"
    "Costs n chains; stops as soon as no other answer can win.",
    marks_answer=True,
    may_call=True,
    efforts={"none": {"n": 2}, "minimal": {"n": 2}, "low": {"n": 4}, "high": {"n": 16}},
)
def self_consistency(
    problem: Problem,
    *,
    n: Annotated[int, Param("samples drawn", ge=1, le=1024)] = 8,
    stop: Annotated[
        Literal["quorum", "all", "first"], Param("quorum: once decided; all: never early; first: short-m@k")
    ] = "quorum",
    m: Annotated[int, Param("stop='first': how many finished samples vote", ge=1, le=1024)] = 1,
    ask: Annotated[bool, Param("tell the model how to mark its answer, so that it can be found")] = True,
    temperature: Annotated[float, Param("of the samples", ge=0.0, le=2.0)] = 0.8,
) -> Policy:
    """Sample n independent branches and answer with the majority; what still runs then is cancelled.

    Answers that mean the same count as one. A sample without an answer abstains. Ties go to the answer that was found
    first. T is the longest sample that was waited for. Where the answer must have a form, each sample is an answer as
    it stands: those that are the same JSON count as one, and the first of the winning ones is given.
    A sample that calls tools votes for its calls: the same functions with arguments that are the same JSON are one.
    """
    sample = Thought(
        base=Base.PROBLEM,
        messages=(say("system", FORMAT),) if ask and not problem.structured else (),
        role="sample",
        decoding=Decoding(temperature=temperature, purpose=Purpose.CANDIDATE),
    )
    forked: Forked = yield Fork(children=(sample,) * n)
    pending, ballots, tally = forked.branches, list[Ballot](), None
    cut: list[Ballot] = []
    """What samples that were cut off may have meant: it counts when no sample says more."""
    drawn: dict[BranchId, Result] = {}
    read = whole_answer if problem.structured else answer_of
    while pending and not (tally and tally.decided and stop != "all"):
        joined: Joined = yield Join(targets=pending, mode=Mode.FIRST)
        pending = joined.pending
        for result in joined.results:
            drawn[result.branch] = result
            answer = meaning_of(result.calls) if result.calls else read(result)
            ballots.append(Ballot(branch=result.branch, answer=answer, exact=bool(result.calls)))
            if answer is None and result.ok and not result.calls and not problem.structured:
                cut.append(Ballot(branch=result.branch, answer=extract_answer(result.value)))
        outstanding = max(0, m - len(ballots)) if stop == "first" else len(pending)
        voted: Voted = yield Vote(ballots=tuple(ballots), outstanding=outstanding)
        tally = voted
    if cut and (tally is None or tally.winner is None):
        voted = yield Vote(ballots=tuple(cut))
        tally = voted
    if tally is None or tally.winner is None:
        raise NoAnswer(f"none of {len(ballots)} samples contained an answer" if ballots else "no sample ran")
    first = drawn[tally.supporters[0]]
    text = first.value.strip() if problem.structured or first.calls else tally.winner
    return Answer(text=text, sources=tally.supporters, calls=first.calls)


def whole_answer(result: Result) -> str | None:
    """What a sample that must have a form is counted as: the same for the same JSON, however it is written. What was
    cut off in the middle counts for nothing."""
    if not result.ok or TRUNCATED in result.flags:
        return None
    try:
        return without_halves(json.dumps(json.loads(result.value), sort_keys=True, ensure_ascii=False))
    except (ValueError, RecursionError):
        return result.value.strip() or None


def answer_of(result: Result) -> str | None:
    """The answer of a sample. What was cut off in the middle has one only in a closed box: its last number may be half
    of one."""
    if not result.ok:
        return None
    return boxed(result.value) if TRUNCATED in result.flags else extract_answer(result.value)
