"""Tells step by step what a client does: asks, waits, asks again, reads a stream, resumes it.

Each function is a generator. It yields what is to be done, is sent what came of it, and touches no socket and no clock
but the one it is given: `Client` and `AsyncClient` carry the same steps out, each in its own way.
"""

import codecs
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from anabranch.service.client import calls
from anabranch.service.client.calls import Call, Reply, Request, WhichText
from anabranch.service.client.errors import ClientError, JobNotEnded, ServiceAway, ServiceRefused, refusal
from anabranch.service.client.following import Place, Skipped
from anabranch.service.client.frames import FrameReader
from anabranch.service.client.results import Approval, Job
from anabranch.service.client.tries import Tries

T = TypeVar("T")
HELD_SECONDS = 30.0
"""How long the service holds one reply of a wait."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this; come back with the whole Reply."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """Send this; come back with the Reply's head, and keep it open (its body is read where it is no success)."""

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """Come back with what arrives next on what is open, as bytes; None at its end."""


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Give:
    """The caller gets this."""

    value: Any


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """Nothing is left to do."""

    value: T


Effect: TypeAlias = Send | Open | Read | Pause | Give
Outcome: TypeAlias = Reply | bytes | ServiceAway | None
Steps: TypeAlias = Generator[Effect, Any, T]


def advance(steps: Steps[T], outcome: Outcome) -> Effect | Done[T]:
    """What is to be done next, after this came of the step before (None at the beginning)."""
    try:
        return steps.throw(outcome) if isinstance(outcome, ServiceAway) else steps.send(outcome)
    except StopIteration as end:
        return Done(end.value)


class Wire:
    """The steps of one client. A trouble may last `retry_seconds` before it is told."""

    def __init__(self, url: str, retry_seconds: float, clock: Callable[[], float]) -> None:
        self.url = url
        self._retry_seconds, self._clock = retry_seconds, clock
        self._met = False
        """It has answered once. Until then a refused connection more likely means a wrong address."""

    def call(self, call: Call[T]) -> Steps[T]:
        """Ask until there is an answer, or until another try is not worth it."""
        return call.read((yield from self._answered(Send(call.request))))

    def wait(self, job: str, seconds: float | None) -> Steps[Job]:
        """The job when it has ended. Raises JobNotEnded when that takes longer."""
        deadline = None if seconds is None else self._clock() + seconds
        while True:
            left = HELD_SECONDS if deadline is None else deadline - self._clock()
            found = yield from self.call(calls.get(job, held=max(0.0, min(HELD_SECONDS, left))))
            if found.ended:
                return found
            if deadline is not None and self._clock() >= deadline:
                raise JobNotEnded(job, seconds or 0.0)

    def jobs(self, filters: calls.JobFilters, limit: int | None) -> Steps[None]:
        """Gives jobs, newest first, page by page: all of them, or the first `limit`."""
        left, cursor = limit, None
        while left is None or left > 0:
            size = calls.MAX_PAGE if left is None else min(left, calls.MAX_PAGE)
            page = yield from self.call(calls.jobs(filters, size, cursor))
            for job in islice(page.items, left):
                yield Give(job)
            if (cursor := page.next_cursor) is None:
                return
            left = None if left is None else left - len(page.items)

    def approvals(self, status: Literal["pending", "decided"]) -> Steps[tuple[Approval, ...]]:
        """All gates of this kind, asked for page by page."""
        found: list[Approval] = []
        cursor = None
        while True:
            page = yield from self.call(calls.approvals(status, cursor))
            found += page.items
            if (cursor := page.next_cursor) is None:
                return tuple(found)

    def events(self, job: str, after: int) -> Steps[None]:
        """Gives the events that are there now, page by page."""
        place: int | None = after
        while place is not None:
            page = yield from self.call(calls.events_page(job, place))
            for event in page.items:
                yield Give(event)
            place = page.next_after

    def follow(self, job: str, after: int, text: WhichText | None) -> Steps[None]:
        """Gives the job's events behind `after`, live, until its last one, and the text that was asked for between
        them. Whatever breaks in between, it is resumed where it broke."""
        place, tries = Place(f"the events of job {job}", after), self._tries()
        while not place.ended:
            try:
                head = yield from self._opened(calls.event_stream(job, place.seq, text))
                if head.status == 204:
                    return
                yield from self._read_stream(place, tries)
            except (ServiceAway, ServiceRefused, Skipped) as error:
                yield self._pause(
                    tries, ServiceAway(self.url, error) if isinstance(error, Skipped) else error
                )

    def export(self, job: str, form: str) -> Steps[None]:
        """Gives the export in pieces of text."""
        yield from self._pieces(calls.export(job, form))

    def batch_results(self, batch: str) -> Steps[None]:
        """Gives the results of a batch, in pieces of text."""
        yield from self._pieces(calls.batch_results(batch))

    def _pieces(self, request: Request) -> Steps[None]:
        """Gives a reply in pieces of text. One that breaks is not resumed: its beginning was given already."""
        yield from self._answered(Open(request))
        decoder = codecs.getincrementaldecoder("utf-8")()
        while (arrived := (yield Read())) is not None:
            yield Give(decoder.decode(arrived))

    def ready(self) -> Steps[bool]:
        """Whether a job can be answered now; nothing is tried twice."""
        asked = calls.ready()
        try:
            return asked.read((yield from self._good(Send(asked.request))))
        except (ServiceAway, ServiceRefused):
            return False

    def _answered(self, effect: Send | Open) -> Steps[Reply]:
        tries = self._tries()
        while True:
            try:
                return (yield from self._good(effect))
            except ClientError as error:
                yield self._pause(tries, error, repeatable=effect.request.repeatable)

    def _opened(self, request: Request) -> Steps[Reply]:
        return (yield from self._good(Open(request)))

    def _good(self, effect: Send | Open) -> Steps[Reply]:
        """The reply, if it is a success. Raises ServiceAway and ServiceRefused."""
        reply: Reply = yield effect
        self._met = True
        if not reply.good:
            raise refusal(effect.request.path, reply.status, reply.headers, reply.body)
        return reply

    def _read_stream(self, place: Place, tries: Tries) -> Steps[None]:
        reader = FrameReader()
        while not place.ended and (arrived := (yield Read())) is not None:
            tries.note_life()
            for frame in reader.feed(arrived):
                for item in place.read(frame):
                    yield Give(item)
        if not place.ended:
            raise ServiceAway(self.url, "the stream ended before the job did")

    def _pause(self, tries: Tries, error: ClientError, *, repeatable: bool = True) -> Pause:
        if isinstance(error, ServiceAway) and not self._met:
            raise error
        return Pause(tries.pause(error, repeatable=repeatable))

    def _tries(self) -> Tries:
        return Tries(self._retry_seconds, self._clock)
