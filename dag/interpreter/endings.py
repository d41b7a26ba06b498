"""Ends branches and the job: exactly one terminal event each, children before parents, the engine told."""

from collections.abc import Iterable
from dataclasses import replace

from anabranch.dag import events as e
from anabranch.dag.actions import ASIDE, Answer, Join, Think
from anabranch.dag.branch_state import BranchState
from anabranch.dag.errors import DecodeFailed, NoAnswer
from anabranch.dag.grammars import GRAMMARS
from anabranch.dag.grammars.escape import strip_marks
from anabranch.dag.ids import TRUNK, BranchId, by_path, descends, parent_of
from anabranch.dag.interpreter import decodes, forks, joins
from anabranch.dag.interpreter.branch_run import Routine
from anabranch.dag.interpreter.outside import gated
from anabranch.dag.interpreter.run import Run
from anabranch.dag.journal.wording import in_current_words
from anabranch.dag.state import JobState
from anabranch.dag.vocabulary import WHY_REFUSED, Cause, Failure

TAIL = 200
"""Characters by which an answer is recognised as the end of the trunk's text; what stands before may be dressed up."""


class Rejected(Exception):
    """A person refused the answer."""


def give_back(run: Run, routine: Routine, answer: Answer) -> None:
    """A routine is done: what still lives below it is cancelled, and its value goes to whoever joins it."""
    branch = routine.branch
    if branch == TRUNK:
        commit(run, answer)
        return
    _cancel_below(run, branch, "its parent has returned", e.CancelledBy.PARENT)
    decodes.abort(run, routine)
    run.emit(
        e.BranchReturned(
            branch=branch,
            value=answer.text,
            flags=answer.flags,
            calls=answer.calls,
            withdrawn=_undecided(run, branch),
        )
    )
    _ended(run, branch)


def commit(run: Run, answer: Answer, *, forced: bool = False) -> None:
    """The trunk has its answer: the losers are cancelled, and the job ends when their last tokens are counted."""
    answer = replace(answer, text=run.spec.answer_format.cut(answer.text))
    truncated = is_cut(run.state, answer)
    run.emit(
        e.AnswerCommitted(
            text=answer.text,
            sources=answer.sources,
            forced=forced,
            truncated=truncated,
            calls=answer.calls,
            citations=answer.citations,
        )
    )
    _cancel_below(run, TRUNK, "the job has its answer", e.CancelledBy.ANSWER)
    decodes.abort(run, run.routines[TRUNK])
    run.emit(
        e.BranchReturned(
            branch=TRUNK,
            value=answer.text,
            flags=answer.flags,
            calls=answer.calls,
            withdrawn=_undecided(run, TRUNK),
        )
    )
    run.ending = e.JobSucceeded()


def is_cut(state: JobState, answer: Answer) -> bool:
    """Whether a limit of tokens cut the answer's text: it ends where the trunk was cut, it holds the whole value of a
    source that was, or it was found at the very end of sources that all were. One without a word was cut where the
    trunk or a source was before its first."""
    text = answer.text.strip()
    trunk = state.branches[TRUNK]
    sources = [state.branches[source] for source in answer.sources if source in state.branches]
    if not text:
        silent = any(source.cut and not source.value.strip() for source in sources if source is not trunk)
        return not answer.calls and (silent or trunk.cut_before_a_word)
    if trunk.cut and trunk.own.rstrip().endswith(text[-TAIL:]):
        return True
    values = [source.value.strip() for source in sources if source.cut]
    if any(value and value in text for value in values):
        return True
    return bool(values) and all(source.cut and source.own.rstrip().endswith(text) for source in sources)


def _cut_before_a_word(state: JobState) -> tuple[BranchId, ...]:
    """The trunk, or all of its children, where the limit fell into what they thought; of some children, nothing."""
    if state.branches[TRUNK].cut_before_a_word:
        return (TRUNK,)
    children = [each for each in state.branches.values() if parent_of(each.id) == TRUNK]
    return tuple(each.id for each in children) if all(each.cut_before_a_word for each in children) else ()


