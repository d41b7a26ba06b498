"""Lists what a policy may ask for, and what it is told in return. Imperative: an action is a wish, never a record.

`Fork`, `Splice`, `Prune`, `Post`, `Cancel`, `Malformed` and `Explain` answer at once. `Think`, `Join`, `Score`,
`Vote`, `Approve` and `AskRoom` wait. A policy ends by returning an `Answer`.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from anabranch.dag.answers.citations import Citation
from anabranch.dag.decoding import Decoding, Finish, Tag
from anabranch.dag.decoding.confidence import Confidence
from anabranch.dag.decoding.tools import Call
from anabranch.dag.events import AnswerClass
from anabranch.dag.events import Choice as Choice  # noqa: PLC0414  # policies say a.Choice
from anabranch.dag.events import Mode as Mode  # noqa: PLC0414
from anabranch.dag.ids import BranchId
from anabranch.dag.status import BranchStatus
from anabranch.dag.text import Base, Message, Parts
from anabranch.dag.vocabulary import ForkRefusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a policy, or a branch, ends with."""

    text: str
    sources: tuple[BranchId, ...] = ()
    """The branches that the answer was made from."""
    flags: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    """What it calls of the tools that the job's owner offers, behind the text."""
    citations: tuple[Citation, ...] = ()
    """Passages of knowledge sources that the text cites by their numbers."""


