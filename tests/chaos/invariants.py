"""What must hold of every job, whatever happened to the processes that worked on it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.faults import Meter

from anabranch.dag import events as e
from anabranch.dag.decoding import Finish
from anabranch.dag.errors import DagError
from anabranch.dag.ids import JobId
from anabranch.dag.journal.replay import replay
from anabranch.service.store.rows import JobRow
from anabranch.service.store.store import Store


async def violations(url: str, jobs: Sequence[JobId], meter: Meter | None = None) -> list[str]:
    """Each broken promise, in words; empty when all were kept. `meter` knows what the engine told."""
    found: list[str] = []
    async with Store(url) as store:
        for job in jobs:
            row, records = await store.jobs.get(job), await store.journal.read(job)
            audit = await store.maintenance.audit(job)
            found += [f"{job}: {told}" for told in _of_journal(row, records)]
            found += [] if audit.sound else [f"{job}: audit: {audit.broken} {audit.differences[:3]}"]
            projected = sum(branch.usage.completion_tokens for branch in await store.jobs.list_branches(job))
            if projected != row.usage.completion_tokens:
                found.append(f"{job}: branches say {projected} tokens, the job {row.usage.completion_tokens}")
            if meter is not None:
                found += [f"{job}: {told}" for told in _of_meter(job, records, meter)]
    return found


def _of_journal(row: JobRow, records: Sequence[e.Record]) -> Iterator[str]:
    events = [record.event for record in records]
    if row.finished_at is None:
        yield f"lost: it is {row.status} at event {row.head_seq}"
    if [record.seq for record in records] != list(range(1, len(records) + 1)):
        yield "its journal has a gap"
    if (ends := sum(isinstance(event, e.TERMINAL_OF_JOB) for event in events)) != 1:
        yield f"{ends} terminal events"
    branches = {"0", *(event.child for event in events if isinstance(event, e.BranchForked))}
    ended = Counter(event.branch for event in events if isinstance(event, e.TERMINAL_OF_BRANCH))
    if ended != Counter(branches):
        yield f"terminal events of its branches: {dict(ended)} for {sorted(branches)}"
    epochs = [record.epoch for record in records]
    if epochs != sorted(epochs):
        yield "an older claim wrote after a newer one"
    claims = Counter(record.epoch for record in records if isinstance(record.event, e.JobClaimed))
    if any(count > 1 for count in claims.values()):
        yield f"claimed twice in one epoch: {dict(claims)}"
    yield from _of_ledger(row, events)
    try:
        if not replay(records).over:
            yield "its replay does not end"
    except DagError as error:
        yield f"its replay differs: {error}"


def _of_ledger(row: JobRow, events: Sequence[e.Event]) -> Iterator[str]:
    finished = [event for event in events if isinstance(event, e.SegmentFinished)]
    lost = [event for event in events if isinstance(event, e.HedgeLost)]
    ended = [event for event in events if isinstance(event, e.SegmentFinished | e.HedgeLost)]
    tokens = sum(event.decoded.usage.completion_tokens for event in ended)
    metrics: Mapping[str, int] = row.metrics or {}
    if {tokens} != {row.usage.completion_tokens, metrics.get("total_tokens", tokens)}:
        yield f"tokens: journal {tokens}, job {row.usage.completion_tokens}, metrics {metrics}"
    twice = [key for key, n in Counter((f.branch, f.segment) for f in finished).items() if n > 1]
    if twice:
        yield f"segments that ended twice: {twice}"
    hedged = [event for event in events if isinstance(event, e.SegmentHedged)]
    booked, begun = (
        Counter((each.branch, each.segment, each.attempt) for each in of) for of in (lost, hedged)
    )
    if booked != begun:
        yield f"second decodes {dict(begun)}, booked as lost {dict(booked)}"
    if row.spec.budget.tokens is not None and tokens > row.spec.budget.tokens:
        yield f"spent {tokens} tokens of {row.spec.budget.tokens}"
    if row.spec.budget.cost is not None and row.cost > row.spec.budget.cost + 1e-9:
        yield f"spent {row.cost} of {row.spec.budget.cost}"


def _of_meter(job: JobId, records: Sequence[e.Record], meter: Meter) -> Iterator[str]:
    """No token is booked that the engine did not tell, and none of them under another number."""
    for record in records:
        if not isinstance(record.event, e.SegmentFinished | e.HedgeLost):
            continue
        event, decoded = record.event, record.event.decoded
        segment = (job, event.branch, event.segment, event.copy)
        lost = decoded.fault is not None and decoded.fault.cause == "organizer-lost"
        if decoded.usage_at_least != (decoded.finish is Finish.INTERRUPTED or lost):
            yield f"{segment}: at least {decoded.usage}, and {decoded.finish}"
        if decoded.usage_at_least:
            if decoded.usage.completion_tokens > meter.pieces.get(segment, 0):
                yield f"{segment}: {decoded.usage.completion_tokens} tokens were saved that nobody told"
        elif decoded.finish is Finish.ABORT and segment not in meter.reported:
            if decoded.usage.completion_tokens:
                yield f"{segment}: tokens of a decode that never began"
        elif decoded.usage not in meter.reported.get(segment, ()):
            yield f"{segment}: booked {decoded.usage}, the engine told {meter.reported.get(segment)}"
