"""Lists what the interpreter asks of the outside: decodes, checks, timers, aborts. Each leads, sooner or later, to
exactly one fact fed back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anabranch.dag.actions import Verifier
from anabranch.dag.decoding import Decoding
from anabranch.dag.ids import BranchId
from anabranch.dag.text import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Decode:
    """Decode a branch's segments from `segment` on. Answered by SegmentFinished, the last one with `open` False."""

    branch: BranchId
    segment: int
    attempt: int
    context: Context
    decoding: Decoding
    """Complete: the job's sampling where the policy left it open, and the tokens that the budget allows (None: no limit
    but the model's context)."""
    seed: int
    model: str | None
    affinity: str
    """Branches with the same affinity share a prefix."""
    copy: int = 0
    """1: beside a decode of the same segment that is late; to be started elsewhere."""
    delay: float = 0.0
    """Seconds to wait before it is started (a retry's back-off)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """Stop the decode, or both, that began with `segment`; the last SegmentFinished still comes, and a HedgeLost."""

    branch: BranchId
    segment: int
    copy: int | None = None
    """Of two decodes only this one. None: whatever runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTool:
    """Run a registered function. Answered by SegmentFinished with the result as its text."""

    branch: BranchId
    segment: int
    attempt: int
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Say which answers mean the same. Answered through `Interpreter.judged`."""

    branch: BranchId
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Score values with a verifier. Answered by BranchScored."""

    branch: BranchId
    verifier: Verifier
    values: Mapping[BranchId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Call `Interpreter.expired` for this join so many seconds after the join `since` of the same branch was requested,
    unless it was satisfied."""

    branch: BranchId
    join: int
    seconds: float
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRoom:
    """Say how many branches the job may decode at once. Answered by RoomTold for this branch."""

    branch: BranchId
    running: int
    """Decodes of the job that run."""
    model: str | None


Command = Decode | Abort | RunTool | Compare | Verify | Expire | AskRoom
