"""Follows a chain of thought that is asked on its way what it would answer, and ends once it keeps saying the same
(Dynasor)."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from anabranch.dag.actions import (
    Action,
    Answer,
    Ballot,
    Explain,
    Fork,
    Forked,
    Join,
    Joined,
    Policy,
    Result,
    Segment,
    SubPolicy,
    Think,
    Thought,
    Vote,
    Voted,
    aside,
)
from anabranch.dag.answers.extraction import read_boxed
from anabranch.dag.decoding import Decoding, Finish, Thinking
from anabranch.dag.errors import BadParameters
from anabranch.dag.policies.parts.lists import TRUNCATED
from anabranch.dag.policies.parts.samples import FORMAT
from anabranch.dag.text import Base, say

PROBE = "\n\nFrom all that I know by now, the final answer is \\boxed{"
HEDGES = frozenset({"wait", "hold", "but", "hmm", "however", "actually"})
"""A probe that says one of these is not sure of its answer."""

_WORD = re.compile(r"[a-z]+")


def check_probe(probe: str) -> None:
    """Raises BadParameters where no answer could be read behind this."""
    if read_boxed(f"{probe}<here>}}") != "<here>":
        raise BadParameters(
            "a probe ends within an open \\boxed{: what the model writes behind it is read as the answer"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """How chains are followed."""

    interval: int
    """Tokens between two probes."""
    agree: int
    """Probes in a row that must say the same."""
    tokens: int
    """Of one chain, without its probes."""
    probe: str
    probe_tokens: int
    temperature: float
    ask: bool

    def chain(self) -> SubPolicy:
        messages = (say("system", FORMAT),) if self.ask else ()
        return SubPolicy(run=lambda: follow(self), base=Base.PROBLEM, messages=messages, role="chain")

    def question(self) -> Thought:
        """A probe: the chain so far, as if it came to its end here."""
        decoding = Decoding(
            max_tokens=self.probe_tokens, temperature=0.0, stop=("\n",), thinking=Thinking.OFF
        )
        return Thought(
            base=Base.PARENT, opening=(self.probe,), decoding=decoding, returns=aside, role="probe"
        )

    def ballot(self, result: Result) -> Ballot:
        """What a probe says; one that hedges, or whose answer is cut off, abstains."""
        said = read_boxed(self.probe + result.value) if result.ok else None
        hedges = not HEDGES.isdisjoint(_WORD.findall(result.value.lower()))
        return Ballot(branch=result.branch, answer=None if hedges or not said else said.strip() or None)


def follow(probing: Probing) -> Policy:
    """One chain. It gives its text, or the answer that its last probes agree on."""
    text, spent, ballots = "", 0, list[Ballot]()
    stride = Decoding(max_tokens=probing.interval, temperature=probing.temperature, thinking=Thinking.OFF)
    while True:
        segment: Segment = yield Think(stride)
        # A stride that was cut has taken its interval, though an upstream may tell no tokens of a thought it hides.
        took = probing.interval if segment.finish is Finish.LENGTH else 0
        text, spent = text + segment.text, spent + (segment.tokens or took)
        if segment.finish is not Finish.LENGTH:
            return Answer(text=text)
        if segment.winding_down or spent + probing.interval > probing.tokens:
            return Answer(text=text, flags=(TRUNCATED,))
        ballots += yield from _probe(probing)
        agreed = yield from _agreed(ballots[-probing.agree :], probing.agree)
        if agreed is not None:
            yield Explain("stop", f"{probing.agree} probes in a row say {agreed[:200]!r}", {"tokens": spent})
            return Answer(text=f"\\boxed{{{agreed}}}")


def _probe(probing: Probing) -> Generator[Action, Any, list[Ballot]]:
    forked: Forked = yield Fork(children=(probing.question(),))
    joined: Joined = yield Join(targets=forked.branches)
    return [probing.ballot(result) for result in joined.results]


def _agreed(ballots: list[Ballot], count: int) -> Generator[Action, Any, str | None]:
    """The answer that all of so many probes give; None where they do not."""
    if len(ballots) < count or any(ballot.answer is None for ballot in ballots):
        return None
    voted: Voted = yield Vote(ballots=tuple(ballots))
    return voted.winner if len(voted.classes) == 1 else None