# -- children of a fork ----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """A child that decodes once and returns what it wrote."""

    messages: tuple[Message, ...] = ()
    base: Base = Base.NOTHING
    opening: Parts = ()
    decoding: Decoding = Decoding()
    returns: Callable[["Segment"], Answer] | None = None
    """What the decoded segment amounts to; None returns its whole text."""
    role: str = "branch"
    label: str = ""
    after: tuple[BranchId, ...] = ()
    """Start when these have ended. Branches whose `Output` stands in messages or opening need not be named."""
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubPolicy:
    """A child with a policy function of its own: several segments, forks of its own."""

    run: Callable[[], "Policy"]
    messages: tuple[Message, ...] = ()
    base: Base = Base.NOTHING
    opening: Parts = ()
    role: str = "branch"
    label: str = ""
    after: tuple[BranchId, ...] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubJob:
    """A child that is a catalogued policy: an organization within an organization."""

    policy: str
    messages: tuple[Message, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    role: str = "subjob"
    label: str = ""
    after: tuple[BranchId, ...] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A child that runs a function the operator has registered."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    role: str = "tool"
    label: str = ""
    after: tuple[BranchId, ...] = ()


Child = Thought | SubPolicy | SubJob | ToolCall


ASIDE = "aside"
"""Flag of a value that is about other branches (a plan, a mark): it is never what a job answers when time is up."""


def aside(segment: "Segment") -> Answer:
    """For `Thought.returns`: the whole text, as a word to the policy alone."""
    return Answer(text=segment.text.strip(), flags=(ASIDE,))


# -- actions and their outcomes ----------------------------------------------


@dataclass(frozen=True, slots=True)
class Think:
    """Decode the next segment of this branch. While a stream is open (the last segment ended at a tag that does not
    stop it) this waits for its next segment, and `decoding` and `model` must not differ."""

    decoding: Decoding = Decoding()
    model: str | None = None
    """A pool, a pool's model, or an adapter. None: the branch's, or that of the nearest branch above with one, or the
    job's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Outcome of Think."""

    text: str
    tokens: int
    finish: Finish
    tag: Tag | None = None
    stopped: bool = False
    """A stop string of the job's owner ended it; an empty text may be what was asked for."""
    calls: tuple[Call, ...] = ()
    """What it calls of the tools that the job's owner offers."""
    confidence: Confidence | None = None
    """Where the decoding has a rule for it, and the engine tells likelihoods."""
    winding_down: bool = False


class Overflow(StrEnum):
    """What becomes of a child for which its parent's capacity has no place."""

    QUEUE = "queue"
    """It waits for one."""
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Create children. With `capacity`, no more than that many children of this branch live at once: what is over is
    rejected, or (`Overflow.QUEUE`) waits for a place."""

    children: tuple[Child, ...]
    capacity: int | None = None
    overflow: Overflow = Overflow.QUEUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """Outcome of Fork: the ids of the children, in order; None where one was rejected."""

    ids: tuple[BranchId | None, ...]
    rejected: ForkRefusal | None = None
    """The reason, when any was."""
    winding_down: bool = False

    @property
    def branches(self) -> tuple[BranchId, ...]:
        """Those that were accepted."""
        return tuple(branch for branch in self.ids if branch is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Wait for children. Joining a branch a second time is legal and gives the same result again. A cancelled branch
    is there once its engine has stopped, so that its text is all it wrote."""

    targets: tuple[BranchId, ...]
    mode: Mode = Mode.ALL
    count: int = 0
    seconds: float | None = None
    """So long after the first of the targets was first waited for (with `seconds`), what is there is the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a joined branch gives. A failed or cancelled one has no value, but keeps the text it wrote."""

    branch: BranchId
    ended: BranchStatus
    """One of `status.ENDED`."""
    value: str
    text: str
    tokens: int
    flags: tuple[str, ...] = ()
    cause: str = ""
    """Why it has no value, in words."""
    failed_by: str = ""
    """Of a failed branch, the `vocabulary.Cause` alone, or what its policy's failure is called."""
    calls: tuple[Call, ...] = ()

    @property
    def ok(self) -> bool:
        return self.ended is BranchStatus.RETURNED


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Outcome of Join."""

    results: tuple[Result, ...]
    pending: tuple[BranchId, ...] = ()
    """Targets not among the results; for another Join, or to be cancelled."""
    expired: bool = False
    """Its seconds have passed."""
    winding_down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """Write runtime text into this branch's context before its next segment.

    `messages` close the assistant's turn and open a new one behind them; a system message goes to the very front.
    `text` then begins (or goes on with) the assistant's turn.
    """

    text: str = ""
    messages: tuple[Message, ...] = ()
    removes: int = 0
    """Characters taken off the end of the branch's own text first (APR replaces its call span)."""
    reads: tuple[BranchId, ...] = ()
    """Branches whose posted text is in it: the next segment depends on them."""


Check = Literal["rule", "math", "regex", "json-schema", "python-tests", "python-score"]
"""The kinds of verifiers: see `workers/checks/verifiers.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A check that runs outside the policy, in a worker task."""

    kind: Check
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Attach a number to branches: given by the policy (`scores`), or found by a verifier from their values."""

    scores: Mapping[BranchId, float] = field(default_factory=dict)
    targets: tuple[BranchId, ...] = ()
    verifier: Verifier | None = None
    by: str = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Outcome of Score."""

    scores: Mapping[BranchId, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    branch: BranchId
    answer: str | None
    """None abstains: no answer was found in the branch."""
    weight: float = 1.0
    exact: bool = False
    """The answer is the same as one that is written the same, letter by letter, and as no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """Count answers that mean the same as one. The running tally is recorded each time it is asked for."""

    ballots: tuple[Ballot, ...]
    outstanding: float = 0.0
    """Weight of the votes still to come: the vote is decided when no other answer can overtake the leader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """Outcome of Vote. Ties go to the class whose first ballot was cast first."""

    classes: tuple[AnswerClass, ...]
    winner: str | None
    supporters: tuple[BranchId, ...]
    decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Mark losers: those still running are cancelled, and their tokens are waste."""

    branches: tuple[BranchId, ...]
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Fork a child that reads what `merged` returned and makes one of it. It starts when they have ended."""

    merged: tuple[BranchId, ...]
    child: Thought


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Write on the board shared by this branch and its siblings. Its outcome is a `Board`."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What the siblings have posted since this branch last looked, in order."""

    posts: tuple[tuple[BranchId, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Ask a person. The job parks and holds no replica. A gate that is the owner's to close (`job.GATES`) and is not
    named in the job's approvals stands open: the outcome is at once that the subject is approved."""

    gate: str
    subject: str
    timeout: float | None = None
    default: Choice = Choice.REJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Outcome of Approve."""

    decision: Choice
    subject: str
    """As asked, or as edited."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AskRoom:
    """Ask how many branches may decode at once now without slowing other jobs by more than their operator allows. It
    is an answer of the moment, and nothing is held: a wider fork is as legal, and its branches wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Outcome of AskRoom."""

    width: int
    """At least 1. Where the operator sets no slowdown: the job's limit of width."""
    winding_down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    branches: tuple[BranchId, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """Record that the model wrote an action it may not take. The policy says how it goes on."""

    problem: str
    span: str = ""


@dataclass(frozen=True, slots=True)
class Explain:
    """Record why the policy goes on as it does: `ReasonGiven`."""

    about: str
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)


Action = (
    Think
    | Fork
    | Join
    | Splice
    | Score
    | Vote
    | Prune
    | Merge
    | Post
    | Approve
    | AskRoom
    | Cancel
    | Malformed
    | Explain
)

Policy = Generator[Action, Any, Answer]
"""An organization policy at work: yields actions, is sent outcomes, returns its answer. It never looks at a clock."""
