"""Forks judges: branches that read one candidate and give it a mark, for policies without a better verifier."""

import re
from collections.abc import Generator, Hashable, Mapping
from typing import Any, TypeVar

from anabranch.dag.actions import (
    Action,
    Ballot,
    Fork,
    Forked,
    Join,
    Joined,
    Malformed,
    Result,
    Score,
    Scored,
    Thought,
    Vote,
    Voted,
    aside,
)
from anabranch.dag.decoding import Decoding, Structure
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.parts.lists import written_lines
from anabranch.dag.policies.parts.prompts import ask
from anabranch.dag.text import Base, Output, Parts, say

TOP = 10
PROPOSED = "A proposed answer:\n\n"
JUDGE = """\
How good is this answer to the question? 0 is wrong or empty, 5 is partly right, 10 is right and complete. \
Check it before you decide. Reply with the number alone."""

VOTE = "Which of these solutions of the question is the most promising? Reply with its number alone."

_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")

Candidate = TypeVar("Candidate", bound=Hashable)


def judge(
    *candidate: str | Output, prompt: str = JUDGE, temperature: float = 0.0, model: str | None = None
) -> Thought:
    """A judge of a candidate; it starts when all branches that are part of the candidate have ended."""
    marks = Structure(choice=tuple(str(mark) for mark in range(TOP + 1)))
    return Thought(
        base=Base.PROBLEM,
        messages=(say("user", *candidate), say("user", prompt)),
        decoding=Decoding(temperature=temperature, max_tokens=8, structure=marks),
        returns=aside,
        role="judge",
        after=branches_in(candidate),
        model=model,
    )


def branches_in(parts: tuple[str | Output, ...]) -> tuple[BranchId, ...]:
    """The branches whose outputs these parts refer to."""
    return tuple(part.branch for part in parts if isinstance(part, Output))


def record_mark(result: Result, of: BranchId) -> Generator[Action, Any, dict[BranchId, float]]:
    """Record the mark that a judge gave a branch: 0.0 to 1.0. A judge that failed or wrote no number gives none."""
    mark = read_mark(result)
    if mark is not None:
        scored: Scored = yield Score(scores={of: mark}, by="judge")
        return dict(scored.scores)
    if result.ok:
        yield Malformed(problem="no-mark", span=result.value[:200])
    return {}


def read_mark(result: Result) -> float | None:
    """A judge's mark, from 0.0 to 1.0: the first number it wrote. None when it wrote none."""
    number = _NUMBER.search(result.value) if result.ok else None
    return min(float(number.group()) / TOP, 1.0) if number else None


def elect(
    candidates: Mapping[Candidate, Parts], voters: int, prompt: str, question: str, model: str | None = None
) -> Generator[Action, Any, dict[Candidate, float]]:
    """How many voters are for each candidate: each reads all of them, numbered, and names one. An own prompt lets them
    reason first: the last number of the last line counts. A single candidate is not voted on."""
    if len(candidates) < 2:
        return dict.fromkeys(candidates, 0.0)
    numbers = {str(number): candidate for number, candidate in enumerate(candidates, start=1)}
    listed = tuple(
        part for number, each in numbers.items() for part in (f"Solution {number}:\n", *candidates[each])
    )
    base, messages = ask(prompt or VOTE, {"candidates": listed, "question": (question,)}, listed)
    choice = Decoding(structure=Structure(choice=tuple(numbers)), max_tokens=8)
    voter = Thought(
        base=base,
        messages=messages,
        decoding=Decoding() if prompt else choice,
        returns=aside,
        role="voter",
        model=model,
        after=tuple(dict.fromkeys(branch for each in candidates.values() for branch in branches_in(each))),
    )
    forked: Forked = yield Fork(children=(voter,) * voters)
    joined: Joined = yield Join(targets=forked.branches)
    named = ((result.branch, _named(result)) for result in joined.results)
    ballots = (Ballot(branch=branch, answer=name if name in numbers else None) for branch, name in named)
    voted: Voted = yield Vote(ballots=tuple(ballots))
    weights = {each.answer: each.weight for each in voted.classes}
    return {candidate: weights.get(number, 0.0) for number, candidate in numbers.items()}


def _named(result: Result) -> str:
    """The number of the candidate that a voter chose; empty where it named none."""
    lines = written_lines(result.value) if result.ok else []
    numbers = re.findall(r"\d+", lines[-1]) if lines else []
    return str(numbers[-1]) if numbers else ""
