"""Finds which branches a branch must wait for because it reads them, and refuses reads that can never come.

Dependencies follow from what is read: an `Output` in a message or an opening makes its reader wait for that branch,
whether or not the policy names it in `after`. A read that can never come is refused in words, before anything is
recorded: of a branch that does not exist, of the reader itself, of a branch above it (which ends only after it), and of
one that waits, by whatever way, for the reader.
"""

from collections.abc import Iterable, Iterator

from anabranch.dag.actions import Child, Fork, Join, Merge, Mode, SubJob, SubPolicy, Thought
from anabranch.dag.errors import PolicyBroken
from anabranch.dag.ids import BranchId, child_of, descends, parent_of
from anabranch.dag.interpreter.branch_run import Routine, Waiting
from anabranch.dag.interpreter.run import Run
from anabranch.dag.text import outputs_in


def reads_of(child: Child) -> tuple[BranchId, ...]:
    """The branches whose outputs a child of a fork reads."""
    match child:
        case Thought() | SubPolicy():
            return outputs_in(child.messages, child.opening)
        case SubJob() if outputs_in(child.messages):
            raise PolicyBroken(
                f"a nested {child.policy} job reads {outputs_in(child.messages)[0]}: its policy looks at its messages "
                "when it is forked, so they must be literal text. Join the branch first and write out its value"
            )
        case _:
            return ()


def inputs_of(run: Run, parent: BranchId, child: Child) -> tuple[BranchId, ...]:
    """What a child starts after: what it names, then what it reads. What its parent has joined is left out: the fork
    itself comes after that."""
    derived = (read for read in reads_of(child) if not _joined_by(run, parent, read))
    return tuple(dict.fromkeys((*child.after, *derived)))


def unjoined(run: Run, reader: BranchId, reads: Iterable[BranchId]) -> tuple[BranchId, ...]:
    """Of what a branch reads itself: what it has not joined."""
    return tuple(dict.fromkeys(read for read in reads if not _joined_by(run, reader, read)))


def wait_for(run: Run, routine: Routine, waiting: Waiting) -> None:
    """Lets a routine stand still until all its missing branches are settled."""
    routine.waiting = waiting
    for branch in waiting.missing:
        run.dependents.setdefault(branch, []).append(routine)


def refuse_impossible_fork(run: Run, parent: BranchId, action: Fork | Merge) -> None:
    """Raises PolicyBroken if a child of this fork would read what can never come."""
    children = action.children if isinstance(action, Fork) else (action.child,)
    merged = () if isinstance(action, Fork) else action.merged
    first = run.state.branches[parent].children + 1
    for ordinal, child in enumerate(children, start=first):
        refuse_impossible(run, child_of(parent, ordinal), (*merged, *child.after, *reads_of(child)))


def refuse_impossible_join(run: Run, joiner: BranchId, action: Join) -> None:
    """Raises PolicyBroken if a join of all waits for a branch that waits for the joiner."""
    if action.mode is Mode.ALL:
        for target in action.targets:
            circle = _circle(run, joiner, target)
            if circle is not None:
                raise PolicyBroken(
                    f"branch {joiner} joins {target}, which waits for {circle}: neither could ever go on"
                )


def refuse_impossible(run: Run, reader: BranchId, reads: Iterable[BranchId]) -> None:
    """Raises PolicyBroken for a read that can never come."""
    for read in dict.fromkeys(reads):
        if read == reader:
            raise PolicyBroken(f"branch {reader} reads itself")
        if read not in run.state.branches:
            raise PolicyBroken(
                f"branch {reader} reads {read}, which does not exist: a branch reads only what was forked before it"
            )
        if descends(reader, read):
            raise PolicyBroken(f"branch {reader} reads {read}, which is above it and ends only after it")
        circle = _circle(run, reader, read)
        if circle is not None:
            raise PolicyBroken(
                f"branch {reader} reads {read}, which waits for {circle}: neither could ever go on"
            )


def _circle(run: Run, reader: BranchId, read: BranchId) -> BranchId | None:
    """The reader, or a branch above it, if `read` waits for that directly or through others."""
    seen, ahead = {read}, [read]
    while ahead:
        for needed in _waits_for(run, ahead.pop()):
            if descends(reader, needed):
                return needed
            if needed not in seen:
                seen.add(needed)
                ahead.append(needed)
    return None


def _waits_for(run: Run, branch: BranchId) -> Iterator[BranchId]:
    """Branches without whose end this one cannot go on."""
    routine = run.routines.get(branch)
    waiting = routine.waiting if routine is not None else None  # of one that has ended: None
    if waiting is not None and not (isinstance(waiting.action, Join) and waiting.action.mode is not Mode.ALL):
        yield from waiting.missing


def _joined_by(run: Run, parent: BranchId, read: BranchId) -> bool:
    known = run.state.branches.get(read)
    return known is not None and known.joined and parent_of(read) == parent
