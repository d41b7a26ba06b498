"""Has late decodes of a job started once more, where its operator allows that, and tells which messages still count.

Decided here is only that a decode is late, by the clock; whether it may be decoded twice is the interpreter's to say
(`dag/interpreter/hedges.py`), after the fact is in the journal. Each of the two ends once: what comes of a decode that
has ended is dropped, so its tokens are booked once, whatever is told twice.
"""

from collections.abc import Callable
from dataclasses import replace

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter.hedges import may_hedge
from anabranch.dag.state import JobState
from anabranch.service.organizer.job.stragglers import Stragglers
from anabranch.service.organizer.job.timers import Timers
from anabranch.workers.messages import Key, Message, SegmentDone, TextPiece
from anabranch.workers.pool.protocol import Pool


class Hedging:
    """The decodes of one job that are late, and those that run twice."""

    def __init__(
        self, state: JobState, pool: Pool, now: Callable[[], float], tell: Callable[[e.Event], None]
    ) -> None:
        self._state = state
        self._pool = pool
        self._now = now
        self._tell = tell
        self._stragglers = Stragglers() if state.limits.hedge > 0 else None
        self._keys: dict[BranchId, Key] = {}
        """The decode that each branch began last."""
        self._running: dict[Key, bool] = {}
        """Of decodes that were started twice: whether each has still to end."""
        self._timers = Timers()

    def note(self, record: e.Record) -> None:
        """Reads the journal."""
        if self._stragglers is not None:
            self._stragglers.note(record)

    def began(self, key: Key) -> None:
        """A decode was asked for."""
        if key.copy:
            self._running |= {replace(key, copy=0): True, key: True}
        self._keys[key.branch] = replace(key, copy=0)

    def counts(self, message: Message) -> bool:
        """Whether this message still matters: of a decode that is neither given up nor ended already."""
        key = message.key
        if key not in self._running:
            return self._keys.get(key.branch) == key
        if not self._running[key]:
            return False
        if isinstance(message, SegmentDone):
            self._running[key] = message.decoded.open
        return isinstance(message, SegmentDone) or not key.copy

    def is_double(self, key: Key) -> bool:
        """Whether this is one of two decodes: its end need not be its segment's."""
        return key in self._running

    def heard(self, piece: TextPiece) -> None:
        """A decode says something."""
        if self._stragglers is not None:
            self._stragglers.heard(piece.key.branch, piece.segment, piece.tokens, self._now())

    def copies(self, key: Key) -> tuple[Key, ...]:
        """The decode, and the one beside it."""
        return tuple(each for each in (key, replace(key, copy=1)) if each == key or each in self._running)

    def open_keys(self) -> list[Key]:
        """All decodes that have not ended."""
        twice = [key for key, runs in self._running.items() if runs]
        return twice + [self._keys[branch] for branch in self._state.open_segments if branch in self._keys]

    def watch(self) -> None:
        """Sets the alarm for the next decode that may be late."""
        if self._stragglers is None:
            return
        self._timers.cancel_all()
        due = self._stragglers.next_look()
        if due is not None:
            self._timers.set(max(0.0, due - self._now()), self._look)

    def stop(self) -> None:
        self._timers.cancel_all()

    def _look(self) -> None:
        assert self._stragglers is not None
        now = self._now()
        for late in self._stragglers.late(now):
            key, opened = self._keys.get(late.branch), self._state.branches[late.branch].open
            if opened is None or not may_hedge(self._state, opened):
                continue
            if key is not None and self._pool.elsewhere(key):
                self._tell(late)
            else:
                self._stragglers.not_yet(late.branch, now)
        self.watch()
