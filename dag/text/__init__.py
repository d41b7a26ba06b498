"""Describes what a branch reads: messages of literal text and of other branches' outputs, resolved only when it
starts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Literal

from anabranch.dag.decoding.tools import Call
from anabranch.dag.ids import BranchId

Role = Literal["system", "user", "assistant", "tool"]
"""The tool's turn tells what a tool gave; engines read it as the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Stands for what a branch returned, so that the text is stored once, in that branch."""

    branch: BranchId
    limit: int | None = None
    """Characters to keep; what is cut is marked. None keeps all."""


Parts = tuple[str | Output, ...]


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: Parts
    calls: tuple[Call, ...] = ()
    """Of a turn of the assistant: what it calls, behind its text. Each has an id."""
    result_of: str = ""
    """Of a turn of a tool: the id of the call, in an earlier turn, that gave its text."""


def outputs_in(messages: Iterable[Message], opening: Parts = ()) -> tuple[BranchId, ...]:
    """The branches whose outputs these messages and this opening refer to, in order."""
    parts = chain(opening, *(message.parts for message in messages))
    return tuple(dict.fromkeys(part.branch for part in parts if isinstance(part, Output)))


class Base(StrEnum):
    """What a branch inherits before its own messages."""

    NOTHING = "nothing"
    """Isolated: it sees only what it was sent (AsyncThink, APR)."""
    PROBLEM = "problem"
    """The job's own messages (self-consistency, Best-of-N, the trunk)."""
    PARENT = "parent"
    """Everything its parent had read and written when it forked (ThreadWeaver, Multiverse)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A branch's context as the journal keeps it: a base by reference, then its own text."""

    base: Base = Base.NOTHING
    turns: int = 0
    """Base.PARENT only: how many of the parent's closed turns are inherited."""
    cursor: int = 0
    """Base.PARENT only: how many characters of the parent's turn after those are inherited."""
    messages: tuple[Message, ...] = ()
    opening: Parts = ()
    """How the assistant's turn begins: text the runtime wrote, which the model continues."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message with all references resolved."""

    role: Role
    text: str
    calls: tuple[Call, ...] = ()
    result_of: str = ""
    name: str = ""
    """Of a turn of a tool: the tool's."""


@dataclass(frozen=True, slots=True)
class Context:
    """A branch's context as an engine gets it: all references resolved."""

    messages: tuple[tuple[Role, str], ...]
    """In order, at most one of the system, at the front. None in a raw prompt."""
    continuation: str = ""
    """How the assistant's turn begins, which the model goes on with token by token; of a raw prompt, all its text."""
    thought: str = ""
    """What was thought in that turn: with a continuation behind it, the thinking is over; without one, it goes on."""
    turns: tuple[Turn, ...] = ()
    """The messages once more, where tools were called: calls and their results as such, for engines that know them. In
    `messages` they are put into words."""

    @property
    def raw(self) -> bool:
        """Whether this is a raw prompt: no chat template is applied, and the tokenizer adds what its publisher has it
        add (a bos token, or nothing)."""
        return not self.messages


def say(role: Role, *parts: str | Output) -> Message:
    """A message from its parts."""
    return Message(role, parts)
