"""Draws independent samples and counts their answers: what self-consistency and its kin share."""

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from anabranch.dag.actions import Action, Answer, Ballot, Result, Thought, Vote, Voted
from anabranch.dag.answers.extraction import extract_answer, read_boxed
from anabranch.dag.decoding import Decoding, Purpose
from anabranch.dag.decoding.tools import meaning_of, read_json, without_halves
from anabranch.dag.errors import NoAnswer
from anabranch.dag.events import AnswerClass
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.lists import TRUNCATED
from anabranch.dag.text import Base, say

FORMAT = "Reason briefly, then write the final answer, and nothing else, in \\boxed{}."


def sample_of(problem: Problem, *, ask: bool, temperature: float) -> Thought:
    """One independent sample; with `ask` the model is told how to mark its answer."""
    return Thought(
        base=Base.PROBLEM,
        messages=(say("system", FORMAT),) if ask and not problem.structured else (),
        role="sample",
        decoding=Decoding(temperature=temperature, purpose=Purpose.CANDIDATE),
    )


@dataclass(slots=True, kw_only=True)
class Samples:
    """Samples that have ended, and what they vote for. A sample that calls tools votes for its calls."""

    structured: bool
    """The answer must have a form: each sample is an answer as it stands."""
    ballots: list[Ballot] = field(default_factory=list)
    cut: list[Ballot] = field(default_factory=list)
    """What samples that were cut off may have meant: it counts when no sample says more."""
    drawn: dict[BranchId, Result] = field(default_factory=dict)

    def take(self, result: Result, weight: float = 1.0) -> None:
        self.drawn[result.branch] = result
        read = whole_answer if self.structured else answer_of
        answer = meaning_of(result.calls) if result.calls else read(result)
        ballot = Ballot(branch=result.branch, answer=answer, weight=weight, exact=bool(result.calls))
        self.ballots.append(ballot)
        if answer is None and result.ok and not result.calls and not self.structured:
            self.cut.append(Ballot(branch=result.branch, answer=extract_answer(result.value), weight=weight))

    def count(self, outstanding: float) -> Generator[Action, Any, Voted]:
        """The running tally; `outstanding` is the weight of the votes still to come."""
        voted: Voted = yield Vote(ballots=tuple(self.ballots), outstanding=outstanding)
        return voted

    def answer(self, tally: Voted | None) -> Generator[Action, Any, Answer]:
        """The winner; of samples that were all cut off, what they may have meant. Raises NoAnswer."""
        if self.cut and (tally is None or tally.winner is None):
            tally = yield Vote(ballots=tuple(self.cut))
        if tally is None or tally.winner is None:
            tried = f"none of {len(self.ballots)} samples contained an answer"
            raise NoAnswer(tried if self.ballots else "no sample ran")
        first = self.drawn[tally.supporters[0]]
        text = first.value.strip() if self.structured or first.calls else tally.winner
        return Answer(text=text, sources=tally.supporters, calls=first.calls)


def lead_probability(classes: Sequence[AnswerClass]) -> float:
    """How likely the leading answer is the more frequent one of the first two, after so many equal votes for each:
    P(p > 1/2) for p ~ Beta(first + 1, second + 1) (Adaptive-Consistency, arXiv 2305.11860, section 3.2). 0 without a
    vote. Exact: for whole counts it is a sum of binomials."""
    if not classes:
        return 0.0
    first, second = int(classes[0].weight), int(classes[1].weight) if len(classes) > 1 else 0
    total = first + second + 1
    at_most = ways = 1
    for k in range(first):  # from each binomial to the next: to begin anew costs seconds for a thousand votes
        ways = ways * (total - k) // (k + 1)
        at_most += ways
    return float(Fraction(at_most, 2**total))


def agree(window: Iterable[BranchId], classes: Iterable[AnswerClass]) -> bool:
    """Whether all samples of a window have the same answer (ESC, arXiv 2401.10480: its entropy is 0)."""
    members = set(window)
    return any(members <= set(each.branches) for each in classes)


def spared_tokens(results: Iterable[Result], left: int) -> float:
    """An estimate of what samples that were not drawn would have cost: as much as the mean of those that ended."""
    tokens = [result.tokens for result in results if result.ok]
    return left * sum(tokens) / len(tokens) if tokens else 0.0


def whole_answer(result: Result) -> str | None:
    """What a sample that must have a form is counted as: the same for the same JSON, however it is written. What was
    cut off in the middle counts for nothing."""
    if not result.ok or TRUNCATED in result.flags:
        return None
    try:
        return without_halves(json.dumps(read_json(result.value), sort_keys=True, ensure_ascii=False))
    except ValueError:
        return result.value.strip() or None


def answer_of(result: Result) -> str | None:
    """The answer of a sample. What was cut off in the middle has one only in a closed box: its last number may be half
    of one."""
    if not result.ok:
        return None
    return read_boxed(result.value) if TRUNCATED in result.flags else extract_answer(result.value)