def fail(run: Run, routine: Routine, error: Exception) -> None:
    """A routine raised. Its branch has failed; the trunk's failure is the job's, unless there is something to say
    for a job that is being wound down, or a limit left no room for a word: then the answer is empty, and cut. Where a
    person has to approve the answer, none counts that nobody has."""
    branch = routine.branch
    if branch == TRUNK and not gated(run, "answer"):
        forced = last_words(run) if run.state.winding_down else None
        if forced is not None:
            commit(run, forced, forced=True)
            return
        if isinstance(error, NoAnswer) and (cut := _cut_before_a_word(run.state)):
            commit(run, Answer(text="", sources=cut))
            return
    _cancel_below(run, branch, "its parent has failed", e.CancelledBy.PARENT)
    decodes.abort(run, routine)
    cause, title, detail = _told(run.state.branches[branch], error)
    run.emit(
        e.BranchFailed(
            branch=branch,
            cause=cause,
            detail=detail,
            attempts=run.state.branches[branch].attempt,
            withdrawn=_undecided(run, branch),
        )
    )
    if branch == TRUNK:
        run.ending = e.JobFailed(type=cause, title=title, detail=detail)
    else:
        _ended(run, branch)


def _told(branch: BranchState, error: Exception) -> tuple[str, str, str]:
    """Cause, title and detail of a failure. One that was refused every child has found nothing for that reason."""
    match error:
        case NoAnswer() if branch.refused and not branch.children:
            why = WHY_REFUSED.get(branch.refused, branch.refused)
            return Failure.NO_ANSWER, "The policy found no answer", f"{why}: {error}"
        case DecodeFailed():
            return error.cause, "The trunk could not be decoded", error.detail
        case NoAnswer():
            return Failure.NO_ANSWER, "The policy found no answer", str(error)
        case Rejected():
            return Failure.REJECTED, "A person rejected the answer", str(error)
        case _:
            return Failure.POLICY_ERROR, f"The policy raised {type(error).__name__}", str(error)


def time_is_short(run: Run, fact: e.WindUpRequested | e.BudgetExceeded) -> bool:
    """Children are stopped, but for one that writes the answer, and the policy must wind up; once the time is up, what
    there is, is the answer."""
    if run.ending is not None or run.stopping is not None:
        return False
    run.emit(fact)
    answering = decodes.final_thought(run)
    cancel(run, tuple(_beside(run, answering)), "deadline", e.CancelledBy.DEADLINE)
    if isinstance(in_current_words(fact), e.BudgetExceeded):
        stop(run, answering)
    return True


def _beside(run: Run, answering: BranchId | None) -> Iterable[BranchId]:
    """Living children that neither write the answer nor stand above the branch that does."""
    for branch in sorted(run.state.live, key=by_path):
        if branch != TRUNK and (answering is None or not descends(answering, branch)):
            yield branch


def stop(run: Run, answering: BranchId | None = None) -> None:
    """The deadline has passed: whatever there is becomes the answer. What a final thought has written, and a reader has
    been told, is known when its decode has been stopped."""
    routine = run.routines.get(TRUNK)
    if routine is None:
        return  # nobody has claimed the job: its policy is told when somebody does
    if answering is not None:
        run.stopping = answering
        if run.state.branches[answering].open is not None:
            decodes.abort(run, run.routines[answering])
        else:
            _answer_with(run, answering, "")
        return
    routine.generator.close()
    routine.waiting = None
    missing = "no answer had been approved" if gated(run, "answer") else "nothing had been written"
    fail(run, routine, DecodeFailed(Cause.DEADLINE, f"{missing} when the time was up"))


def stop_with(run: Run, fact: e.SegmentFinished) -> None:
    """The final thought of a job whose time is up was stopped, if this is its end: it is the answer."""
    if fact.branch == run.stopping and TRUNK in run.state.live:
        _answer_with(run, fact.branch, fact.decoded.text)


def _answer_with(run: Run, branch: BranchId, text: str) -> None:
    """Commits what this branch has written of the answer; where that is nothing, what there is besides."""
    routine = run.routines[TRUNK]
    routine.generator.close()
    routine.waiting = None
    run.stopping = None
    text = run.spec.problem.trimmed(run.spec.answer_format.cut(run.routines[branch].decodes.partial + text))
    if text.strip() and not gated(run, "answer"):
        commit(run, Answer(text=text, sources=(branch,)), forced=True)
    else:
        stop(run)


