"""Runs one job's policy. Fed a fact, it says what to record and what to do; it does neither.

The same class runs live jobs, replays, the simulator and tests. Its consequences depend on the facts and their order
alone. All it knows is in the journal: fed the journal's facts after a crash, it is what it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.answers import voting
from anabranch.dag.commands import Command
from anabranch.dag.errors import PolicyBroken
from anabranch.dag.ids import TRUNK, BranchId, by_path
from anabranch.dag.interpreter import decodes, endings, forks, hedges, joins, outside, reads, room
from anabranch.dag.interpreter.branch_run import Routine, Waiting
from anabranch.dag.interpreter.run import Run
from anabranch.dag.policy import policy_named
from anabranch.dag.state import JobState
from anabranch.dag.status import TERMINAL
from anabranch.dag.vocabulary import ForkRefusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What follows from one fact."""

    events: tuple[e.Event, ...] = ()
    """To be appended together: the fact, then its consequences. Empty when the fact came too late to matter."""
    commands: tuple[Command, ...] = ()
    """To be carried out once the events are durable."""


class Interpreter:
    """`feed` is the way in; `state` may be read."""

    def __init__(self) -> None:
        self._run = Run()

    @property
    def state(self) -> JobState:
        return self._run.state

    @property
    def over(self) -> bool:
        return self.state.status in TERMINAL

    def feed(self, fact: e.Event) -> Step:
        """Take one fact. Raises InvalidTransition for one that could never have happened."""
        if (self.over and not isinstance(fact, e.JobRated)) or not self._take(fact):
            return Step()
        self._settle()
        run = self._run
        step = Step(events=tuple(run.events), commands=tuple(run.commands))
        run.events, run.commands, run.room = [], [], 1
        return step

    @property
    def line(self) -> room.Line | None:
        """Decodes that wait for room in the pool: a RoomTold lets some begin."""
        return room.line(self._run)

    def foresee(self, votes: Mapping[int, e.BranchesVoted] | None) -> None:
        """In a replay: tell the votes that the journal records behind the fact which is fed next, by how many events
        behind it. None: the replay is over."""
        self._run.verdicts = votes

    def judged(self, branch: BranchId, groups: tuple[tuple[int, ...], ...]) -> Step:
        """The answer to a Compare: which of its answers mean the same, as a partition of their indices."""
        waiting = self._waiting(branch)
        if waiting is None or not isinstance(waiting.action, a.Vote):
            return Step()
        counted = voting.count(branch, waiting.action, voting.partition(waiting.action, groups))
        return self.feed(counted)

    def expired(self, branch: BranchId, join: int) -> Step:
        """The answer to an Expire."""
        waiting = self._waiting(branch)
        is_it = waiting is not None and self.state.branches[branch].joins == join
        if waiting is None or not isinstance(waiting.action, a.Join) or not is_it:
            return Step()
        return self.feed(joins.joined_event(self._run, branch, waiting.action, expired=True))

    def owed(self) -> tuple[Command, ...]:
        """After a replay: what was asked of the outside and not answered; decodes apart, see `open_decodes`."""
        waits = (self._waiting(branch) for branch in sorted(self.state.live, key=by_path))
        return tuple(wait.command for wait in waits if wait is not None and wait.command is not None)

    def open_decodes(self) -> tuple[e.SegmentStarted, ...]:
        """After a replay: segments that nobody decodes any more. Each wants a SegmentFinished fact that says so."""
        opened = (
            self.state.branches[branch].open for branch in sorted(self.state.open_segments, key=by_path)
        )
        return tuple(segment for segment in opened if segment is not None)

    # -- facts ----------------------------------------------

    def _take(self, fact: e.Event) -> bool:
        """Record the fact and note what it makes ready; False when it comes too late."""
        match fact:
            case e.JobSubmitted() | e.JobRated():
                self._run.emit(fact)
            case e.JobClaimed():
                self._run.emit(fact)
                if TRUNK not in self._run.routines and self._run.ending is None:
                    self._start_trunk()
            case e.SegmentFinished():
                taken = decodes.segment_finished(self._run, fact)
                if taken:
                    endings.wake(self._run, fact.branch)
                    endings.stop_with(self._run, fact)
                return taken
            case e.SegmentHedged():
                return hedges.hedge(self._run, fact)
            case e.HedgeLost():
                return hedges.lost(self._run, fact)
            case e.RoomTold():
                return room.told(self._run, fact)
            case e.BranchCancelled():
                return endings.cancel_from_outside(self._run, fact)
            case e.WindUpRequested() | e.BudgetExceeded():
                return endings.time_is_short(self._run, fact)
            case e.BranchScored() | e.BranchesVoted() | e.BranchesJoined() | e.ApprovalDecided():
                return self._take_answer(fact)
            case _:
                raise TypeError(f"{type(fact).__name__} is a consequence; it cannot be fed")
        return True

    def _take_answer(
        self, fact: e.BranchScored | e.BranchesVoted | e.BranchesJoined | e.ApprovalDecided
    ) -> bool:
        """An answer to what a routine waits for."""
        waiting = self._waiting(fact.branch)
        if waiting is None:
            return False
        routine = self._run.routines[fact.branch]
        match fact, waiting.action:
            case e.BranchScored(), a.Score():
                outcome: Any = a.Scored(scores=fact.scores)
            case e.BranchesVoted(), a.Vote():
                outcome = voting.outcome(fact)
            case e.BranchesJoined(), a.Join():
                outcome = None
            case e.ApprovalDecided(), _ if waiting.approval == fact.approval:
                self._decide(routine, waiting, fact)
                return True
            case _:
                return False
        self._run.emit(fact)
        routine.waiting = None
        if isinstance(fact, e.BranchesJoined):
            outcome = joins.outcome(self._run, fact)
        self._run.ready.append((routine, outcome))
        return True

    def parked_at(self, approval: int) -> Waiting | None:
        """What waits for a person at this gate."""
        return outside.parked_at(self._run, approval)

    def _decide(self, routine: Routine, waiting: Waiting, fact: e.ApprovalDecided) -> None:
        """A person has decided about a parked action."""
        run = self._run
        decision = outside.decision(fact, self.state.approvals[fact.approval])
        run.emit(fact)
        routine.waiting = None
        rejected = decision.decision == e.Choice.REJECT
        match waiting.action:
            case a.Answer() as answer if rejected:
                endings.fail(
                    run, routine, endings.Rejected(f"the answer {answer.text!r} was rejected: {fact.reason}")
                )
            case a.Answer() as answer if decision.decision == e.Choice.EDIT:
                endings.commit(run, replace(answer, text=decision.subject, calls=()))
            case a.Answer() as answer:
                endings.commit(run, answer)
            case a.Fork() | a.Merge() as action if rejected:
                count = len(action.children) if isinstance(action, a.Fork) else 1
                run.emit(e.ForkRejected(branch=routine.branch, reason=ForkRefusal.APPROVAL))
                run.ready.append((routine, a.Forked(ids=(None,) * count, rejected=ForkRefusal.APPROVAL)))
            case a.Fork() | a.Merge() as action:
                run.ready.append((routine, self._fork_decided(routine, action, decision)))
            case _:
                run.ready.append((routine, decision))

    def _fork_decided(
        self, routine: Routine, action: a.Fork | a.Merge, decision: a.Decision
    ) -> a.Forked | PolicyBroken:
        """The outcome of a fork that a person approved; the refusal, if what is left of it reads what is gone."""
        try:
            match action:
                case a.Fork() if decision.decision == e.Choice.EDIT:
                    children = outside.edited_children(action, decision.subject)
                    return forks.fork_in_places(self._run, routine, action, children)
                case a.Fork():
                    return forks.fork(self._run, routine, action)
                case a.Merge():
                    return forks.merge(self._run, routine, action)
        except PolicyBroken as refusal:
            return refusal

    # -- running ----------------------------------------------

    def _settle(self) -> None:
        """Let everything run that can, until all routines wait."""
        run = self._run
        while True:
            while run.ready:
                routine, outcome = run.ready.popleft()
                if self.state.branches[routine.branch].live:
                    self._advance(routine, outcome)
            decodes.go_on_with_streams(run)
            if not decodes.start_decodes(run):
                break
        if run.ending is not None and not decodes.decoding_now(run) and not self.over:
            run.emit(run.ending)

    def _waiting(self, branch: BranchId) -> Waiting | None:
        routine = self._run.routines.get(branch)
        return routine.waiting if routine is not None and self.state.branches[branch].live else None

    def _start_trunk(self) -> None:
        spec = self._run.spec
        problem = replace(spec.problem, token_price=self.state.limits.price_of(spec.model).completion)
        generator = policy_named(spec.policy).start(problem, spec.params)
        routine = self._run.routines[TRUNK] = Routine(branch=TRUNK, generator=generator)
        self._run.ready.append((routine, None))

    def _advance(self, routine: Routine, outcome: Any) -> None:
        """Run a generator until it waits or ends."""
        routine.waiting = None
        while routine.waiting is None:
            try:
                if isinstance(outcome, Exception):
                    action = routine.generator.throw(outcome)
                else:
                    action = routine.generator.send(outcome)
                outcome = self._perform(routine, action)
            except StopIteration as stop:
                self._give_back(routine, stop.value)
                return
            except Exception as error:  # noqa: BLE001  # anyone's code: its fault ends its branch, in the journal
                endings.fail(self._run, routine, error)
                return

    def _give_back(self, routine: Routine, answer: a.Answer) -> None:
        if routine.branch == TRUNK and outside.gated(self._run, "answer"):
            outside.ask(self._run, routine, answer, outside.answer_request(answer))
        else:
            endings.give_back(self._run, routine, answer)

    def _perform(self, routine: Routine, action: Any) -> Any:
        """Do what can be done at once and give its outcome; otherwise set `routine.waiting`."""
        run, branch = self._run, routine.branch
        match action:
            case a.Think():
                return decodes.think(run, routine, action)
            case a.ToolCall():
                return decodes.run_tool(run, routine, action)
            case a.Fork() | a.Merge() if outside.gated(run, "fork"):
                reads.refuse_impossible_fork(run, branch, action)
                return outside.ask(run, routine, action, outside.fork_request(action))
            case a.Fork():
                return forks.fork(run, routine, action)
            case a.Merge():
                return forks.merge(run, routine, action)
            case a.Join():
                return joins.join(run, routine, action)
            case a.Vote():
                return outside.vote(run, routine, action)
            case a.Score():
                return outside.score(run, routine, action)
            case a.Approve():
                return outside.approve(run, routine, action)
            case a.AskRoom():
                return room.ask(run, routine, action)
            case a.Splice():
                decodes.splice(run, routine, action)
            case a.Post():
                run.emit(e.TextPosted(branch=branch, text=action.text))
                return outside.board(run, routine)
            case a.Prune():
                run.emit(e.BranchesPruned(branch=branch, pruned=action.branches, rule=action.rule))
                endings.cancel(run, action.branches, f"pruned: {action.rule}", e.CancelledBy.POLICY)
            case a.Cancel():
                endings.cancel(run, action.branches, action.reason, e.CancelledBy.POLICY)
            case a.Malformed() | a.Explain():
                run.emit(outside.note(branch, action))
            case _:
                raise PolicyBroken(f"{action!r} is no action")
        return None
