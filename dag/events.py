"""Lists everything that can happen to a job. The journal of these is the only truth; graph, metrics, audit, bill and
spans are folds of it.

**Facts and consequences.** A *fact* comes from outside: a segment was decoded, a person decided, a client cancelled,
time ran out. A *consequence* follows from the policy and the facts before it. So an organizer keeps nothing that the
journal's facts cannot rebuild: a replay (`dag/journal/replay.py`) feeds the facts to the interpreter again, computes
the consequences, and must find the same as were recorded. If it finds others, the policy has changed in what it does:
that is told as a divergence, and the job does not go on.

Each class says whether it is a fact; one that does not is a consequence. Whatever decides consequences is part of a
fact (the operator's limits: `JobSubmitted`). A replay does not compare fields with `compare=False`: readers have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from anabranch.dag.answers.citations import Citation
from anabranch.dag.answers.classes import AnswerClass as AnswerClass  # noqa: PLC0414
from anabranch.dag.decoding import Decoded
from anabranch.dag.decoding.tools import Call
from anabranch.dag.event_base import BranchEnd, OfBranch, OfResource
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.text import Message, Reading
from anabranch.dag.vocabulary import CancelledBy as CancelledBy  # noqa: PLC0414  # they are said as e.CancelledBy, …
from anabranch.dag.vocabulary import Choice as Choice  # noqa: PLC0414
from anabranch.dag.vocabulary import Mode as Mode  # noqa: PLC0414
from anabranch.dag.vocabulary import Resource as Resource  # noqa: PLC0414

# -- the job ----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmitted(OfBranch):
    """Fact. The first event of every journal; the trunk exists from here on."""

    spec: JobSpec
    policy_version: str
    """Digest of the policy's code: a resume under another version is refused."""
    limits: Limits = Limits()
    """The operator's, as they were: they decide what waits, so a replay needs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClaimed(OfBranch):
    """Fact. An organizer took the job; all its appends carry this epoch."""

    owner: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCommitted(OfBranch):
    text: str
    sources: tuple[BranchId, ...] = ()
    forced: bool = False
    """Given because the deadline or a budget was near, from what there was."""
    truncated: bool = field(default=False, compare=False)
    """A limit of tokens cut its text. Told to readers only: a journal from before it was told replays the same."""
    calls: tuple[Call, ...] = ()
    """Tools of the job's owner that are called, behind the text; it may be empty then."""
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSucceeded(OfBranch):
    """Terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed(OfBranch):
    """Terminal. `type` is a `vocabulary.Failure`, or the `Cause` for which the trunk could not be decoded."""

    type: str
    title: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCancelled(OfBranch):
    """Terminal."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRated(OfBranch):
    """Fact. What somebody thinks of the answer: the only event that may follow the terminal one. Of an author's ratings
    the last one holds."""

    author: str
    score: float
    """0.0 (bad) to 1.0 (good)."""
    comment: str = ""