def last_words(run: Run) -> Answer | None:
    """What can be said when there is no time to say more: the latest value a branch returned, else the trunk's text."""
    for branch in sorted(run.rank, key=run.rank.__getitem__, reverse=True):
        state = run.state.branches[branch]
        value = _readable(state, state.value)
        if ASIDE not in state.flags and (value or state.calls):
            return Answer(text=value, sources=(branch,), calls=state.calls)
    trunk = run.state.branches[TRUNK]
    own = run.spec.problem.trimmed(_readable(trunk, trunk.own))
    return Answer(text=own, sources=(TRUNK,)) if own.strip() else None


def _readable(branch: BranchState, text: str) -> str:
    """The text without the marks of the grammar that reads it; of one that is no longer there, without any."""
    if branch.grammar is None:
        return text
    grammar = GRAMMARS.get(branch.grammar)
    return strip_marks(text) if grammar is None else strip_marks(text, grammar.marks)


def cancel(run: Run, branches: tuple[BranchId, ...], reason: str, by: e.CancelledBy) -> None:
    """Cancel these and all below them; those that have ended stay as they are."""
    for branch in branches:
        if branch in run.state.live:
            _cancel_one(run, branch, reason, by)
            _cancel_below(run, branch, reason, e.CancelledBy.PARENT)


def cancel_from_outside(run: Run, fact: e.BranchCancelled) -> bool:
    """A client cancels a branch, or with the trunk the job. False when it has ended already."""
    if fact.branch not in run.state.live:
        return False
    cancel(run, (fact.branch,), fact.reason, fact.by)
    if fact.branch == TRUNK:
        run.ending = e.JobCancelled(reason=fact.reason)
    return True


def _cancel_below(run: Run, branch: BranchId, reason: str, by: e.CancelledBy) -> None:
    if run.state.branches[branch].live_children == 0:
        return
    for other in sorted((b for b in run.state.live if b != branch and descends(b, branch)), key=by_path):
        _cancel_one(run, other, reason, by)


def _cancel_one(run: Run, branch: BranchId, reason: str, by: e.CancelledBy) -> None:
    routine = run.routines.get(branch)
    run.emit(e.BranchCancelled(branch=branch, reason=reason, by=by, withdrawn=_undecided(run, branch)))
    if routine is not None:  # the trunk of a job that no organizer has claimed yet has none
        routine.generator.close()
        routine.waiting = None
        decodes.abort(run, routine)
        _ended(run, branch)


def _undecided(run: Run, branch: BranchId) -> tuple[int, ...]:
    """The approvals that this branch waits for."""
    return run.state.branches[branch].undecided


def _ended(run: Run, branch: BranchId) -> None:
    """Give its place to the next in line, and wake whoever waited for this branch."""
    run.rank[branch] = len(run.rank)
    if branch == TRUNK:
        return
    forks.give_up_place(run, run.routines[parent_of(branch) or TRUNK], branch)
    wake(run, branch)


def wake(run: Run, branch: BranchId) -> None:
    """Tell its parent's join and its dependents that this branch is settled; nothing, if it is not yet."""
    if branch == TRUNK or not run.settled(branch):
        return
    parent = run.routines[parent_of(branch) or TRUNK]
    waiting = parent.waiting
    if waiting is not None and isinstance(waiting.action, Join) and branch in waiting.missing:
        waiting.settle(branch)
        if run.state.branches[parent.branch].live and joins.satisfied(run, parent):
            run.ready.append((parent, joins.complete(run, parent)))
    for dependent in run.dependents.pop(branch, ()):
        if dependent.waiting is not None and run.state.branches[dependent.branch].live:
            dependent.waiting.settle(branch)
            if not dependent.waiting.missing:
                _go_on(run, dependent)


def _go_on(run: Run, routine: Routine) -> None:
    """All that a routine reads is there: its next segment may be decoded, or it may start at all."""
    if routine.waiting is not None and isinstance(routine.waiting.action, Think):
        decodes.queue(run, routine)
    else:
        forks.place(run, run.routines[parent_of(routine.branch) or TRUNK], routine)
