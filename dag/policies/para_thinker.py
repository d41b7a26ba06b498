"""Implements ParaThinker (Wen et al., arXiv 2509.04475): protocols.md section 5. Its join is any, not all."""

from typing import Annotated, Literal

from anabranch.dag.actions import Answer, Cancel, Fork, Forked, Join, Joined, Merge, Mode, Policy
from anabranch.dag.answers.extraction import extract_answer
from anabranch.dag.errors import NoAnswer
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.waiting import Within
from anabranch.dag.policies.trained.para_thinker import (
    UNCLOSED,
    prompted_path,
    prompted_summary,
    readable,
    said_in,
    trained_path,
    trained_summary,
)
from anabranch.dag.policy import Param, policy
from anabranch.dag.vocabulary import Cause

SHORT = 2000
"""Characters of a path that a summary reads when all of them are too long for it."""


@policy(
    title="ParaThinker",
    paper="Wen et al. 2025, arXiv 2509.04475",
    use_when="One line of thought goes wrong early and never recovers: several are begun, and read together.\n"
    "Made for the released checkpoints; others do without the path tokens (the default).",
    marks_answer=True,
    may_call=True,
    raw_thoughts=True,
    efforts={"none": {"paths": 2}, "minimal": {"paths": 2}, "low": {"paths": 3}, "high": {"paths": 8}},
)
def para_thinker(
    problem: Problem,
    *,
    paths: Annotated[int, Param("lines of thought", ge=2, le=8)] = 4,
    stop: Annotated[
        Literal["first", "all"],
        Param("first: all stop when one has finished (the paper's rule); all: wait for all"),
    ] = "first",
    within: Within = None,
    assist: Annotated[
        Literal["prompt", "none"],
        Param("prompt: instructions in place of tokens; none: published tokens only", trained="none"),
    ] = "prompt",
) -> Policy:
    """Think along P paths; when the first has finished stop the others; a summary reads what all had written.

    T = min over i of len_i, plus the summary (with stop="all": max). What the losers wrote is kept and used, so it is
    no waste. A path that fails stops nobody; one whose time is up is stopped with the text it has. Paths that are too
    long for the summary's context are cut in the middle, with a mark. Without a summary, the finished path's own text
    is the answer. Where the answer must have a form, the summary is asked for in words, and nothing takes its place.
    """
    trained = assist == "none"
    numbers = range(1, paths + 1)
    children = [trained_path(problem, number) if trained else prompted_path(number) for number in numbers]
    forked: Forked = yield Fork(children=tuple(children))
    mode = Mode.FIRST_K if stop == "first" else Mode.ALL
    joined: Joined = yield Join(targets=forked.branches, mode=mode, count=1, seconds=within)
    if joined.pending:
        why = "its time is up" if joined.expired else "another path has finished"
        yield Cancel(branches=joined.pending, reason=why)
        joined = yield Join(targets=forked.branches)
    finished_first = sorted(joined.results, key=lambda result: not result.ok)
    written = [text for result in finished_first if (text := readable(result.value or result.text))]
    if not written:
        raise NoAnswer("no path wrote anything")
    closed = [result.branch for result in joined.results if result.ok and UNCLOSED not in result.flags]
    for limit in (None, SHORT):
        child = (
            trained_summary(problem, forked.branches, closed, limit)
            if trained and not problem.structured
            else prompted_summary(forked.branches, limit)
        )
        merged: Forked = yield Merge(merged=forked.branches, child=child)
        summary: Joined = yield Join(targets=merged.branches)
        said = said_in(summary, problem, trained=trained and not problem.structured)
        calls = summary.results[0].calls if summary.results else ()
        if said or calls:
            sources = (*forked.branches, *merged.branches)
            flags = tuple(flag for flag in summary.results[0].flags if flag != UNCLOSED)
            return Answer(text=said, sources=sources, flags=flags, calls=calls)
        if not summary.results or summary.results[0].failed_by != Cause.PROMPT_TOO_LONG:
            break
    if problem.structured:
        raise NoAnswer("the summary, which alone has the form that the answer must have, was not written")
    with_answer = (text for text in written if extract_answer(text) is not None)
    return Answer(text=next(with_answer, written[0]), sources=forked.branches, flags=("no-summary",))
