"""Asks others than engines for a policy: votes on equality, verifiers, people."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

from anabranch.dag import events as e
from anabranch.dag.actions import (
    Answer,
    Approve,
    Board,
    Child,
    Decision,
    Explain,
    Fork,
    Malformed,
    Merge,
    Score,
    Scored,
    Thought,
    Vote,
    Voted,
)
from anabranch.dag.answers import voting
from anabranch.dag.answers.equality import Groups, plain_groups
from anabranch.dag.commands import Compare, Verify
from anabranch.dag.decoding.tools import in_words
from anabranch.dag.ids import BranchId, parent_of
from anabranch.dag.interpreter.branch_run import Routine, Waiting
from anabranch.dag.interpreter.run import Run
from anabranch.dag.job import GATES


def vote(run: Run, routine: Routine, action: Vote) -> Voted | None:
    """Count at once what needs no algebra; otherwise let a worker say which answers mean the same."""
    groups = (
        _plain_groups(action)
        if run.verdicts is None
        else _recorded_groups(run, run.verdicts, routine, action)
    )
    if groups is None:
        command = Compare(branch=routine.branch, answers=voting.select_compared(action))
        run.commands.append(command)
        routine.waiting = Waiting(action=action, command=command)
        return None
    event = voting.count(routine.branch, action, groups)
    run.emit(event)
    return voting.outcome(event)


def _plain_groups(action: Vote) -> Groups | None:
    """Which answers are equal, where that takes no algebra; None where it may."""
    groups = plain_groups(voting.select_compared(action))
    return None if groups is None else voting.partition(action, groups)


def _recorded_groups(
    run: Run, verdicts: Mapping[int, e.BranchesVoted], routine: Routine, action: Vote
) -> Groups | None:
    """Which answers were equal when this vote was recorded. None where it is not the next record: it comes later, as a
    fact, because a worker was asked."""
    recorded = verdicts.get(len(run.events))
    if recorded is None or recorded.branch != routine.branch:
        return None
    places = {ballot.branch: i for i, ballot in enumerate(b for b in action.ballots if b.answer is not None)}
    classes = [each.branches for each in recorded.classes]
    if sorted(branch for each in classes for branch in each) != sorted(places):
        return _plain_groups(action)  # of other ballots: the replay will diverge, and say where
    return tuple(tuple(places[branch] for branch in each) for each in classes)


def score(run: Run, routine: Routine, action: Score) -> Scored | None:
    """Record the policy's own numbers, or let a verifier find them."""
    if action.verifier is None:
        run.emit(e.BranchScored(branch=routine.branch, scores=dict(action.scores), by=action.by))
        return Scored(scores=action.scores)
    targets = {branch: run.state.branches[branch] for branch in action.targets}
    values = {branch: in_words(target.value, target.calls) for branch, target in targets.items()}
    command = Verify(branch=routine.branch, verifier=action.verifier, values=values)
    run.commands.append(command)
    routine.waiting = Waiting(action=action, command=command)
    return None


def board(run: Run, routine: Routine) -> Board:
    """What the siblings have posted since this branch last looked."""
    unseen = run.state.posts[routine.posts_seen :]
    routine.posts_seen = len(run.state.posts)
    parent = parent_of(routine.branch)
    theirs = (post for post in unseen if post[0] != routine.branch and parent_of(post[0]) == parent)
    return Board(posts=tuple(theirs))


def gated(run: Run, gate: str) -> bool:
    """Whether the job's owner wants a person to decide here."""
    return gate in run.spec.approvals


def approve(run: Run, routine: Routine, action: Approve) -> Decision | None:
    """Asks a person for a policy. It passes unasked where the gate is the owner's to close, and the owner has not."""
    if action.gate in GATES and not gated(run, action.gate):
        return Decision(decision=e.Choice.APPROVE, subject=action.subject)
    ask(run, routine, action, action)
    return None


def ask(run: Run, routine: Routine, action: Approve | Fork | Merge | Answer, request: Approve) -> None:
    """Park a routine until a person has decided about its action."""
    number = run.state.approvals_asked + 1
    run.emit(
        e.ApprovalRequested(
            branch=routine.branch,
            approval=number,
            gate=request.gate,
            subject=request.subject,
            timeout=request.timeout,
            default=request.default,
        )
    )
    routine.waiting = Waiting(action=action, approval=number)


def parked_at(run: Run, approval: int) -> Waiting | None:
    """What a person decides about at this gate; None where nothing waits there."""
    waits = (routine.waiting for routine in run.routines.values())
    return next((wait for wait in waits if wait is not None and 0 < approval == wait.approval), None)


def answer_request(answer: Answer) -> Approve:
    """An answer as a person reads it, with what it calls."""
    return Approve(gate="answer", subject=in_words(answer.text, answer.calls))


def fork_request(action: Fork | Merge) -> Approve:
    """A fork as a person reads it: one sub-query a line."""
    children = action.children if isinstance(action, Fork) else (action.child,)
    return Approve(gate="fork", subject="\n".join(map(_line, children)))


def decision(fact: e.ApprovalDecided, request: e.ApprovalRequested) -> Decision:
    """What the policy is told."""
    edited = fact.decision == e.Choice.EDIT and fact.edit is not None
    return Decision(
        decision=fact.decision, subject=fact.edit or "" if edited else request.subject, reason=fact.reason
    )


def edited_children(action: Fork, subject: str) -> tuple[Child | None, ...]:
    """The children of a fork as edited, in their places; None for those that were taken out.

    A line that stands as it was keeps its child. Other lines reword the children that are left, in order, and take the
    place of the last message that each was sent: of those only in which a person has read what is asked.
    """
    lines = [" ".join(line.split()) for line in subject.splitlines() if line.strip()]
    unclaimed, kept = Counter(lines), dict[int, Child]()
    for place, child in enumerate(action.children):
        if unclaimed[_line(child)]:
            unclaimed[_line(child)] -= 1
            kept[place] = child
    others = deque(_left(lines, unclaimed))
    for place, child in enumerate(action.children):
        if place not in kept and others and isinstance(child, Thought) and _shows_its_message(child):
            line = others.popleft()
            last = replace(child.messages[-1], parts=(line,))
            kept[place] = replace(child, messages=(*child.messages[:-1], last), label=line)
    return tuple(kept.get(place) for place in range(len(action.children)))


def _left(lines: list[str], unclaimed: Counter[str]) -> Iterable[str]:
    """The last lines of each wording, as many as are unclaimed, in their order."""
    claimed = Counter(lines) - unclaimed
    for line in lines:
        if claimed[line]:
            claimed[line] -= 1
        else:
            yield line


def _shows_its_message(child: Thought) -> bool:
    """Whether the line by which a person knows it says what it is asked: else a line in its place would take away what
    nobody has seen, as a sampler's instructions behind the name of its role."""
    asked = child.messages[-1].parts if child.messages else ()
    return _line(child) in " ".join(" ".join(part for part in asked if isinstance(part, str)).split())


def _line(child: Child) -> str:
    """How a person reads a child: its sub-query on one line."""
    return " ".join((child.label or child.role).split())


def note(branch: BranchId, action: Malformed | Explain) -> e.ActionMalformed | e.ReasonGiven:
    """What is recorded for people: an action that the model may not take, or why the policy goes on as it does."""
    match action:
        case Malformed(problem=problem, span=span):
            return e.ActionMalformed(branch=branch, problem=problem, span=span)
        case Explain(about=about, text=text, numbers=numbers):
            return e.ReasonGiven(branch=branch, about=about, text=text, numbers=numbers)
