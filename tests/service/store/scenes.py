"""What happens before the thing under test: jobs submitted, claimed, forked, ended."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Row, event, text

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Timing, Usage
from anabranch.dag.ids import TRUNK, BranchId, child_of
from anabranch.dag.job import JobSpec
from anabranch.dag.text import say
from anabranch.service.store.rows import Claim, JobRow, NewJob
from anabranch.service.store.store import Store

LEASE = 30.0


async def rows_of(store: Store, query: str, **values: str) -> Sequence[Row[Any]]:
    """What is in the tables, by SQL."""
    return await store.database.read(lambda connection: connection.execute(text(query), values).all())


Statement = tuple[str, Any]


@contextmanager
def recorded(store: Store) -> Iterator[list[Statement]]:
    """The statements that are executed on this store meanwhile, with their parameters."""
    heard: list[Statement] = []

    def hear(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if connection.engine.url == store.database.url:  # services of other tests may run in this process
            heard.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


class Steps:
    """Counts what SQLite's machine does for the transactions that write: what they cost, on any computer alike."""

    def __init__(self) -> None:
        self.count = 0

    async def of(self, store: Store) -> "Steps":
        await store.database.write(self._listen)
        return self

    def _listen(self, connection: Connection) -> None:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.set_progress_handler(self._hear, 10)

    def _hear(self) -> int:
        self.count += 10
        return 0


def new_job(question: str = "What is 6 × 7?", **more: Any) -> NewJob:
    """A job to submit; `priority` and `policy` go into its spec."""
    spec = JobSpec(
        messages=(say("user", question),),
        policy=more.pop("policy", "self-consistency"),
        priority=more.pop("priority", 5),
    )
    return NewJob(spec=spec, policy_version="v1", trace_id="ab" * 16, **more)


async def submitted(store: Store, *args: Any, **more: Any) -> JobRow:
    return (await store.jobs.submit(new_job(*args, **more))).job


async def claimed(store: Store, owner: str = "organizer", lease: float = LEASE, **more: Any) -> Claim:
    """A new job in this owner's hands, with its JobClaimed."""
    job = await submitted(store, **more)
    claim = next(claim for claim in await store.queue.claim(owner, lease, 1000) if claim.job == job.id)
    await store.journal.append(claim.job, claim.epoch, [e.JobClaimed(owner=owner, attempt=claim.attempt)])
    return claim


def forked(*children: int) -> list[e.Event]:
    return [e.BranchForked(child=child_of(TRUNK, child), role="worker") for child in children]


def started(branch: BranchId, segment: int = 1) -> e.SegmentStarted:
    return e.SegmentStarted(branch=branch, segment=segment)


def finished(branch: BranchId, tokens: int = 5, segment: int = 1, **extra: Any) -> e.SegmentFinished:
    decoded = Decoded(
        text="So it is 42.",
        finish=Finish.EOS,
        usage=Usage(prompt_tokens=20, cached_tokens=16, completion_tokens=tokens),
        timing=Timing(submitted=1.0, admitted=2.0, scheduled=3.0, first_token=4.0, finished=5.5),
        replica="r1",
        engine="scripted",
        extra=extra,
    )
    return e.SegmentFinished(branch=branch, segment=segment, attempt=1, decoded=decoded)


def answered(text: str = "42") -> list[e.Event]:
    """How a job ends well."""
    return [e.AnswerCommitted(text=text), e.BranchReturned(value=text), e.JobSucceeded()]


async def ended(store: Store, **more: Any) -> JobRow:
    """A job with its answer."""
    claim = await claimed(store, **more)
    await store.journal.append(claim.job, claim.epoch, answered())
    return await store.jobs.get(claim.job)
