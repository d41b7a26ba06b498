"""Grows populations of solutions: each new member reads some of the last ones and makes one better solution of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from anabranch.dag.actions import Answer, Segment, Thought
from anabranch.dag.decoding import Decoding, Finish, Purpose
from anabranch.dag.errors import BadParameters
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.lists import TRUNCATED
from anabranch.dag.policies.parts.prompts import ask
from anabranch.dag.text import Output, Parts

AGGREGATE = """\
Above stand candidate solutions of the question. Some may be wrong or unfinished. Weigh them against each other, keep \
what is right in them, mend what is wrong, and write one better solution. If none is any good, solve the question in \
another way."""
WIDEST, LONGEST = 256, 64
"""Members of a step; steps."""


def check_widths(widths: Any) -> None:
    """Raises BadParameters where these are no widths of steps."""
    if widths is None:
        return
    if not 1 <= len(widths) <= LONGEST or not all(1 <= width <= WIDEST for width in widths):
        raise BadParameters(f"widths are 1 to {LONGEST} numbers from 1 to {WIDEST}: members of each step")


def check_prompt(prompt: str) -> None:
    """Raises BadParameters where a new member would read no other: a prompt that names a field is all that it reads."""
    if "{question}" in prompt and "{candidates}" not in prompt:
        raise BadParameters(
            "a prompt with {question} is all that is read: {candidates} must stand in it, too"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """How members are made."""

    problem: Problem
    subset: int
    """Members that a new one reads; 0: all."""
    prompt: str
    compact: bool
    """Only their conclusions are read."""
    temperature: float

    def draw(self, step: int, width: int, members: Sequence[BranchId], *, last: bool) -> tuple[Thought, ...]:
        """The members of a step. The only member of the last one is the final thought."""
        final = last and width == 1
        decoding = Decoding(
            temperature=self.temperature, purpose=Purpose.ANSWER if final else Purpose.CANDIDATE
        )
        children = []
        for number in range(width):
            seen = listed(choose(members, self.subset, f"{self.problem.seed}/{step}/{number}"))
            fields = {"candidates": seen, "question": (self.problem.question,)}
            base, messages = ask(self.prompt if members else "", fields, seen)
            returns = conclude if self.compact and not final else None
            role = "synthesis" if final else "aggregate" if members else "sample"
            children.append(
                Thought(base=base, messages=messages, decoding=decoding, returns=returns, role=role)
            )
        return tuple(children)


def choose(members: Sequence[BranchId], count: int, seed: str) -> tuple[BranchId, ...]:
    """So many of the members, drawn without replacement, in their order. The same for the same seed on any machine."""
    if not 0 < count < len(members):
        return tuple(members)
    drawn = sorted(members, key=lambda member: sha256(f"{seed}/{member}".encode()).digest())[:count]
    return tuple(member for member in members if member in drawn)


def listed(members: Sequence[BranchId]) -> Parts:
    """The members as a reader is shown them."""
    return tuple(
        part
        for number, member in enumerate(members, start=1)
        for part in (f"Candidate {number}:\n", Output(branch=member), "\n\n")
    )


def conclude(segment: Segment) -> Answer:
    """What a thinker's text comes to: its last paragraph, which is all that the next round reads of it (PaCoRe's
    compaction)."""
    flags = (TRUNCATED,) if segment.finish is Finish.LENGTH else ()
    return Answer(text=segment.text.rstrip().rpartition("\n\n")[2].strip(), flags=flags, calls=segment.calls)
