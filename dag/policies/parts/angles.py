"""Follows lines of thought that watch each other: one that says what an elder one says is stopped, and what it leaves
over of its tokens goes to a line from another angle.

Likeness is the share of a line's phrases, of three words each, that an elder line has, too. It is counted as the words
come: each new phrase costs one look at each elder line, however long the lines are.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anabranch.dag.actions import Answer, Board, Explain, Policy, Post, Segment, SubPolicy, Think
from anabranch.dag.decoding import Decoding, Finish
from anabranch.dag.errors import BadParameters
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.parts.lists import TRUNCATED
from anabranch.dag.policies.parts.samples import FORMAT
from anabranch.dag.text import Base, say

ANGLES = (
    "Work it out step by step.",
    "Work backwards from what is asked.",
    "Try a small or simple case first, then the general one.",
    "Begin with the principle, theorem or formula that applies.",
    "Estimate the answer first, then find it exactly.",
    "Take the likeliest answer and try to show that it is wrong.",
    "List all cases and go through them one by one.",
    "Put it into other words, a table or an equation, and solve that.",
)
REDUNDANT = "redundant"
"""Flag of a line that was stopped because it says what an elder one says."""
PHRASE = 3
FEWEST = 8
"""Phrases below which no line is like another: two beginnings are alike by chance."""

_WORD = re.compile(r"\w+")


def check_angles(angles: Any) -> None:
    """Raises BadParameters where these are no angles."""
    if not 1 <= len(angles) <= 64 or not all(angle.strip() for angle in angles):
        raise BadParameters("angles are 1 to 64 texts, none of them empty")


@dataclass(slots=True)
class Phrases:
    """The phrases of a text that comes in pieces."""

    told: set[tuple[str, ...]] = field(default_factory=set)
    _last: tuple[str, ...] = ()

    def add(self, piece: str) -> list[tuple[str, ...]]:
        """Those that this piece brings and that were not there."""
        words = [*self._last, *_WORD.findall(piece.casefold())]
        self._last = tuple(words[max(0, len(words) - PHRASE + 1) :])
        fresh: list[tuple[str, ...]] = []
        for at in range(len(words) - PHRASE + 1):
            phrase = tuple(words[at : at + PHRASE])
            if phrase not in self.told:
                self.told.add(phrase)
                fresh.append(phrase)
        return fresh


@dataclass(slots=True)
class Likeness:
    """How much of a line is in each of its elders."""

    mine: Phrases = field(default_factory=Phrases)
    elders: dict[BranchId, Phrases] = field(default_factory=dict)
    shared: dict[BranchId, int] = field(default_factory=dict)

    def write(self, piece: str) -> None:
        for phrase in self.mine.add(piece):
            for elder, phrases in self.elders.items():
                self.shared[elder] += phrase in phrases.told

    def hear(self, elder: BranchId, piece: str) -> None:
        phrases = self.elders.setdefault(elder, Phrases())
        self.shared.setdefault(elder, 0)
        self.shared[elder] += sum(phrase in self.mine.told for phrase in phrases.add(piece))

    def closest(self) -> tuple[BranchId, float] | None:
        """The elder that has the most of this line, and the share that it has."""
        if len(self.mine.told) < FEWEST or not self.shared:
            return None
        elder = max(self.shared, key=self.shared.__getitem__)
        return elder, self.shared[elder] / len(self.mine.told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How lines are written and compared."""

    angles: Sequence[str]
    stride: int
    alike: float
    temperature: float
    ask: bool
    numbers: Mapping[BranchId, int]
    """The place of each line among all: known once it is forked, needed when it has written."""

    def line(self, number: int, tokens: int) -> SubPolicy:
        """The line of this place, with so many tokens."""
        angle = self.angles[number % len(self.angles)]
        told = f"{angle}\n{FORMAT}" if self.ask else angle
        return SubPolicy(
            run=lambda: self._follow(number, tokens),
            base=Base.PROBLEM,
            messages=(say("system", told),),
            role="line",
            label=angle,
        )

    def _follow(self, number: int, tokens: int) -> Policy:
        likeness, text, left = Likeness(), "", tokens
        while True:
            decoding = Decoding(max_tokens=min(self.stride, left), temperature=self.temperature)
            segment: Segment = yield Think(decoding)
            text, left = text + segment.text, left - max(1, segment.tokens)
            board: Board = yield Post(text=segment.text)
            if segment.finish is not Finish.LENGTH:
                return Answer(text=text)
            if left <= 0 or segment.winding_down:
                return Answer(text=text, flags=(TRUNCATED,))
            likeness.write(segment.text)
            for branch, piece in board.posts:
                if self.numbers[branch] < number:
                    likeness.hear(branch, piece)
            closest = likeness.closest()
            if closest is not None and closest[1] >= self.alike:
                elder, share = closest
                numbers = {"share": round(share, 3), "tokens_left": left}
                yield Explain(REDUNDANT, f"{share:.0%} of its phrases are in {elder}", numbers)
                return Answer(text=text, flags=(TRUNCATED, REDUNDANT))
