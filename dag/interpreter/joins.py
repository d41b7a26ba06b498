"""Rules when a join is satisfied, and in which order its results come."""

from anabranch.dag import events as e
from anabranch.dag.actions import Join, Joined, Mode
from anabranch.dag.commands import Expire
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter import reads
from anabranch.dag.interpreter.branch_run import Routine, Waiting
from anabranch.dag.interpreter.run import Run
from anabranch.dag.status import BranchStatus


def join(run: Run, routine: Routine, action: Join) -> Joined | None:
    """Ask for children; their results if they are there, otherwise the routine waits."""
    reads.refuse_impossible_join(run, routine.branch, action)
    ordinal = run.state.branches[routine.branch].joins + 1
    run.emit(
        e.JoinRequested(
            branch=routine.branch,
            join=ordinal,
            targets=action.targets,
            mode=action.mode,
            count=action.count,
            seconds=action.seconds,
        )
    )
    routine.waiting = Waiting(
        action=action, missing={target for target in action.targets if not run.settled(target)}
    )
    if satisfied(run, routine):
        return complete(run, routine)
    if action.seconds is not None:
        since = min(routine.awaited_since.setdefault(target, ordinal) for target in action.targets)
        routine.waiting.command = Expire(
            branch=routine.branch, join=ordinal, seconds=action.seconds, since=since
        )
        run.commands.append(routine.waiting.command)
    return None


def satisfied(run: Run, routine: Routine) -> bool:
    """Whether the join that this routine waits for can be completed."""
    waiting = routine.waiting
    assert waiting is not None and isinstance(waiting.action, Join)
    action = waiting.action
    if not waiting.missing:
        return True
    match action.mode:
        case Mode.FIRST:
            return any(target not in waiting.missing for target in action.targets)
        case Mode.FIRST_K:
            return (
                sum(run.state.branches[t].ended is BranchStatus.RETURNED for t in set(action.targets))
                >= action.count
            )
        case _:
            return False


def complete(run: Run, routine: Routine, *, expired: bool = False) -> Joined:
    """Record the join and give its results."""
    waiting = routine.waiting
    assert waiting is not None and isinstance(waiting.action, Join)
    event = joined_event(run, routine.branch, waiting.action, expired=expired)
    run.emit(event)
    routine.waiting = None
    return outcome(run, event)


def joined_event(run: Run, branch: BranchId, action: Join, *, expired: bool) -> e.BranchesJoined:
    """What this join gives now: plan order for barriers, arrival order otherwise."""
    branches = run.state.branches
    arrived = [t for t in dict.fromkeys(action.targets) if run.settled(t)]
    if action.mode in (Mode.FIRST, Mode.FIRST_K):
        arrived.sort(key=run.rank.__getitem__)
    if action.mode is Mode.FIRST:
        arrived = arrived[:1]
    taken = set(arrived)
    return e.BranchesJoined(
        branch=branch,
        join=branches[branch].joins,
        joined=tuple(arrived),
        pending=tuple(t for t in dict.fromkeys(action.targets) if t not in taken),
        failed=tuple(t for t in arrived if branches[t].ended is not BranchStatus.RETURNED),
        expired=expired,
    )


def outcome(run: Run, event: e.BranchesJoined) -> Joined:
    """What the policy is told."""
    return Joined(
        results=tuple(run.state.branches[branch].result() for branch in event.joined),
        pending=event.pending,
        expired=event.expired,
        winding_down=run.state.winding_down,
    )
