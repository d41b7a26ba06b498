"""A response is a job and what was sent for it; conversations are read back from the last of them."""

from typing import Any

import pytest
from tests.service.store.scenes import ended, new_job, rows_of, submitted

from anabranch.dag.ids import JobId
from anabranch.dag.status import JobStatus
from anabranch.service.store.errors import IdempotencyConflict, NotFound
from anabranch.service.store.rows import NewResponse
from anabranch.service.store.store import Store

ASKED: dict[str, Any] = {"input": "Why \x00?", "text": {"format": {"schema": {"b": 1, "a": 2.5}}}}
READABLE = ASKED | {"input": "Why \ufffd?"}


def response(previous: JobId | None = None, **sent: Any) -> NewResponse:
    return NewResponse(request=ASKED | sent, previous=previous)


async def test_a_response_is_there_with_its_job(store: Store) -> None:
    made = await submitted(store, tenant="acme", response=response())
    found = await store.responses.get(made.id, "acme")
    assert (found.job, found.request) == (made, READABLE)
    assert await store.responses.get(made.id) == found


async def test_only_a_response_is_found(store: Store) -> None:
    job = await submitted(store)
    other = await submitted(store, tenant="acme", response=response())
    for id_, tenant in ((job.id, None), (other.id, "other"), (JobId("nothing\x00"), None)):
        with pytest.raises(NotFound, match="There is no response"):
            await store.responses.get(id_, tenant)
        with pytest.raises(NotFound, match="There is no response"):
            await store.responses.delete(id_, "deleted", tenant)
    assert (await store.jobs.get(other.id)).cancel_requested is None


async def test_what_is_refused_leaves_no_response(store: Store) -> None:
    await store.jobs.submit(new_job(idempotency_key="k", body_digest="d", response=response()))
    with pytest.raises(IdempotencyConflict):
        await store.jobs.submit(new_job(idempotency_key="k", body_digest="other", response=response()))
    again = await store.jobs.submit(new_job(idempotency_key="k", body_digest="d", response=response()))
    assert not again.created
    assert len(await rows_of(store, "SELECT 1 FROM responses")) == 1


async def test_a_conversation_is_read_back_from_its_last_response(store: Store) -> None:
    first = await ended(store, response=response(input="one"))
    other = await ended(store, response=response(first.id, input="beside"))
    second = await ended(store, response=response(first.id, input="two"))
    third = await submitted(store, response=response(second.id, input="three"))
    turns = await store.responses.read_conversation(third.id, 100)
    assert [(turn.job, turn.request["input"], turn.previous) for turn in turns] == [
        (first.id, "one", None),
        (second.id, "two", first.id),
        (third.id, "three", second.id),
    ]
    assert [turn.status for turn in turns] == [JobStatus.SUCCEEDED, JobStatus.SUCCEEDED, JobStatus.QUEUED]
    assert [turn.answer and turn.answer["text"] for turn in turns] == ["42", "42", None]
    beside = await store.responses.read_conversation(other.id, 100)
    assert [turn.job for turn in beside] == [first.id, other.id]


async def test_a_conversation_ends_at_its_bound_at_a_gap_and_at_a_tenants_border(store: Store) -> None:
    ids: list[JobId] = []
    for _ in range(4):
        previous = ids[-1] if ids else None
        ids.append((await submitted(store, tenant="acme", response=response(previous))).id)

    async def read(most: int = 100, tenant: str | None = "acme") -> list[JobId]:
        return [turn.job for turn in await store.responses.read_conversation(ids[-1], most, tenant)]

    assert await read() == ids
    assert await read(most=2) == ids[2:]
    assert await read(tenant="other") == []
    await store.responses.delete(ids[1], "deleted", "acme")
    assert await read() == ids[2:]


async def test_a_deleted_response_is_gone_and_its_job_stays(store: Store) -> None:
    done = await ended(store, response=response())
    await store.responses.delete(done.id, "deleted")
    with pytest.raises(NotFound):
        await store.responses.get(done.id)
    assert await store.jobs.get(done.id) == done
    assert not await rows_of(store, "SELECT 1 FROM responses")


async def test_deleting_cancels_what_has_not_ended(store: Store) -> None:
    job = await submitted(store, response=response())
    await store.responses.delete(job.id, "the response was deleted")
    assert (await store.jobs.get(job.id)).cancel_requested == "the response was deleted"


async def test_a_purge_takes_responses_along(store: Store) -> None:
    done = await ended(store, response=response())
    assert done.finished_at is not None
    assert await store.maintenance.purge(done.finished_at.replace(year=done.finished_at.year + 1)) == 1
    assert not await rows_of(store, "SELECT 1 FROM responses")
