"""Random journals that could have happened: the transition table of `dag.state` says which."""

from random import Random

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Timing, Usage
from anabranch.dag.errors import InvalidTransition
from anabranch.dag.ids import TRUNK, BranchId, child_of
from anabranch.dag.job import JobSpec
from anabranch.dag.state import JobState, apply


def journal(spec: JobSpec, random: Random, steps: int) -> list[e.Event]:
    """What may follow a job's submission: random steps, as many of them as were legal, and at times an end."""
    state = apply(JobState(), e.JobSubmitted(spec=spec, policy_version="v1"))
    happened: list[e.Event] = []

    def try_to(event: e.Event) -> None:
        try:
            apply(state, event)
        except InvalidTransition:
            return
        happened.append(event)

    try_to(e.JobClaimed(owner="organizer", attempt=1))
    for _ in range(steps):
        try_to(random.choice(_STEPS)(state, random))
    if random.random() < 0.5:
        for event in _end(state, random):
            try_to(event)
    return happened


def _any_branch(state: JobState, random: Random) -> BranchId:
    return random.choice(sorted(state.branches))


def _fork(state: JobState, random: Random) -> e.Event:
    parent = _any_branch(state, random)
    child = child_of(parent, state.branches[parent].children + 1)
    return e.BranchForked(
        branch=parent, child=child, role="worker", label=random.choice(["", "half"]), model="m"
    )


def _start(state: JobState, random: Random) -> e.Event:
    branch = _any_branch(state, random)
    known = state.branches[branch]
    continues = known.segment > 0 and random.random() < 0.3
    return e.SegmentStarted(
        branch=branch, segment=known.segment + 1, attempt=known.attempt, continues=continues
    )


def _finish(state: JobState, random: Random) -> e.Event:
    branch = _any_branch(state, random)
    known = state.branches[branch]
    failed = random.random() < 0.2
    decoded = Decoded(
        text="thought",
        finish=Finish.ERROR if failed else random.choice([Finish.EOS, Finish.TAG, Finish.ABORT]),
        usage=Usage(
            prompt_tokens=random.randrange(100),
            cached_tokens=random.randrange(9),
            completion_tokens=random.randrange(50),
        ),
        fault=Fault(cause="replica-died") if failed else None,
        timing=Timing(submitted=1.5, first_token=random.choice([0.0, 2.25, float("nan"), 1e300])),
        replica=random.choice(["", "r1", "r2"]),
        engine="scripted",
        extra=random.choice([{}, {"cost": 0.1}, {"cost": 0.2}]),
    )
    return e.SegmentFinished(branch=branch, segment=known.segment, attempt=known.attempt, decoded=decoded)


def _retry(state: JobState, random: Random) -> e.Event:
    branch = _any_branch(state, random)
    return e.BranchRetried(branch=branch, attempt=state.branches[branch].attempt + 1, cause="replica-died")


def _end_branch(state: JobState, random: Random) -> e.Event:
    branch = _any_branch(state, random)
    if branch == TRUNK:
        return e.TextPosted(text="not yet")
    withdrawn = tuple(state.branches[branch].undecided)
    detail = random.choice(["", "60 s"])
    ends: list[e.Event] = [
        e.BranchReturned(branch=branch, value="42\n", flags=("truncated",), withdrawn=withdrawn),
        e.BranchFailed(branch=branch, cause="timeout", detail=detail, withdrawn=withdrawn),
        e.BranchCancelled(branch=branch, reason="pruned", withdrawn=withdrawn),
    ]
    return random.choice(ends)


def _ask_join(state: JobState, random: Random) -> e.Event:
    branch = _any_branch(state, random)
    known = state.branches[branch]
    targets = tuple(child_of(branch, child) for child in range(1, known.children + 1))
    return e.JoinRequested(branch=branch, join=known.joins + 1, targets=targets, mode=e.Mode.FIRST_K, count=1)


def _join(state: JobState, random: Random) -> e.Event:
    branch = _any_branch(state, random)
    known = state.branches[branch]
    children = [child_of(branch, child) for child in range(1, known.children + 1)]
    over = tuple(child for child in children if not state.branches[child].live)
    return e.BranchesJoined(
        branch=branch, join=known.joins, joined=over, pending=tuple(set(children) - set(over))
    )


def _merge(state: JobState, random: Random) -> e.Event:
    return e.BranchesMerged(into=_any_branch(state, random), merged=(_any_branch(state, random),))


def _ask_person(state: JobState, random: Random) -> e.Event:
    timeout = random.choice([None, 30.0])
    return e.ApprovalRequested(
        branch=_any_branch(state, random),
        approval=state.approvals_asked + 1,
        gate="fork",
        subject="?",
        timeout=timeout,
    )


def _decide(state: JobState, random: Random) -> e.Event:
    approval = random.choice(sorted(state.approvals) or [0])
    return e.ApprovalDecided(
        branch=state.approvals[approval].branch if approval else TRUNK,
        approval=approval,
        decision=e.Choice.EDIT,
        edit="less",
        by="Zoë",
        reason="thrift",
    )


def _note(state: JobState, random: Random) -> e.Event:
    branch = _any_branch(state, random)
    notes: list[e.Event] = [
        e.TextPosted(branch=branch, text="I take this half"),
        e.ForkRejected(branch=branch, reason="capacity"),
        e.BranchScored(branch=branch, scores={branch: 0.5}, by=e.CancelledBy.POLICY),
        e.ActionMalformed(branch=branch, problem="unclosed-tag"),
        e.JobClaimed(owner="another", attempt=2),
    ]
    return random.choice(notes)


_STEPS = (
    *(_fork, _start, _finish) * 3,
    *(_end_branch, _ask_join, _join) * 2,
    *(_retry, _merge, _ask_person, _decide, _note),
)


def _end(state: JobState, random: Random) -> list[e.Event]:
    """All branches closed, deepest first, and the job's own end."""
    won = random.random() < 0.5
    open_ends: list[e.Event] = [
        e.SegmentFinished(
            branch=branch,
            segment=state.branches[branch].segment,
            attempt=state.branches[branch].attempt,
            decoded=Decoded(text="", finish=Finish.ABORT, usage=Usage(completion_tokens=1)),
        )
        for branch in sorted(state.open_segments)
    ]
    deepest = sorted(state.live - {TRUNK}, key=lambda branch: -branch.count("."))
    cancelled = [
        e.BranchCancelled(branch=branch, reason="over", withdrawn=tuple(state.branches[branch].undecided))
        for branch in deepest
    ]
    trunks = tuple(state.branches[TRUNK].undecided)
    if won:
        answer = e.AnswerCommitted(text="42", sources=tuple(sorted(state.branches)))
        returned = e.BranchReturned(value="42", withdrawn=trunks)
        return [*open_ends, *cancelled, answer, returned, e.JobSucceeded()]
    terminals: list[e.Event] = [
        e.JobFailed(type="no-answer", title="No answer"),
        e.JobCancelled(reason="over"),
    ]
    trunk = e.BranchCancelled(reason="over", withdrawn=trunks)
    return [*open_ends, *cancelled, trunk, random.choice(terminals)]
