"""Runs one job in one organizer: facts in, journal, then commands out. The walk of a job is this loop."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import metrics_of
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.interpreter import Interpreter, Step
from anabranch.dag.interpreter.hedges import fact_of_end
from anabranch.service.organizer.job.context import JobContext
from anabranch.service.organizer.job.hedging import Hedging
from anabranch.service.organizer.job.join_timers import JoinTimers
from anabranch.service.organizer.job.lost_decodes import keep_final_text
from anabranch.service.organizer.job.requests import request_of
from anabranch.service.organizer.job.resume import Resumed
from anabranch.service.organizer.job.timers import Timers
from anabranch.service.store.rows import Checkpoint
from anabranch.workers.errors import DecodeError
from anabranch.workers.messages import DecodeRequest, Key, Message, SegmentDone, TextPiece

Fact = Callable[[Interpreter], Step]
"""Something that happened, still to be told to the interpreter."""

FACTS = 64
"""Facts that are computed and stored at once: more wait until others had their turn on the loop."""

_Recalled = tuple[int, BranchId, int, tuple[Decoded, ...]]
"""When the origin had this outcome; branch, first segment, and the segments."""


class JobRun:
    """Runs a claimed job until it ends, parks, or is taken away."""

    def __init__(self, job: JobId, trace_id: str, resumed: Resumed, context: JobContext) -> None:
        self.job = job
        self._trace_id = trace_id
        self._interpreter, past = resumed.interpreter, resumed.past
        self._context = context
        self._seq = past.seq
        self._graph = past.graph
        self._deadline = past.time_limits.untold(context.now())
        self._branch_deadlines = past.branch_deadlines
        self._inbox: asyncio.Queue[Fact] = asyncio.Queue()
        self._texts = context.texts
        self._delayed: dict[Key, asyncio.TimerHandle] = {}
        self._tools: dict[Key, asyncio.Task[None]] = {}
        state, pool, rooms = self._interpreter.state, context.pool, context.rooms
        self._hedging = Hedging(job, state, past.stragglers, pool, rooms, context.now, self.tell)
        self._timers = Timers()
        self._joins = JoinTimers(self._timers, past.joins)
        self._alarms = Timers()
        """Deadlines: they follow from the journal, so a parked job need not be kept in memory for them."""
        self.due_in: float | None = None
        """Seconds after which a job that was parked must be taken up again, for its next deadline."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None
        for due, cancelled in past.due.values():
            self._at(due, cancelled)
        for branch, seq in past.opened.items():
            started = self._interpreter.state.branches[branch].open
            assert started is not None
            self._texts.began(started, seq)

    # -- in ----------------------------------------------

    def tell(self, fact: e.Event) -> None:
        """Something happened outside: a claim, a cancel, a decision, a deadline."""
        self._inbox.put_nowait(lambda interpreter: interpreter.feed(fact))

    def _deliver(self, message: Message) -> None:
        match self._hedging.take(message):
            case TextPiece() as piece:
                self._texts.add(piece)
            case SegmentDone(key=key, segment=segment, decoded=decoded):
                if not self._hedging.is_double(key):
                    self._texts.ended(key.branch, segment)
                started = self._interpreter.state.branches[key.branch].open
                self._finish(key.branch, segment, keep_final_text(started, decoded), key.copy)
            case None:
                pass

    def _finish(self, branch: BranchId, segment: int, decoded: Decoded, copy: int = 0) -> None:
        end = partial(fact_of_end, branch=branch, segment=segment, decoded=decoded, copy=copy)
        self._inbox.put_nowait(lambda interpreter: interpreter.feed(end(interpreter.state)))

    @property
    def over(self) -> bool:
        return self._interpreter.over

    # -- the loop ----------------------------------------------

    async def run(self) -> None:
        """Until the job has ended or is parked. Raises Fenced when it belongs to another organizer by now; whatever is
        raised, nothing of this job goes on here afterwards."""
        for due, fact in self._deadline:
            self._at(due, fact)
        try:
            while not self._interpreter.over and not self._parked():
                steps = self._compute(await self._inbox.get())
                if self._broken is not None:
                    raise self._broken
                await self._record([event for step in steps for event in step.events])
                self._hedging.watch()
                self._carry_out([command for step in steps for command in step.commands])
                self._context.rooms.note(self.job, self._interpreter, self.tell)
                del steps  # while the next fact is waited for, nothing of it is kept
        finally:
            self._let_go()

    def _compute(self, fact: Fact) -> list[Step]:
        """What follows from this fact, and from others that have come: at most FACTS."""
        with self._context.computing():
            steps = [fact(self._interpreter)]
            while len(steps) < FACTS and not self._inbox.empty():
                steps.append(self._inbox.get_nowait()(self._interpreter))
        return steps

    def _parked(self) -> bool:
        """Only people are waited for: no process is needed until one has decided."""
        state = self._interpreter.state
        waits_for_people = bool(state.approvals) and not state.open_segments and not state.hedges
        return waits_for_people and not self._tasks and not self._timers and self._inbox.empty()

    async def _record(self, events: Sequence[e.Event]) -> None:
        """Make events durable. Metrics go with the last ones, so that an ended job always has them."""
        if not events:
            return
        at = datetime.fromtimestamp(self._context.now(), UTC)
        with self._context.computing():
            for event in events:
                self._seq += 1
                self._note(
                    e.Record(job=self.job, seq=self._seq, epoch=0, at=at, event=event, prev_hash="", hash="")
                )
            metrics = metrics_of(self._graph) if self._interpreter.over else None
        await self._context.append(events, metrics)

    def _note(self, record: e.Record) -> None:
        self._graph.add(record)
        self._texts.note(record)
        self._hedging.note(record)
        self._joins.note(record)
        for due, fact in self._branch_deadlines.begun(record):
            self._at(due, fact)

    # -- out ----------------------------------------------

    def _carry_out(self, commands: Sequence[c.Command]) -> None:
        """Do what was decided. Decodes that were decided together travel together."""
        together: list[DecodeRequest] = []
        aborted: list[c.Abort] = []
        recalled: list[_Recalled] = []
        for command in commands:
            match command:
                case c.Decode() if (known := self._recalled(command)) is not None:
                    recalled.append(known)
                case c.Decode() if command.delay > 0:
                    request = self._request(command)
                    start = partial(self._start, [request])
                    self._delayed[request.key] = self._timers.set(command.delay, start)
                case c.Decode():
                    together.append(self._request(command))
                case c.Abort():
                    aborted.append(command)  # of the same step, perhaps: the pool must know it first
                case c.Expire():
                    expired = partial(Interpreter.expired, branch=command.branch, join=command.join)
                    self._joins.set(command, partial(self._inbox.put_nowait, expired), self._context.now())
                case c.Compare():
                    self._spawn(self._compare(command))
                case c.Verify():
                    self._spawn(self._verify(command))
                case c.RunTool():
                    self._run_tool(command)
                case c.AskRoom():
                    self.tell(self._context.rooms.answer(command, self._interpreter.state))
        self._start(together)
        for command in aborted:
            self._abort(command)
        for _, branch, first, segments in sorted(recalled, key=lambda known: known[0]):
            for segment, decoded in enumerate(segments, start=first):
                self._finish(branch, segment, decoded)

    def resume(self, commands: Sequence[c.Command]) -> None:
        """Ask again for what was owed when the last organizer was lost."""
        self._carry_out(commands)

    def _start(self, requests: Sequence[DecodeRequest]) -> None:
        for request in requests:
            self._delayed.pop(request.key, None)
        if requests:
            self._context.pool.start(requests, self._deliver)

    def _recalled(self, command: c.Decode) -> _Recalled | None:
        """What the job that this one was edited from was answered, when it asked the same."""
        recall = self._context.recall
        segments = recall.of_decode(command) if recall is not None else ()
        if recall is None or not segments:
            return None
        return recall.order(command), command.branch, command.segment, segments

    def _abort(self, command: c.Abort) -> None:
        """Stop what decodes; what the pool does not have yet, or never gets, ends here."""
        key = self._key(command.branch, command.segment)
        delayed, tool = self._delayed.pop(key, None), self._tools.pop(key, None)
        if delayed is not None:
            self._timers.cancel(delayed)
        if tool is not None:
            tool.cancel()
        if delayed is None and tool is None:
            self._context.pool.abort(self._hedging.running(key, command.copy))
        else:
            self._finish(command.branch, command.segment, Decoded(text="", finish=Finish.ABORT))

    def _key(self, branch: BranchId, segment: int) -> Key:
        return Key(job=self.job, branch=branch, segment=segment)

    def _request(self, command: c.Decode) -> DecodeRequest:
        spec = self._interpreter.state.spec
        assert spec is not None
        request = request_of(command, self.job, spec, self._trace_id, self._context.now())
        self._hedging.began(request.key)
        return request

    async def _compare(self, command: c.Compare) -> None:
        groups = await self._context.checks.compare(command.answers)
        self._inbox.put_nowait(lambda interpreter: interpreter.judged(command.branch, groups))

    async def _verify(self, command: c.Verify) -> None:
        scores, details = await self._context.checks.verify(command.verifier, command.values)
        by = command.verifier.kind
        self.tell(e.BranchScored(branch=command.branch, scores=scores, by=by, details=details))

    def _run_tool(self, command: c.RunTool) -> None:
        recall = self._context.recall
        known = recall.of_tool(command) if recall is not None else None
        if known is not None:
            self._finish(command.branch, command.segment, known)
        else:
            self._tools[self._key(command.branch, command.segment)] = self._spawn(self._use_tool(command))

    async def _use_tool(self, command: c.RunTool) -> None:
        try:
            text = await self._context.checks.run_tool(command.tool, command.arguments)
            decoded = Decoded(text=text, finish=Finish.EOS, engine=f"tool:{command.tool}")
        except DecodeError as error:
            decoded = Decoded(text="", finish=Finish.ERROR, fault=error.fault, engine=f"tool:{command.tool}")
        self._tools.pop(self._key(command.branch, command.segment), None)
        self._finish(command.branch, command.segment, decoded)

    # -- beside the loop ----------------------------------------------

    def checkpoints(self, *, everything: bool) -> tuple[Checkpoint, ...]:
        """Text to be saved now; for a clean hand-over, all that is not saved yet, and where none has come."""
        partials = self._texts.all_to_hand_over() if everything else self._texts.due()
        branches = self._interpreter.state.branches
        return tuple(partial.checkpoint(branches[partial.branch].attempt) for partial in partials)

    def _at(self, due: float, fact: e.Event) -> None:
        """Tell this fact at that moment (Unix seconds), or now if it has passed."""
        seconds = due - self._context.now()
        if seconds <= 0:
            self.tell(fact)
        else:
            self._alarms.set(seconds, partial(self.tell, fact))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._worked)
        return task

    def _worked(self, task: asyncio.Task[None]) -> None:
        """A check that broke breaks the run, which is then taken up again from the journal."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error
            self._inbox.put_nowait(lambda _: Step())

    def _let_go(self) -> None:
        self.due_in = self._alarms.next_in()
        self._timers.cancel_all()
        self._alarms.cancel_all()
        for task in self._tasks:
            task.cancel()
        self._hedging.stop()
        self._context.rooms.forget(self.job)
        self._context.pool.abort(self._hedging.open_keys())
