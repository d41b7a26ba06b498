"""Webhooks reach a real receiver, signed, at least once, whoever is killed; nothing here waits for a certain time."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook
from tests.service.webhooks.conftest import Apart, Deliver, Receiver

from anabranch.dag import events as e
from anabranch.dag.events import Event
from anabranch.dag.ids import TRUNK, JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.text import say
from anabranch.service.store.batches.batches import NewBatch
from anabranch.service.store.batches.files import NewFile
from anabranch.service.store.errors import NotFound
from anabranch.service.store.rows import NewJob
from anabranch.service.store.store import Store
from anabranch.service.store.webhooks.deliveries import About, Attempt, DeliveryRow
from anabranch.service.store.webhooks.rows import NewWebhook
from anabranch.service.webhooks.deliverer import PAUSES, Deliverer, Patience
from anabranch.service.webhooks.signing import draw_secret
from anabranch.service.webhooks.targets import read_networks

LONG = 60.0
SECRET = draw_secret()
FAILED = Attempt(number=1, at=datetime.now(UTC), status=500, error="it answered 500", seconds=0.1)
DAYS = timedelta(days=5)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(LONG):
        while not true():
            await asyncio.sleep(0.02)


async def submit(store: Store, webhook: NewWebhook | None = None, tenant: str = "acme") -> JobId:
    spec = JobSpec(
        messages=(say("user", "Six times seven?"),), policy="sequential", seed=1, metadata={"mine": 7}
    )
    new = NewJob(spec=spec, policy_version="1", trace_id="0" * 32, tenant=tenant, webhook=webhook)
    return (await store.jobs.submit(new)).job.id


async def append(store: Store, job: JobId, *events: Event) -> None:
    await store.journal.append(job, 1, events)


async def start(store: Store, job: JobId) -> None:
    for claim in await store.queue.claim("organizer-1", 60, 100):
        await append(store, claim.job, e.JobClaimed(owner="organizer-1", attempt=1))
    assert (await store.jobs.get(job)).epoch == 1


async def fail(store: Store, job: JobId) -> None:
    await append(
        store,
        job,
        e.BranchFailed(branch=TRUNK, cause="no-reason"),
        e.JobFailed(type="t", title="T", detail="d"),
    )


async def finish(store: Store, job: JobId) -> None:
    done = (
        e.AnswerCommitted(text="forty-two", sources=()),
        e.BranchReturned(branch=TRUNK, value="forty-two"),
        e.JobSucceeded(),
    )
    await append(store, job, *done)


async def empty_batch(store: Store, tenant: str) -> str:
    """A batch of no lines: nothing is left to be done."""
    file = await store.files.add(NewFile(tenant=tenant, filename="a", endpoint="/v1/jobs", bytes=0), [])
    new = NewBatch(
        tenant=tenant,
        file=file.id,
        endpoint="/v1/jobs",
        completion_window="24h",
        expires_at=datetime(2100, 1, 1, tzinfo=UTC),
        total=0,
    )
    return (await store.batches.create(new))[0].id


async def run_job(store: Store, webhook: NewWebhook | None = None) -> JobId:
    job = await submit(store, webhook)
    await start(store, job)
    await finish(store, job)
    return job


async def rows(store: Store, job: JobId) -> list[DeliveryRow]:
    return list(await store.webhooks.list_deliveries(None, job=job))


async def waiting(store: Store, jobs: list[JobId]) -> list[DeliveryRow]:
    return [row for job in jobs for row in await rows(store, job) if row.due is not None]


def to(url: str, *events: str) -> NewWebhook:
    return NewWebhook(url=url, secret=SECRET, events=events)


async def test_a_job_tells_what_becomes_of_it_to_its_own_endpoint_and_its_tenants(
    store: Store, receiver: Receiver, deliver: Deliver
) -> None:
    await store.webhooks.add("acme", to(receiver.url("/tenant"), "job.completed", "job.failed"))
    await store.webhooks.add("other", to(receiver.url("/other")))
    job = await run_job(store, to(receiver.url("/job")))
    deliver()
    await until(lambda: len(receiver.got()) >= 3)
    verified = [Webhook(SECRET).verify(one["body"].encode(), one["headers"]) for one in receiver.got("/job")]
    assert sorted(one["type"] for one in verified) == ["job.completed", "job.started"]
    ended = next(one for one in verified if one["type"] == "job.completed")
    assert (ended["data"]["id"], ended["data"]["status"]) == (job, "succeeded")
    assert ended["data"]["metadata"] == {"mine": 7}
    assert "forty-two" not in str(ended), "the answer is asked for by who may read it"
    (of_tenant,) = receiver.got("/tenant")
    same = [one for one in receiver.got("/job") if one["body"] == of_tenant["body"]]
    assert [one["headers"]["webhook-id"] for one in same] == [of_tenant["headers"]["webhook-id"]]
    assert receiver.got("/other") == []


async def test_gates_failures_and_cancels_are_told(store: Store) -> None:
    await store.webhooks.add("acme", to("https://example.com/"))
    asks = e.ApprovalRequested(
        approval=1, gate="plan", subject="A plan.", timeout=None, default=e.Choice.REJECT
    )
    one = await submit(store)
    await start(store, one)
    await append(store, one, asks)
    await append(store, one, e.BranchCancelled(branch=TRUNK, reason="asked"), e.JobCancelled(reason="asked"))
    assert [row.type for row in await rows(store, one)] == [
        "job.cancelled",
        "job.awaiting_approval",
        "job.started",
    ]
    failing = await submit(store)
    await start(store, failing)
    await fail(store, failing)
    assert [row.type for row in await rows(store, failing)] == ["job.failed", "job.started"]
    (gate,) = await store.jobs.list_approvals(job=one)
    taken = await store.webhooks.take(10, 60, [])
    assert any(gate.id in one.body for one in taken)


async def test_the_end_of_a_batch_is_told_to_its_tenant_once(
    store: Store, receiver: Receiver, deliver: Deliver
) -> None:
    await store.webhooks.add("acme", to(receiver.url("/all")))
    await store.webhooks.add("acme", to(receiver.url("/jobs"), "job.completed"))
    await store.webhooks.add("other", to(receiver.url("/other")))
    batch = await empty_batch(store, tenant="acme")
    assert await store.batches.end(batch) and await store.batches.end(batch)
    deliver()
    await until(lambda: receiver.got("/all"))
    (got,) = receiver.got()
    told = Webhook(SECRET).verify(got["body"].encode(), got["headers"])
    assert (told["type"], told["data"]["id"], got["headers"]["webhook-id"]) == (
        "batch.completed",
        batch,
        f"msg_{batch}",
    )
    assert told["data"]["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    async with asyncio.timeout(LONG):
        while not (row := (await store.webhooks.list_deliveries("acme"))[0]).delivered_at:
            await asyncio.sleep(0.02)
    assert (row.about, row.subject, [one.status for one in row.tries]) == (About.BATCH, batch, [204])


async def test_the_end_of_a_batch_that_was_cancelled_says_so(store: Store) -> None:
    await store.webhooks.add("acme", to("https://example.com/", "batch.cancelled"))
    await store.webhooks.add("acme", to("https://example.com/", "batch.completed"))
    batch = await empty_batch(store, tenant="acme")
    await store.batches.stop(batch, "cancelled")
    assert await store.batches.end(batch)
    (taken,) = await store.webhooks.take(10, 60, [])
    assert '"type":"batch.cancelled"' in taken.body
    assert await store.webhooks.take(10, 60, []) == [], "it is in that one's hands"
    gone = replace(FAILED, status=410)
    await store.webhooks.record(taken, gone, 5.0, DAYS)
    (row,) = await store.webhooks.list_deliveries(None)
    assert row.given_up_at is not None


async def test_who_does_not_listen_to_batches_keeps_it_from_nobody(store: Store) -> None:
    """Whichever endpoint comes first: ids are drawn by chance."""
    for _ in range(4):
        await store.webhooks.add("acme", to("https://example.com/", "job.completed"))
        await store.webhooks.add("acme", to("https://example.com/", "batch.completed"))
    assert await store.batches.end(await empty_batch(store, tenant="acme"))
    assert len(await store.webhooks.take(10, 60, [])) == 4


async def test_no_more_is_taken_than_can_be_sent(store: Store) -> None:
    await store.webhooks.add("acme", to("https://example.com/", "job.completed", "batch.completed"))
    for _ in range(2):
        await run_job(store)
        await store.batches.end(await empty_batch(store, tenant="acme"))
    taken = [await store.webhooks.take(3, 60, []) for _ in range(3)]
    assert [len(each) for each in taken] == [3, 1, 0]
    assert len({one.id for each in taken for one in each}) == 4


async def test_a_body_is_plain_ascii_and_tells_when_the_job_began_and_ended(store: Store) -> None:
    """Receivers sign over bytes, and not all of them read UTF-8 as we write it."""
    await store.webhooks.add("acme", to("https://example.com/", "job.completed", "job.cancelled"))
    spec = JobSpec(messages=(say("user", "?"),), policy="sequential", metadata={"wem": "Zoë"})
    for began in (True, False):
        new = NewJob(spec=spec, policy_version="1", trace_id="0" * 32, tenant="acme")
        job = (await store.jobs.submit(new)).job.id
        if began:
            await start(store, job)
            await finish(store, job)
        else:
            await store.queue.claim("organizer-1", 60, 100)
            await append(store, job, e.BranchCancelled(branch=TRUNK, reason="r"), e.JobCancelled(reason="r"))
    told = [
        json.loads(one.body)["data"] for one in await store.webhooks.take(10, 60, []) if one.body.isascii()
    ]
    assert [one["metadata"] for one in told] == [{"wem": "Zoë"}] * 2
    assert sorted((one["status"], one["started_at"] is not None) for one in told) == [
        ("cancelled", False),
        ("succeeded", True),
    ]
    assert all(one["finished_at"] for one in told)


def test_neither_url_nor_secret_is_in_a_log_of_a_webhook() -> None:
    assert repr(to("https://example.com/token", "job.failed")) == "NewWebhook(events=('job.failed',))"


@pytest.mark.parametrize(
    ("status", "succeeded"),
    [(None, False), (199, False), (200, True), (204, True), (299, True), (300, False)],
)
def test_only_an_answer_of_two_hundred_and_some_is_a_success(status: int | None, succeeded: bool) -> None:
    assert replace(FAILED, status=status).succeeded is succeeded


async def test_a_secret_that_was_replaced_signs_on_for_a_while(store: Store) -> None:
    endpoint = await store.webhooks.add("acme", to("https://example.com/"))
    new = draw_secret()
    await store.webhooks.replace_secret(endpoint.id, "acme", new, 60)
    await run_job(store)
    taken = (await store.webhooks.take(1, 0, []))[0]
    assert list(taken.secrets) == [new, SECRET]
    newest = draw_secret()
    await store.webhooks.replace_secret(endpoint.id, "acme", newest, 0)
    assert await store.webhooks.read_target(endpoint.id, "acme") == ("https://example.com/", [newest])
    with pytest.raises(NotFound):
        await store.webhooks.replace_secret(endpoint.id, "other", new, 0)


async def test_an_event_that_was_not_written_is_not_told(store: Store) -> None:
    await store.webhooks.add("acme", to("https://example.com/"))
    job = await run_job(store)
    before = await rows(store, job)
    with pytest.raises(Exception, match="has ended"):
        await finish(store, job)
    assert await rows(store, job) == before


async def test_a_second_organizer_does_not_start_the_job_again(store: Store) -> None:
    await store.webhooks.add("acme", to("https://example.com/", "job.started"))
    job = await submit(store)
    await start(store, job)
    await append(store, job, e.JobClaimed(owner="organizer-2", attempt=2))
    assert [row.type for row in await rows(store, job)] == ["job.started"]


async def test_what_a_killed_deliverer_was_sending_is_sent_again(
    store: Store, receiver: Receiver, deliver_apart: Apart
) -> None:
    job = await run_job(store, to(receiver.url("/holds"), "job.completed"))
    dying = deliver_apart(lease_seconds=2, attempt_seconds=600)
    await until(lambda: receiver.got("/holds"))
    dying.kill()
    dying.wait()
    deliver_apart(lease_seconds=600, attempt_seconds=600)
    await until(lambda: len(receiver.got("/holds")) == 2)
    first, second = receiver.got("/holds")
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]
    assert first["body"] == second["body"]
    ((row),) = await rows(store, job)
    assert (row.attempts, row.delivered_at) == (2, None)


async def test_of_two_deliverers_one_sends_a_delivery(
    store: Store, receiver: Receiver, deliver_apart: Apart
) -> None:
    for _ in range(2):
        deliver_apart()
    jobs = [await run_job(store, to(receiver.url("/job"), "job.completed")) for _ in range(8)]
    async with asyncio.timeout(LONG):
        while await waiting(store, jobs):
            await asyncio.sleep(0.02)
    ids = [one["headers"]["webhook-id"] for one in receiver.got()]
    assert len(ids) == len(set(ids)) == 8


async def test_failures_are_tried_again_and_then_given_up_and_can_be_read(
    store: Store, receiver: Receiver, deliver: Deliver
) -> None:
    job = await run_job(store, to(receiver.url("/fails"), "job.completed"))
    deliver(pauses=[0.01, 0.01])
    async with asyncio.timeout(LONG):
        while (row := (await rows(store, job))[0]).given_up_at is None:
            await asyncio.sleep(0.02)
    assert [(one.number, one.status, one.error) for one in row.tries] == [
        (number, 500, "it answered 500") for number in (1, 2, 3)
    ]
    assert row.due is None and len(receiver.got()) == 3


@pytest.mark.parametrize(
    "webhook", [to("https://a..b/x"), NewWebhook(url="https://example.com/", secret="short")]
)
async def test_what_cannot_be_sent_at_all_is_given_up_as_any_other_failure(
    store: Store, deliver: Deliver, webhook: NewWebhook
) -> None:
    """Such a URL was taken once, and what stands in the store may be damaged."""
    job = await run_job(store, replace(webhook, events=("job.completed",)))
    deliver(pauses=[0.01])
    async with asyncio.timeout(LONG):
        while (row := (await rows(store, job))[0]).given_up_at is None:
            await asyncio.sleep(0.02)
    assert [(one.number, one.status) for one in row.tries] == [(1, None), (2, None)]
    assert all(one.error for one in row.tries)


async def test_redirects_are_not_followed(store: Store, receiver: Receiver, deliver: Deliver) -> None:
    job = await run_job(store, to(receiver.url("/moved"), "job.completed"))
    deliver(pauses=[])
    async with asyncio.timeout(LONG):
        while (row := (await rows(store, job))[0]).given_up_at is None:
            await asyncio.sleep(0.02)
    assert [one.error for one in row.tries] == ["it answered 302"]
    assert [one["path"] for one in receiver.got()] == ["/moved"]


async def test_an_endpoint_that_is_gone_is_disabled_at_once(
    store: Store, receiver: Receiver, deliver: Deliver
) -> None:
    made = await store.webhooks.add("acme", to(receiver.url("/gone"), "job.completed"))
    deliver()
    job = await run_job(store)
    async with asyncio.timeout(LONG):
        while (found := await store.webhooks.get(made.id, "acme")).disabled_at is None:
            await asyncio.sleep(0.02)
    assert found.disabled_because == "it answered 410: gone"
    assert (await rows(store, job))[0].given_up_at is not None
    assert await rows(store, await run_job(store)) == [], "it hears of nothing more"
    await store.webhooks.enable(made.id, "acme")
    assert len(await rows(store, await run_job(store))) == 1


async def test_an_endpoint_that_fails_for_days_is_disabled(store: Store) -> None:
    made = await store.webhooks.add("acme", to("https://example.com/", "job.completed"))
    job = await run_job(store)
    await run_job(store)
    first, second = await store.webhooks.take(10, 60, [])
    await store.webhooks.record(first, FAILED, 60, DAYS)
    found = await store.webhooks.get(made.id, "acme")
    assert found.failing_since is not None and found.disabled_at is None
    await store.webhooks.record(second, FAILED, 60, timedelta(0))
    found = await store.webhooks.get(made.id, "acme")
    assert found.disabled_because is not None and "500" in found.disabled_because
    assert not await waiting(store, [job])


async def test_one_success_and_an_endpoint_is_fine_again(store: Store) -> None:
    made = await store.webhooks.add("acme", to("https://example.com/", "job.completed"))
    for _ in range(2):
        await run_job(store)
    first, second = await store.webhooks.take(10, 60, [])
    await store.webhooks.record(first, FAILED, 60, DAYS)
    fine = Attempt(number=1, at=datetime.now(UTC), status=204, error=None, seconds=0.1)
    await store.webhooks.record(second, fine, 60, DAYS)
    assert (await store.webhooks.get(made.id, "acme")).failing_since is None


async def test_whoever_comes_back_after_its_lease_writes_nothing(store: Store) -> None:
    await store.webhooks.add("acme", to("https://example.com/", "job.completed"))
    job = await run_job(store)
    (late,) = await store.webhooks.take(10, -1, [])
    (taken,) = await store.webhooks.take(10, 60, [])
    assert (late.attempt, taken.attempt) == (1, 2)
    await store.webhooks.record(late, FAILED, 60, DAYS)
    assert (await rows(store, job))[0].tries == ()
    await store.webhooks.record(taken, FAILED, None, DAYS)
    assert [one.status for one in (await rows(store, job))[0].tries] == [500]


async def test_one_endpoint_that_holds_its_callers_does_not_hold_up_others(store: Store) -> None:
    slow = await store.webhooks.add("acme", to("https://slow.example.com/", "job.completed"))
    for _ in range(10):
        await run_job(store)
    await run_job(store, to("https://quick.example.com/", "job.completed"))
    taken = await store.webhooks.take(100, 60, [])
    assert sorted(one.endpoint == slow.id for one in taken) == [False, True, True, True, True]
    assert await store.webhooks.take(100, 60, [slow.id]) == []


async def test_an_endpoint_goes_with_what_was_to_be_sent(store: Store) -> None:
    made = await store.webhooks.add("acme", to("https://example.com/"))
    job = await run_job(store)
    with pytest.raises(NotFound):
        await store.webhooks.remove(made.id, "other")
    await store.webhooks.remove(made.id, "acme")
    assert await rows(store, job) == [] and await store.webhooks.list("acme") == []


async def test_a_private_target_is_refused_when_it_is_called(store: Store, receiver: Receiver) -> None:
    """Whatever was true when the endpoint was made."""
    job = await run_job(store, to(receiver.url("/job").replace("http:", "https:"), "job.completed"))
    deliverer = Deliverer(store.webhooks, read_networks([]), Patience(pauses=[], poll_seconds=0.02))
    running = asyncio.create_task(deliverer.run())
    async with asyncio.timeout(LONG):
        while (row := (await rows(store, job))[0]).given_up_at is None:
            await asyncio.sleep(0.02)
    running.cancel()
    assert row.tries[0].error is not None and "127.0.0.1 is no public address" in row.tries[0].error
    assert receiver.got() == []


def test_pauses_grow_with_jitter_and_are_as_long_as_the_receiver_asks(store: Store) -> None:
    least, most = Deliverer(store.webhooks, draw=lambda: 0.0), Deliverer(store.webhooks, draw=lambda: 1.0)
    assert least._pause(1, 0.0) == pytest.approx(4.0) and most._pause(1, 0.0) == pytest.approx(6.0)
    assert most._pause(len(PAUSES), 0.0) == pytest.approx(PAUSES[-1] * 1.2)
    assert least._pause(len(PAUSES) + 1, 0.0) is None
    assert least._pause(1, 120.0) == 120.0
