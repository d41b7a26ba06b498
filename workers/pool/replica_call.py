"""Calls one replica: what the call carries, and when its caller last heard of it.

The pool's promise is one last SegmentDone for each request. A replica that dies is told by Ray, but one that hangs, or
whose network is gone, is not, for minutes. So a replica says something each second, if only that it is there
(`replica/batcher.py`), and the caller ends a call that was silent for too long. That a replica has left the pool is no
reason to end a call by itself: one that is being replaced finishes what it decodes, and says so each second.
"""

import asyncio
from collections.abc import Iterable, Iterator

from anabranch.dag.decoding import Decoded, Fault
from anabranch.dag.vocabulary import Cause
from anabranch.workers.messages import DecodeRequest, Key, Message, SegmentDone
from anabranch.workers.pool.in_flight import InFlightCall
from anabranch.workers.prefixes import Transcripts
from anabranch.workers.replica.batcher import SIGN_SECONDS

LEFT_SECONDS = 1.5 * SIGN_SECONDS
"""Silence after which a call ends whose replica has left the pool: one sign of life was due and did not come."""


class ReplicaCall:
    """A call on its way to a replica and back."""

    def __init__(self, replica: str, flight: InFlightCall, now: float) -> None:
        """`now` is the event loop's time, in seconds."""
        self.replica = replica
        self.flight = flight
        self.requests = flight.open
        self._transcripts = Transcripts()
        self.accepted = False
        self.to_abort: set[Key] = set()
        """Asked for before the replica had taken the call up, when it would not know them."""
        self.heard_at = now
        self.given_up: Fault | None = None
        """Why its caller ended it."""
        self.task: asyncio.Task[None] | None = None

    def written(self, messages: Iterable[Message]) -> Iterator[tuple[DecodeRequest, str]]:
        """The decodes that end in these messages, with all that each has written: it is in its replica's cache."""
        for message in messages:
            text = self._transcripts.end(message)
            if text is not None and (request := self.flight.request(message.key)):
                yield request, text

    def give_up(self, reason: str) -> None:
        """Ends the call; its decodes are tried elsewhere, as after the replica's death."""
        if self.given_up is None and self.task is not None:
            self.given_up = Fault(cause=Cause.REPLICA_DIED, detail=f"replica {self.replica} {reason}")
            # Not at once: a task that is cancelled before its first step never runs, and would end nothing.
            self.task.get_loop().call_soon(self.task.cancel)


def stalled(message: Message) -> bool:
    """Its next try would find the same engine by its prefix."""
    match message:
        case SegmentDone(decoded=Decoded(fault=Fault(cause=Cause.TIMEOUT))):
            return True
    return False
