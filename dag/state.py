"""Decides which events are legal: the one transition table of a job, `apply(state, event)`.

**The transition table.** Everything that decides whether an event may happen is here, and nothing that decides whether
a policy wants it. The same table judges live runs, replays and tests. Its rules:

* a job begins with JobSubmitted, and nothing follows its JobSucceeded, JobFailed or JobCancelled but JobRated;
* a branch is forked once, by its parent, and ends once, after its children (a cancelled one: before them);
* a branch has at most one open segment; segments, attempts, joins and approvals are numbered without gaps;
* an open segment may be decoded twice at once, and both decodes end: one as the segment, the other as a loss;
* a job ends when no branch lives and no segment is open; once it has its answer, nothing is forked.

An illegal event raises InvalidTransition with the story of its branch, and changes nothing: all checks come first. Then
`apply` changes the state in place (it is its folder's), so an event costs the same beside ten branches and 10,000.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.branch_state import BranchState, TwoDecodes
from anabranch.dag.decoding import Finish, Usage
from anabranch.dag.errors import InvalidTransition
from anabranch.dag.ids import TRUNK, BranchId, parent_of
from anabranch.dag.job import JobSpec
from anabranch.dag.limits import Limits, Reserved
from anabranch.dag.status import TERMINAL, BranchStatus, JobStatus, job_status
from anabranch.dag.text import Base, Message, Reading

NO_PARAMS: Mapping[str, Any] = {}
"""Shared: a job may have a hundred thousand branches, and few have parameters of their own."""


@dataclass(slots=True)
class JobState:
    """A job, folded from its journal."""

    spec: JobSpec | None = None
    policy_version: str = ""
    limits: Limits = Limits()
    phase: JobStatus = JobStatus.QUEUED
    """Its status, but for waiting."""
    branches: dict[BranchId, BranchState] = field(default_factory=dict)
    live: set[BranchId] = field(default_factory=set)
    open_segments: set[BranchId] = field(default_factory=set)
    approvals: dict[int, e.ApprovalRequested] = field(default_factory=dict)
    """Those that wait."""
    approvals_asked: int = 0
    answer: e.AnswerCommitted | None = None
    usage: Usage = Usage()
    cost: float = 0.0
    """Money that finished segments have cost."""
    reserved: Reserved = field(default_factory=Reserved)
    """Tokens that open segments may still decode."""
    hedges: dict[BranchId, TwoDecodes] = field(default_factory=dict)
    begun: int = 0
    """Decodes of models that were asked for, retries included."""
    hedged: int = 0
    """Of these, those that were started once more."""
    posts: list[tuple[BranchId, str]] = field(default_factory=list)
    winding_down: bool = False
    ratings: dict[str, e.JobRated] = field(default_factory=dict)
    """By author, the last one behind all others."""

    @property
    def status(self) -> JobStatus:
        return job_status(self.phase, len(self.approvals))


def _demand(condition: bool, reason: str, event: e.Event, state: JobState) -> None:
    if not condition:
        branch = state.branches.get(event.branch)
        raise InvalidTransition(reason, event, event.branch, tuple(branch.story) if branch else ())


def _demand_branches(state: JobState, event: e.Event, named: Iterable[BranchId]) -> None:
    for branch in named:
        _demand(branch in state.branches, f"there is no branch {branch}", event, state)


def apply(state: JobState, event: e.Event) -> JobState:
    """Fold one event into the state. Raises InvalidTransition, having changed nothing."""
    if isinstance(event, e.JobSubmitted):
        _demand(state.spec is None, "the job was submitted already", event, state)
        state.spec, state.policy_version, state.limits = event.spec, event.policy_version, event.limits
        spec, reading = event.spec, Reading(base=Base.PROBLEM)
        state.branches[TRUNK] = BranchState(id=TRUNK, reading=reading, policy=spec.policy, params=spec.params)
        state.live.add(TRUNK)
    else:
        _demand(state.spec is not None, "the job was never submitted", event, state)
        over = state.phase in TERMINAL and not isinstance(event, e.JobRated)
        _demand(not over, f"the job has {state.phase}", event, state)
        _demand(event.branch in state.branches, f"there is no branch {event.branch}", event, state)
        _TABLE[type(event)](state, state.branches[event.branch], event)
    state.branches[event.branch].story.append(type(event).__name__)
    return state


def fold(events: Iterable[e.Event]) -> JobState:
    """The state after these events. Raises InvalidTransition."""
    state = JobState()
    for event in events:
        apply(state, event)
    return state


# -- the job ----------------------------------------------


def _claimed(state: JobState, branch: BranchState, event: e.JobClaimed) -> None:
    if state.phase is JobStatus.QUEUED:
        state.phase = JobStatus.RUNNING


def _answered(state: JobState, branch: BranchState, event: e.AnswerCommitted) -> None:
    _demand(state.answer is None, "the job has its answer", event, state)
    _demand(branch.id == TRUNK and branch.live, "only the living trunk can answer", event, state)
    state.answer = event


def _demand_over(state: JobState, event: e.Event) -> None:
    _demand(not state.live, f"branches still live: {', '.join(sorted(state.live)[:5])}", event, state)
    _demand(not state.open_segments and not state.hedges, "segments still open", event, state)


def _succeeded(state: JobState, branch: BranchState, event: e.JobSucceeded) -> None:
    _demand(state.answer is not None, "there is no answer", event, state)
    _demand_over(state, event)
    state.phase = JobStatus.SUCCEEDED


def _failed(state: JobState, branch: BranchState, event: e.JobFailed) -> None:
    _demand(state.answer is None, "the job has its answer", event, state)
    _demand_over(state, event)
    state.phase = JobStatus.FAILED


def _cancelled(state: JobState, branch: BranchState, event: e.JobCancelled) -> None:
    _demand(state.answer is None, "the job has its answer", event, state)
    _demand_over(state, event)
    state.phase = JobStatus.CANCELLED


def _rated(state: JobState, branch: BranchState, event: e.JobRated) -> None:
    _demand(state.phase in TERMINAL, "the job has not ended", event, state)
    _demand(branch.id == TRUNK, "a job is rated as a whole", event, state)
    _demand(0.0 <= event.score <= 1.0, "a score is from 0.0 to 1.0", event, state)
    state.ratings.pop(event.author, None)
    state.ratings[event.author] = event


# -- branches ----------------------------------------------


def _forked(state: JobState, parent: BranchState, event: e.BranchForked) -> None:
    _demand(parent.live, f"a branch that has {parent.ended} cannot fork", event, state)
    _demand(state.answer is None, "the job has its answer", event, state)
    _demand(event.child not in state.branches, f"branch {event.child} exists already", event, state)
    _demand(parent_of(event.child) == parent.id, f"{event.child} is no child of {parent.id}", event, state)
    _demand_branches(state, event, event.after)
    parent.children += 1
    parent.live_children += 1
    state.branches[event.child] = BranchState(
        id=event.child,
        reading=event.reading,
        role=event.role,
        label=event.label,
        after=event.after,
        model=event.model,
        policy=event.policy,
        params=event.params or NO_PARAMS,
        tool=event.tool,
        story=["BranchForked"],
    )
    state.live.add(event.child)


def _segment_started(state: JobState, branch: BranchState, event: e.SegmentStarted) -> None:
    _demand(branch.live or event.continues, f"a branch that has {branch.ended} cannot decode", event, state)
    _demand(branch.open is None, "its last segment is still open", event, state)
    _demand(event.segment == branch.segment + 1, f"its next segment is {branch.segment + 1}", event, state)
    _demand(event.attempt == branch.attempt, f"its attempt is {branch.attempt}", event, state)
    _demand(event.removed <= len(branch.own), "more is removed than was written", event, state)
    kept = branch.own[: len(branch.own) - event.removed] if event.removed else branch.own
    if event.messages and kept:
        branch.turns += (Message("assistant", (kept,)),)
    if event.messages:
        kept = branch.thought = ""
        branch.turns += event.messages
    branch.own = kept + event.inserted
    branch.segment, branch.open, branch.copy = event.segment, event, 0
    branch.grammar = event.grammar or branch.grammar
    state.reserved.add(state.limits.price_of(event.model), event.max_tokens or 0)
    state.open_segments.add(branch.id)
    state.begun += not event.continues and branch.tool is None


def _segment_finished(state: JobState, branch: BranchState, event: e.SegmentFinished) -> None:
    started = branch.open
    _demand(started is not None, "it has no open segment", event, state)
    assert started is not None
    _demand(event.segment == started.segment, f"its open segment is {started.segment}", event, state)
    _demand(event.attempt == started.attempt, f"its open attempt is {started.attempt}", event, state)
    hedged = state.hedges.get(branch.id)
    if hedged is not None and hedged.started is started:
        state.hedges[branch.id] = TwoDecodes(started, left=1 - event.copy)
    branch.open = None
    branch.cut = event.decoded.finish is Finish.LENGTH
    state.open_segments.discard(branch.id)
    branch.usage += event.decoded.usage
    state.usage += event.decoded.usage
    state.cost += event.decoded.in_fields().cost
    state.reserved.add(state.limits.price_of(started.model), -(started.max_tokens or 0))
    if event.decoded.finish is not Finish.ERROR:
        branch.own += event.decoded.text
        branch.thought += event.decoded.thought


def _hedged(state: JobState, branch: BranchState, event: e.SegmentHedged) -> None:
    started = branch.open
    _demand(branch.live and started is not None, "only an open segment is decoded once more", event, state)
    assert started is not None
    same = (event.segment, event.attempt) == (started.segment, started.attempt)
    _demand(same, f"its open segment is {started.segment}, attempt {started.attempt}", event, state)
    fresh = branch.id not in state.hedges and branch.hedged != event.segment
    _demand(
        fresh, "it was started once more already, or another of its segments is decoded twice", event, state
    )
    state.hedges[branch.id], branch.hedged = TwoDecodes(started), event.segment
    state.hedged += 1
    state.reserved.add(state.limits.price_of(started.model), started.max_tokens or 0)


def _hedge_lost(state: JobState, branch: BranchState, event: e.HedgeLost) -> None:
    hedged = state.hedges.get(branch.id)
    _demand(hedged is not None, "none of its segments is decoded twice", event, state)
    assert hedged is not None
    started = hedged.started
    same = (event.segment, event.attempt) == (started.segment, started.attempt)
    _demand(same, f"its segment {started.segment} is decoded twice", event, state)
    _demand(hedged.left in (None, event.copy), f"decode {event.copy} of the two has ended", event, state)
    del state.hedges[branch.id]
    if hedged.left is None:
        branch.copy = 1 - event.copy
    state.usage += event.decoded.usage
    state.cost += event.decoded.in_fields().cost
    state.reserved.add(state.limits.price_of(started.model), -(started.max_tokens or 0))


def _end(state: JobState, branch: BranchState, ended: BranchStatus, event: e.Event) -> None:
    _demand(branch.live, f"it has {branch.ended} already", event, state)
    branch.ended = ended
    state.live.discard(branch.id)
    for approval in branch.undecided:
        del state.approvals[approval]
    branch.undecided = ()
    parent = parent_of(branch.id)
    if parent is not None:
        state.branches[parent].live_children -= 1


def _returned(state: JobState, branch: BranchState, event: e.BranchReturned) -> None:
    _demand(branch.live_children == 0, "its children still live", event, state)
    _end(state, branch, BranchStatus.RETURNED, event)
    branch.value, branch.flags, branch.calls = event.value, event.flags, event.calls


def _branch_failed(state: JobState, branch: BranchState, event: e.BranchFailed) -> None:
    _demand(branch.live_children == 0, "its children still live", event, state)
    _end(state, branch, BranchStatus.FAILED, event)
    branch.cause = f"{event.cause}: {event.detail}" if event.detail else str(event.cause)
    branch.failed_by = event.cause


def _branch_cancelled(state: JobState, branch: BranchState, event: e.BranchCancelled) -> None:
    # Before its children: the client's word is a fact, and comes first in the journal.
    _end(state, branch, BranchStatus.CANCELLED, event)
    branch.cause = event.reason


def _retried(state: JobState, branch: BranchState, event: e.BranchRetried) -> None:
    _demand(branch.live and branch.open is None, "only a stopped living branch is retried", event, state)
    _demand(event.attempt == branch.attempt + 1, f"its next attempt is {branch.attempt + 1}", event, state)
    branch.attempt = event.attempt


# -- joins, results, people, limits ----------------------------------------------


def _join_requested(state: JobState, branch: BranchState, event: e.JoinRequested) -> None:
    _demand(branch.live, "only a living branch can join", event, state)
    _demand(event.join == branch.joins + 1, f"its next join is {branch.joins + 1}", event, state)
    _demand(not branch.joining, f"join {branch.joins} is still open", event, state)
    for target in event.targets:
        _demand(target in state.branches, f"there is no branch {target}", event, state)
        _demand(parent_of(target) == branch.id, f"{target} is no child of {branch.id}", event, state)
    branch.joins, branch.joining = event.join, True


def _joined(state: JobState, branch: BranchState, event: e.BranchesJoined) -> None:
    _demand(branch.live, "only a living branch can join", event, state)
    _demand(branch.joining, "no join is open", event, state)
    _demand(event.join == branch.joins, f"its open join is {branch.joins}", event, state)
    _demand_branches(state, event, event.joined)
    for target in event.joined:
        _demand(not state.branches[target].live, f"{target} has not ended", event, state)
    for target in event.joined:
        state.branches[target].joined = True
    branch.joining = False


def _posted(state: JobState, branch: BranchState, event: e.TextPosted) -> None:
    _demand(branch.live, "only a living branch can post", event, state)
    state.posts.append((branch.id, event.text))


def _approval_requested(state: JobState, branch: BranchState, event: e.ApprovalRequested) -> None:
    _demand(branch.live, "only a living branch can ask", event, state)
    _demand(event.approval == state.approvals_asked + 1, "approvals are numbered in order", event, state)
    state.approvals_asked = event.approval
    state.approvals[event.approval] = event
    branch.undecided += (event.approval,)


def _approval_decided(state: JobState, branch: BranchState, event: e.ApprovalDecided) -> None:
    _demand(
        event.approval in state.approvals, "it was decided or withdrawn already, or never asked", event, state
    )
    asked = state.approvals.pop(event.approval)
    waiting = state.branches[asked.branch]
    waiting.undecided = tuple(each for each in waiting.undecided if each != event.approval)


def _winding_down(state: JobState, branch: BranchState, event: e.WindUpRequested | e.BudgetExceeded) -> None:
    state.winding_down = True


def _named(state: JobState, branch: BranchState, event: e.BranchesPruned | e.BranchesMerged) -> None:
    _demand_branches(state, event, event.pruned if isinstance(event, e.BranchesPruned) else event.merged)


def _fork_rejected(state: JobState, branch: BranchState, event: e.ForkRejected) -> None:
    branch.refused = event.reason


def _scored(state: JobState, branch: BranchState, event: e.BranchScored) -> None:
    _demand_branches(state, event, event.scores)


def _room_told(state: JobState, branch: BranchState, event: e.RoomTold) -> None:
    _demand(event.width >= 1, "there is always room for one", event, state)


def _noted(state: JobState, branch: BranchState, event: e.Event) -> None:
    """Events that only tell: they change no state."""


_TABLE: Mapping[type[e.Event], Callable[[JobState, BranchState, Any], None]] = {
    e.JobClaimed: _claimed, e.AnswerCommitted: _answered,
    e.JobSucceeded: _succeeded, e.JobFailed: _failed, e.JobCancelled: _cancelled, e.JobRated: _rated,
    e.BranchForked: _forked, e.ForkRejected: _fork_rejected,
    e.SegmentStarted: _segment_started, e.SegmentFinished: _segment_finished,
    e.SegmentHedged: _hedged, e.HedgeLost: _hedge_lost,
    e.BranchReturned: _returned, e.BranchFailed: _branch_failed, e.BranchCancelled: _branch_cancelled,
    e.BranchRetried: _retried,
    e.JoinRequested: _join_requested, e.BranchesJoined: _joined, e.TextPosted: _posted,
    e.ApprovalRequested: _approval_requested, e.ApprovalDecided: _approval_decided,
    e.WindUpRequested: _winding_down, e.BudgetExceeded: _winding_down,
    e.BranchesPruned: _named, e.BranchesMerged: _named, e.BranchScored: _scored,
    e.BranchesVoted: _noted, e.ActionMalformed: _noted, e.ReasonGiven: _noted, e.RoomTold: _room_told,
}  # fmt: skip
