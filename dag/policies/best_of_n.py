"""Implements Best-of-N (Stiennon et al., arXiv 2009.01325), with verifiers (Cobbe et al., arXiv 2110.14168)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from anabranch.dag import actions as a
from anabranch.dag.actions import Check
from anabranch.dag.decoding import Decoding, Purpose
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.judge import JUDGE, PROPOSED, judge, record_mark
from anabranch.dag.policies.parts.waiting import Enough, Within
from anabranch.dag.policy import JudgeModel, Param, policy
from anabranch.dag.text import Base, Output


@policy(
    title="Best of N",
    paper="Stiennon et al. 2020, arXiv 2009.01325; Cobbe et al. 2021, arXiv 2110.14168",
    use_when="An answer is easier to check than to find: tests, a schema, a pattern, a known result, or a judge.\n"
    "Costs n samples and their checks; stops at the first sample with full marks.",
    marks_answer=True,
    may_call=True,
    efforts={"none": {"n": 2}, "minimal": {"n": 2}, "low": {"n": 4}, "high": {"n": 16}},
)
def best_of_n(
    problem: Problem,
    *,
    n: Annotated[int, Param("samples drawn", ge=1, le=1024)] = 8,
    verifier: Annotated[
        Literal["judge", Check],
        Param("who scores a sample: a judge branch, or a check in a worker task"),
    ] = "judge",
    spec: Annotated[
        Mapping[str, Any] | None,
        Param(
            "rule: contains, lacks, equals, max_words; math: answer; regex: pattern; json-schema: schema; "
            "python-tests: tests, seconds, memory_mb; python-score: code, seconds, memory_mb"
        ),
    ] = None,
    prompt: Annotated[
        str, Param("what a judge is asked behind question and answer; it gives 0 to 10")
    ] = JUDGE,
    judge_model: JudgeModel = None,
    stop: Annotated[
        Literal["full-marks", "all"], Param("full-marks: once a sample has them; all: never early")
    ] = ("full-marks"),
    enough: Enough = 0,
    within: Within = None,
    temperature: Annotated[float, Param("of the samples", ge=0.0, le=2.0)] = 0.8,
) -> a.Policy:
    """Draw n samples, score each as soon as it is there, answer with the best; what still runs then is cancelled.

    T is the longest sample that was waited for, with its judge. Of equals the first by position wins. If none has a
    score (no judge gave a mark, or none in time), the first that returned anything is the answer; it is flagged as
    unverified, and so is a best one with the score 0.
    """
    decoding = Decoding(temperature=temperature, purpose=Purpose.CANDIDATE)
    sample = a.Thought(base=Base.PROBLEM, role="sample", decoding=decoding)
    drawn: a.Forked = yield a.Fork(children=(sample,) * n)
    samples = pending = drawn.branches
    judged: dict[BranchId, BranchId] = {}
    if verifier == "judge":
        judges = tuple(
            judge(PROPOSED, Output(branch=each), prompt=prompt, model=judge_model) for each in samples
        )
        asked: a.Forked = yield a.Fork(children=judges)
        judged = {who: whom for who, whom in zip(asked.ids, samples, strict=False) if who is not None}
        pending += asked.branches
    found: dict[BranchId, a.Result] = {}
    scores: dict[BranchId, float] = {}
    while pending and len(scores) < (enough or n) and (stop == "all" or max(scores.values(), default=0) < 1):
        joined: a.Joined = yield a.Join(targets=pending, mode=a.Mode.FIRST, seconds=within)
        if joined.expired:
            break
        pending, result = joined.pending, joined.results[0]
        if result.branch in judged:
            scores |= yield from record_mark(result, judged[result.branch])
        elif not result.ok:
            idle = tuple(who for who, whom in judged.items() if whom == result.branch)
            yield a.Cancel(branches=idle, reason="there is nothing to judge")
        else:
            found[result.branch] = result
            if verifier != "judge":
                check = a.Verifier(kind=verifier, spec=spec or {})
                scored: a.Scored = yield a.Score(targets=(result.branch,), verifier=check)
                scores |= scored.scores
    if not found:
        raise NoAnswer(f"none of {n} samples could be drawn")
    best = max((each for each in samples if each in found), key=lambda each: scores.get(each, -1.0))
    yield a.Prune(branches=tuple(each for each in samples if each != best), rule="best of n")
    flags = () if scores.get(best) else ("unverified",)
    return a.Answer(text=found[best].value, sources=(best,), flags=flags, calls=found[best].calls)
