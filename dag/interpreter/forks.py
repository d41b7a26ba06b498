"""Forks and merges: rules what may be created, what it reads, and when it starts."""

from dataclasses import replace

from anabranch.dag import events as e
from anabranch.dag.actions import (
    Child,
    Fork,
    Forked,
    Merge,
    Overflow,
    Policy,
    SubJob,
    SubPolicy,
    Thought,
    ToolCall,
)
from anabranch.dag.ids import BranchId, child_of, depth_of
from anabranch.dag.interpreter import reads
from anabranch.dag.interpreter.branch_run import Routine, Waiting, call_tool, think_once
from anabranch.dag.interpreter.run import Run
from anabranch.dag.job import Problem
from anabranch.dag.policy import policy_named
from anabranch.dag.text import Base, Message, Reading
from anabranch.dag.text.context import render
from anabranch.dag.vocabulary import ForkRefusal


def fork(run: Run, parent: Routine, action: Fork) -> Forked:
    """Create the children that may be created; start those that can. Raises PolicyBroken, having created none, if one
    reads what can never come."""
    reads.refuse_impossible_fork(run, parent.branch, action)
    ids: list[BranchId | None] = []
    refused: list[str] = []
    reason: ForkRefusal | None = None
    cursor = _cursor(run, parent, action.children)
    if action.capacity is not None and action.overflow == Overflow.QUEUE:
        parent.places.limit = action.capacity
    for child in action.children:
        refusal = _refusal(run, parent, action)
        if refusal:
            reason = refusal
            refused.append(child.label)
            ids.append(None)
        else:
            ids.append(_create(run, parent, child, cursor))
    if reason is not None:
        run.emit(e.ForkRejected(branch=parent.branch, reason=reason, labels=tuple(refused)))
    return Forked(ids=tuple(ids), rejected=reason, winding_down=run.state.winding_down)


def fork_in_places(run: Run, parent: Routine, action: Fork, children: tuple[Child | None, ...]) -> Forked:
    """Fork what a person has left of a fork; the others' ids are None, so that each id keeps its place."""
    forked = fork(run, parent, replace(action, children=tuple(child for child in children if child)))
    ids = iter(forked.ids)
    placed = tuple(next(ids) if child else None for child in children)
    taken_out = ForkRefusal.APPROVAL if None in children else None
    return replace(forked, ids=placed, rejected=forked.rejected or taken_out)


def merge(run: Run, parent: Routine, action: Merge) -> Forked:
    """Create the child that reads what `merged` returned."""
    child = replace(action.child, after=tuple(dict.fromkeys((*action.merged, *action.child.after))))
    forked = fork(run, parent, Fork(children=(child,)))
    for into in forked.branches:
        run.emit(e.BranchesMerged(branch=parent.branch, into=into, merged=action.merged))
    return forked


def _refusal(run: Run, parent: Routine, action: Fork) -> ForkRefusal | None:
    """Why one more child may not be created; None when it may."""
    budget, state = run.spec.budget, run.state
    if state.winding_down:
        return ForkRefusal.WINDING_DOWN
    if budget.branches is not None and len(state.branches) - 1 >= budget.branches:
        return ForkRefusal.BRANCHES
    if budget.depth is not None and depth_of(parent.branch) + 1 > budget.depth:
        return ForkRefusal.DEPTH
    full = action.capacity is not None and state.branches[parent.branch].live_children >= action.capacity
    return ForkRefusal.CAPACITY if full and action.overflow == Overflow.REJECT else None


Cursor = tuple[int, int]
"""How far into its parent a child reads: closed turns, characters of the open one."""


def _cursor(run: Run, parent: Routine, children: tuple[Child, ...]) -> Cursor:
    """Where the parent stands now."""
    if any(isinstance(child, Thought | SubPolicy) and child.base is Base.PARENT for child in children):
        turns = len(run.state.branches[parent.branch].turns)
        return turns, len(render(run.state, parent.branch).continuation)
    return 0, 0


def _create(run: Run, parent: Routine, child: Child, cursor: Cursor) -> BranchId:
    branch = child_of(parent.branch, run.state.branches[parent.branch].children + 1)
    after = reads.inputs_of(run, parent.branch, child)
    if after != child.after:
        child = replace(child, after=after)
    run.emit(_forked(parent.branch, branch, child, cursor))
    routine = Routine(branch=branch, generator=_generator(run, child))
    run.routines[branch] = routine
    missing = {dependency for dependency in child.after if not run.settled(dependency)}
    if missing:
        reads.wait_for(run, routine, Waiting(action=None, missing=missing))
    else:
        place(run, parent, routine)
    return branch


def place(run: Run, parent: Routine, routine: Routine) -> None:
    """Start a child whose inputs are there, or let it wait for a place beside its siblings."""
    if parent.places.full:
        routine.waiting = Waiting(action=None)
        parent.places.line.append(routine.branch)
        return
    parent.places.taken.add(routine.branch)
    routine.waiting = None
    run.ready.append((routine, None))


def give_up_place(run: Run, parent: Routine, ended: BranchId) -> None:
    """Passes the place of a child that has ended on to the next living one."""
    if not parent.places.free(ended):
        return
    while parent.places.line:
        child = parent.places.line.popleft()
        if run.state.branches[child].live:
            place(run, parent, run.routines[child])
            return


def _generator(run: Run, child: Child) -> Policy:
    match child:
        case Thought():
            return think_once(child)
        case SubPolicy():
            return child.run()
        case ToolCall():
            return call_tool(child)
        case SubJob():
            return policy_named(child.policy).start(_problem(run, child.messages), child.params)


def _problem(run: Run, messages: tuple[Message, ...]) -> Problem:
    """A nested problem. It must be literal text: its policy may look at the question before any branch has ended."""
    return Problem.of(messages, run.spec.seed)


def _forked(parent: BranchId, branch: BranchId, child: Child, cursor: Cursor) -> e.BranchForked:
    match child:
        case ToolCall():
            return e.BranchForked(
                branch=parent,
                child=branch,
                role=child.role,
                label=child.label,
                after=child.after,
                tool=child.tool,
                params=dict(child.arguments),
            )
        case SubJob():
            return e.BranchForked(
                branch=parent,
                child=branch,
                role=child.role,
                label=child.label,
                after=child.after,
                reading=Reading(messages=child.messages),
                policy=child.policy,
                params=dict(child.params),
                model=child.model,
            )
        case Thought() | SubPolicy():
            inherits = child.base is Base.PARENT
            reading = Reading(
                base=child.base,
                turns=cursor[0] if inherits else 0,
                cursor=cursor[1] if inherits else 0,
                messages=child.messages,
                opening=child.opening,
            )
            return e.BranchForked(
                branch=parent,
                child=branch,
                role=child.role,
                label=child.label,
                after=child.after,
                reading=reading,
                model=child.model,
            )
