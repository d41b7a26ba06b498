"""Has late decodes of a job started once more, where its operator allows that, and tells which messages still count.

Decided here is only that a decode is late, by the clock; whether it may be decoded twice is the interpreter's to say
(`dag/interpreter/hedges.py`), after the fact is in the journal. Each of the two ends once: what comes of a decode that
has ended is dropped, so its tokens are booked once, whatever is told twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from anabranch.dag import events as e
from anabranch.dag.decoding import Finish, Usage
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.interpreter.hedges import may_hedge
from anabranch.dag.state import JobState
from anabranch.service.organizer.job.stragglers import Stragglers
from anabranch.service.organizer.job.timers import Timers
from anabranch.service.organizer.rooms import Rooms
from anabranch.workers.messages import Key, Message, SegmentDone, TextPiece
from anabranch.workers.pool.protocol import Pool


@dataclass(slots=True)
class TwoRuns:
    """The two decodes of one segment."""

    open: list[Key]
    """Those that have still to end."""
    winner: int | None = None
    """The one whose end counts."""
    wasted: Usage = Usage()
    """Of the other one: what its segments cost that have ended."""

    def take(self, message: Message) -> Message | None:
        """A decode that does not count may be cut into several segments by tags, and ends once."""
        key = message.key
        if key not in self.open:
            return None
        if not isinstance(message, SegmentDone):
            return message if self.winner in (None, key.copy) else None
        decoded = message.decoded
        if not decoded.open:
            self.open.remove(key)
        if self.winner is None and decoded.finish is not Finish.ERROR:
            self.winner = key.copy
        if self.winner in (None, key.copy):
            return message
        self.wasted += decoded.usage
        if decoded.open:
            return None
        return replace(message, segment=key.segment, decoded=replace(decoded, usage=self.wasted))


class Hedging:
    """The decodes of one job that are late, and those that run twice."""

    def __init__(
        self,
        job: JobId,
        state: JobState,
        stragglers: Stragglers | None,
        pool: Pool,
        rooms: Rooms,
        now: Callable[[], float],
        tell: Callable[[e.Event], None],
    ) -> None:
        """`stragglers` know the job's past; None where nothing is to be started once more."""
        self._job = job
        self._state = state
        self._pool = pool
        self._now = now
        self._tell = tell
        self._rooms = rooms
        self._stragglers = stragglers
        self._keys: dict[BranchId, Key] = {}
        """The decode that each branch began last."""
        self._two: dict[tuple[BranchId, int], TwoRuns] = {}
        """The decodes that were started twice, by branch and first segment."""
        self._timers = Timers()

    def note(self, record: e.Record) -> None:
        """Reads the journal."""
        if self._stragglers is not None:
            self._stragglers.note(record)

    def began(self, key: Key) -> None:
        """A decode was asked for."""
        if not key.copy:
            self._keys[key.branch] = key
            return
        first = self._keys.pop(key.branch, None)  # gone where it has ended since it was late
        two = self._state.hedges.get(key.branch)
        winner = 0 if two is not None and two.left else None
        self._two[key.branch, key.segment] = TwoRuns([key] if first is None else [first, key], winner)

    def take(self, message: Message) -> Message | None:
        """The message, where it still matters: of a decode that is neither given up nor ended already. The end of one
        that does not count comes with all that it cost."""
        key = message.key
        two = self._two.get((key.branch, key.segment))
        if two is not None:
            return two.take(message)
        if self._keys.get(key.branch) != key:
            return None
        match message:
            case TextPiece():
                self._heard(message)
            case SegmentDone(decoded=decoded) if not decoded.open:
                del self._keys[key.branch]
            case _:
                pass
        return message

    def is_double(self, key: Key) -> bool:
        """Whether this is one of two decodes: its end need not be its segment's."""
        return (key.branch, key.segment) in self._two

    def _heard(self, piece: TextPiece) -> None:
        if self._stragglers is not None:
            self._stragglers.heard(piece.key.branch, piece.segment, piece.tokens, self._now())

    def running(self, key: Key, copy: int | None) -> tuple[Key, ...]:
        """The decode, and the one beside it; with `copy`, only that one."""
        two = self._two.get((key.branch, key.segment))
        open_ = (key,) if two is None else tuple(two.open)
        return tuple(each for each in open_ if copy in (None, each.copy))

    def open_keys(self) -> list[Key]:
        """All decodes that have not ended."""
        twice = [key for two in self._two.values() for key in two.open]
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
            elsewhere = key is not None and self._pool.elsewhere(key)
            if elsewhere and self._rooms.fits(self._job, self._state, opened.model):
                self._tell(late)
        self.watch()
