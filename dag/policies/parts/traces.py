"""Draws traces whose confidence is measured while they are decoded, and lets the sure ones vote (DeepConf)."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from anabranch.dag.actions import (
    Action,
    Answer,
    Explain,
    Fork,
    Forked,
    Prune,
    Result,
    Segment,
    Thought,
    Voted,
)
from anabranch.dag.decoding import Finish
from anabranch.dag.decoding.confidence import SUREST, Confidence, ConfidenceRule
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.parts.lists import TRUNCATED
from anabranch.dag.policies.parts.samples import Samples, spared_tokens

UNSURE = "unsure"
"""Flag of a trace that was stopped: its text is a part of one."""


@dataclass(slots=True)
class Trace:
    """One sample, and how sure the model was of it."""

    confidence: Confidence | None = None

    @property
    def weight(self) -> float:
        """Of its vote: its mean confidence. Where nobody measured it, each trace counts the same."""
        return 1.0 if self.confidence is None else self.confidence.mean

    def end(self, segment: Segment) -> Answer:
        self.confidence = segment.confidence
        flags = {Finish.LENGTH: (TRUNCATED,), Finish.UNSURE: (TRUNCATED, UNSURE)}.get(segment.finish, ())
        return Answer(text=segment.text, flags=flags, calls=segment.calls)


@dataclass(slots=True)
class Traces:
    """All traces of a job."""

    sample: Thought
    structured: bool
    sure: Samples = field(init=False)
    unsure: Samples = field(init=False)
    """They vote where no sure one has an answer."""
    by_branch: dict[BranchId, Trace] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sure, self.unsure = Samples(structured=self.structured), Samples(structured=self.structured)

    def draw(self, count: int, rule: ConfidenceRule) -> Generator[Action, Any, tuple[BranchId, ...]]:
        """Forks so many; those that may not be forked are not drawn."""
        drawn = [Trace() for _ in range(count)]
        sample = replace(self.sample, decoding=replace(self.sample.decoding, confidence=rule), role="trace")
        forked: Forked = yield Fork(children=tuple(replace(sample, returns=trace.end) for trace in drawn))
        self.by_branch |= {branch: trace for branch, trace in zip(forked.ids, drawn, strict=False) if branch}
        return forked.branches

    def measured(self) -> list[Confidence]:
        return [trace.confidence for trace in self.by_branch.values() if trace.confidence is not None]

    def take(self, results: Iterable[Result], least: float | None) -> Generator[Action, Any, None]:
        """Ended traces vote, or are pruned where they were less sure than the least at their worst."""
        for result in results:
            trace = self.by_branch[result.branch]
            sure = least is None or trace.confidence is None or trace.confidence.lowest >= least
            (self.sure if sure else self.unsure).take(result, weight=trace.weight)
            if not sure:
                yield Prune(branches=(result.branch,), rule=f"less sure than {least}")

    def count(self, outstanding: int) -> Generator[Action, Any, tuple[Voted, float]]:
        """The tally, and the leader's share of the votes."""
        voted = yield from self.sure.count(outstanding * SUREST)
        total = sum(each.weight for each in voted.classes)
        return voted, voted.classes[0].weight / total if total else 0.0

    def explain(self, why: str, stopped: int, left: int) -> Explain:
        """Why it ends, and what that spared: an estimate, by the mean of the whole traces."""
        numbers = {"sure": len(self.sure.drawn), "unsure": len(self.unsure.drawn), "stopped": stopped}
        spared = round(spared_tokens(self.sure.drawn.values(), left), 1)
        return Explain("stop", why, {**numbers, "not_drawn": left, "spared_tokens": spared})

    def answer(self, tally: Voted) -> Generator[Action, Any, Answer]:
        """The winner among the sure traces; where none of them has an answer, among all. Raises NoAnswer."""
        if tally.winner is None and self.unsure.ballots:
            self.sure.ballots += self.unsure.ballots
            self.sure.cut += self.unsure.cut
            self.sure.drawn |= self.unsure.drawn
            tally = yield from self.sure.count(0)
        return (yield from self.sure.answer(tally))


def threshold(measured: Sequence[Confidence], keep: float) -> float | None:
    """The least confidence that this share of the traces has, by their lowest groups (the paper's percentile, linear
    between two traces). None where nothing was measured."""
    lowest = sorted(each.lowest for each in measured)
    if not lowest:
        return None
    place = (1.0 - keep) * (len(lowest) - 1)
    below = int(place)
    above = min(below + 1, len(lowest) - 1)
    return round(lowest[below] + (place - below) * (lowest[above] - lowest[below]), 6)