# -- branches ----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchForked(OfBranch):
    """A child was created. `branch` is the parent."""

    child: BranchId
    role: str
    """What it is for, in the policy's words: worker, sample, thread, judge, merge, …"""
    reading: Reading | None = None
    """None for a branch that does not decode itself (a tool, a nested policy)."""
    after: tuple[BranchId, ...] = ()
    """It starts when these have ended."""
    policy: str | None = None
    """Set when the child is a policy of its own (a nested organization)."""
    params: Mapping[str, Any] = field(default_factory=dict)
    tool: str | None = None
    model: str | None = None
    label: str = ""
    """A short human name: the sub-query, the outline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkRejected(OfBranch):
    """A fork was refused; nothing was started for it."""

    reason: str
    """A `vocabulary.ForkRefusal`; in a journal of another release, perhaps a word of its own."""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStarted(OfBranch):
    """A stretch of decoding was asked for (or, with `continues`, an open stream went on into its next segment)."""

    segment: int
    attempt: int = 1
    continues: bool = False
    inserted: str = ""
    """Text the runtime wrote into the branch before this segment: never credited to the model."""
    messages: tuple[Message, ...] = ()
    """Messages the policy put behind the branch's turn so far (a system message: in front of all)."""
    removed: int = 0
    """Characters taken off the end of the branch's own text before `inserted` (APR's replacing splice)."""
    max_tokens: int | None = 0
    """None: no limit but the model's context."""
    temperature: float | None = None
    seed: int = 0
    grammar: str | None = None
    reads: tuple[BranchId, ...] = ()
    """Branches whose posts are part of `inserted`."""
    structured: bool = False
    """Decoded under a regex, a schema or a choice: its form is the runtime's doing, not the model's."""
    final: bool = False
    """The final thought: its text up to the owner's stop string, as `Problem.trimmed` leaves it, is the answer."""
    top_p: float | None = field(default=None, compare=False)  # told to readers only, as is what follows
    output_type: str = field(default="", compare=False)
    """json or text, where the text was asked for in a form."""
    model: str | None = field(default=None, compare=False)
    """Of which it was asked. None: of the default pool, or the journal is older; it costs what the job's model does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFinished(OfBranch):
    """Fact. A segment ended, well or not; also closes the open segment of a branch that was cancelled meanwhile."""

    segment: int
    attempt: int
    decoded: Decoded
    copy: int = 0
    """1: of its two decodes the second one has ended first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHedged(OfBranch):
    """Fact. The open segment is late beside its siblings: it is decoded once more elsewhere; the first end counts."""

    segment: int
    attempt: int
    seconds: float
    """For how long it was awaited."""
    usual: float
    """Within so many seconds 95 % of its siblings had ended or, of a silent one, had their first token."""
    silent: bool = False
    """It had no first token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeLost(OfBranch):
    """Fact. Of a segment's two decodes the one that does not count has ended; its tokens are waste."""

    segment: int
    attempt: int
    decoded: Decoded
    copy: int = 1
    """Which of the two: 0 the one that began first, 1 the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomTold(OfBranch):
    """Fact. The pool has room for the job to decode so many branches at once: who waits for it begins. Or, where
    `branch` has asked, its answer."""

    width: int
    streams: int = 0
    """Decodes that the pool ran then, all jobs' together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchReturned(BranchEnd):
    """Terminal. What this branch gives to whoever joins it."""

    value: str
    flags: tuple[str, ...] = ()
    """no-return-tag, closed-by-runtime, truncated, …"""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchFailed(BranchEnd):
    """Terminal. Its retries are used up, or retrying cannot help."""

    cause: str
    detail: str = ""
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchRetried(OfBranch):
    attempt: int
    """The attempt that begins now, from 2."""
    cause: str
    delay: float = 0.0
    """Seconds to wait first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchCancelled(BranchEnd):
    """Terminal. Its open segment, if any, is closed by a later SegmentFinished with its exact tokens."""

    reason: str
    by: CancelledBy = CancelledBy.POLICY


# -- joins and what policies do with results ----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequested(OfBranch):
    join: int
    """Ordinal of this join on its branch, from 1."""
    targets: tuple[BranchId, ...]
    mode: Mode
    count: int = 0
    """How many results satisfy it."""
    seconds: float | None = field(default=None, compare=False)
    """It is over then, however many results there are. Told to readers only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchesJoined(OfBranch):
    join: int
    joined: tuple[BranchId, ...]
    """In the order in which the results are rendered."""
    pending: tuple[BranchId, ...] = ()
    """Targets that were still running."""
    failed: tuple[BranchId, ...] = ()
    """Of `joined`: those that ended without a value."""
    expired: bool = False
    """Fact, when set: the time of a deadline join ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchScored(OfBranch):
    """Fact where a verifier ran (`by` names it), consequence where the policy computed the numbers itself."""

    scores: Mapping[BranchId, float]
    by: str
    details: Mapping[BranchId, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchesVoted(OfBranch):
    """Equal answers form a class; the heaviest leads. Fact where equality had to be judged outside (a worker task)."""

    classes: tuple[AnswerClass, ...]
    abstained: tuple[BranchId, ...] = ()
    """Branches in which no answer was found."""
    winner: str | None = None
    decided: bool = False
    """No other answer can win any more."""
    tie: str = ""
    """The rule that broke a tie, if one had to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchesPruned(OfBranch):
    pruned: tuple[BranchId, ...]
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchesMerged(OfBranch):
    """`into` was forked to read what `merged` returned and to make one of it."""

    into: BranchId
    merged: tuple[BranchId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPosted(OfBranch):
    """A branch wrote on the shared board; readers see it at their next segment."""

    text: str


# -- people, limits, malformed actions ----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(OfBranch):
    approval: int
    """Ordinal within the job, from 1."""
    gate: str
    """plan, fork, join, answer, or what the policy calls it."""
    subject: str
    """What is to be approved, as text a person reads and may edit."""
    timeout: float | None = None
    """Seconds, after which the default is the decision; None waits for ever."""
    default: Choice = Choice.REJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecided(OfBranch):
    """Fact."""

    approval: int
    decision: Choice
    edit: str | None = None
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionMalformed(OfBranch):
    problem: str
    """duplicate-id, unknown-id, unclosed-tag, no-answer, over-capacity, bad-plan, …"""
    span: str = ""
    """The raw text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonGiven(OfBranch):
    """A policy says why it goes on as it does: about what, in words, and with the numbers that it looked at."""

    about: str
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindUpRequested(OfResource):
    """Fact. A budget is nearly spent, none is exceeded: children are stopped, and the policy must answer soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetExceeded(OfResource):
    """Fact for seconds, which only a clock can tell; a consequence for the rest. What there is becomes the answer."""


Event = (
    JobSubmitted | JobClaimed | AnswerCommitted | JobSucceeded | JobFailed | JobCancelled | JobRated
    | BranchForked | ForkRejected | SegmentStarted | SegmentFinished | SegmentHedged | HedgeLost | RoomTold
    | BranchReturned | BranchFailed
    | BranchRetried | BranchCancelled | JoinRequested | BranchesJoined | BranchScored | BranchesVoted
    | BranchesPruned | BranchesMerged | TextPosted | ApprovalRequested | ApprovalDecided | ActionMalformed
    | ReasonGiven | WindUpRequested | BudgetExceeded
)  # fmt: skip
KINDS: Mapping[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}

TERMINAL_OF_BRANCH = (BranchReturned, BranchFailed, BranchCancelled)
TERMINAL_OF_JOB = (JobSucceeded, JobFailed, JobCancelled)
AT_THE_END = (*TERMINAL_OF_JOB, JobRated)
"""A journal whose last event is one of these is that of a job that has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An event as the journal keeps it."""

    job: JobId
    seq: int
    """From 1, without gaps."""
    epoch: int
    """The claim under which it was written; 0 before the first claim."""
    at: datetime
    """UTC, when it was committed."""
    event: Event
    prev_hash: str
    hash: str
