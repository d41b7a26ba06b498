"""Organizers that are paused, drained, cut off from their store, or broken by a job: who writes, and who goes on."""

import asyncio
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
from tests.service.organizer.conftest import House

from anabranch.dag import events as e
from anabranch.dag.decoding import Fault
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.job import Budget
from anabranch.dag.journal.replay import replay
from anabranch.service.organizer.job.resume import BROKEN_BEFORE_PARKING, LOST_BEFORE_PARKING
from anabranch.service.store.errors import Fenced, StoreAway, StoreRefuses
from anabranch.service.store.rows import Claim, JobRow
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest


def answers(request: DecodeRequest) -> Line:
    return Line(text="it is 42")


def slowly(request: DecodeRequest) -> Line:
    return Line(text="word " * 400)


def away() -> StoreAway:
    return StoreAway(OSError("no route"))


async def test_an_organizer_that_slept_through_its_lease_writes_nothing_and_stops(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = house.store.queue.heartbeat

    async def only_the_second(name: str, lease: float, address: str | None = None) -> Any:
        if name == "sleeper":
            raise away()
        return await beat(name, lease)

    async with house.organizer(slowly, speed=100, name="sleeper") as sleeper:
        job = await house.submit("sequential")
        await house.until(job, lambda row: row.started_at is not None)
        monkeypatch.setattr(house.store.queue, "heartbeat", only_the_second)
        async with house.organizer(answers, name="second"):
            row = await house.ended(job)
        async with asyncio.timeout(10):
            while sleeper._held:
                await asyncio.sleep(0.01)
    assert row.answer is not None
    assert row.answer["text"].endswith("it is 42")
    records = await house.store.journal.read(job)
    taken = next(r for r in records if isinstance(r.event, e.JobClaimed) and r.event.owner == "second")
    slept = {r.epoch for r in records if isinstance(r.event, e.JobClaimed) and r.event.owner == "sleeper"}
    assert max(slept) < taken.epoch
    assert min(record.epoch for record in records if record.seq >= taken.seq) == taken.epoch
    assert (await house.store.maintenance.audit(job)).sound


async def test_a_release_that_fails_is_made_up_for_while_the_organizer_lives(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise its heartbeats would keep a lease on a job that nobody works on."""
    release = house.store.queue.release
    failed: list[tuple[object, ...]] = []

    async def fails_first(*args: Any, **rest: Any) -> bool:
        if not failed:
            failed.append(args)
            raise away()
        return await release(*args, **rest)

    monkeypatch.setattr(house.store.queue, "release", fails_first)
    async with house.organizer(answers):
        job = await house.submit("sequential", approvals=("answer",))
        await house.until(job, lambda row: row.status == "waiting")
        [gate] = await house.store.jobs.list_approvals("pending")
        await house.store.jobs.decide_approval(gate.id, "approve", by="ada")
        row = await house.ended(job)
    assert failed
    assert row.status == "succeeded"


async def test_a_job_that_was_being_claimed_while_its_organizer_drained_is_handed_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, claimed, answer = house.store.queue.claim, asyncio.Event(), asyncio.Event()

    async def slow(name: str, *args: Any, **rest: Any) -> list[Claim]:
        claims = await claim(name, *args, **rest)
        if name == "leaver" and claims:
            claimed.set()
            await answer.wait()
        return claims

    monkeypatch.setattr(house.store.queue, "claim", slow)
    async with house.organizer(answers, name="leaver") as leaver:
        job = await house.submit("sequential")
        await claimed.wait()
        draining = asyncio.create_task(leaver.drain())
        await asyncio.sleep(0)
        answer.set()
        await draining
        async with house.organizer(answers, name="second"):
            row = await house.ended(job)
    assert (row.status, row.attempt) == ("succeeded", 1)


async def test_a_claim_whose_answer_was_lost_is_given_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = house.store.queue.claim
    lost: list[Claim] = []

    async def loses_first(*args: Any, **more: Any) -> Any:
        claimed = await claim(*args, **more)
        if claimed and not lost:
            lost.extend(claimed)
            raise away()
        return claimed

    monkeypatch.setattr(house.store.queue, "claim", loses_first)
    async with house.organizer(answers):
        row = await house.ended(await house.submit("sequential"))
    assert len(lost) == 1
    assert (row.status, row.attempt, row.epoch) == ("succeeded", 1, 2)


def has_begun(row: JobRow, epoch: int) -> bool:
    return row.epoch == epoch and row.head_seq > epoch


async def test_clean_hand_overs_never_make_a_job_poison(house: House) -> None:
    job = await house.submit("sequential")
    for number in range(LOST_BEFORE_PARKING + 2):
        async with house.organizer(slowly, speed=1, name=f"organizer {number}"):
            await house.until(job, partial(has_begun, epoch=number + 1))
    async with house.organizer(answers):
        row = await house.ended(job)
    assert (row.status, row.attempt) == ("succeeded", 1)


async def test_a_job_that_breaks_every_organizer_is_parked_with_the_evidence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anabranch.service.organizer.loop.PAUSE_SECONDS", 0.01)

    def breaks(*_: Any) -> Any:
        raise RuntimeError("this request cannot even be handed over")

    async with house.organizer(answers) as organizer:
        monkeypatch.setattr(organizer._pool, "start", breaks)
        row = await house.ended(await house.submit("sequential"))
    assert row.error is not None
    assert (row.error["type"], row.attempt) == ("poison", BROKEN_BEFORE_PARKING + 1)
    assert (await house.store.maintenance.audit(row.id)).sound


async def test_a_trace_that_cannot_be_drawn_touches_no_job(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: Any) -> None:
        raise RuntimeError("the collector's certificate has expired")

    async with house.organizer(answers) as organizer:
        monkeypatch.setattr(organizer._traces, "keep", breaks)
        first = await house.ended(await house.submit("sequential"))
        second = await house.ended(await house.submit("sequential"))
    assert [first.status, second.status] == ["succeeded", "succeeded"]


async def test_a_try_that_is_put_off_and_then_cancelled_is_never_made(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        if request.key.branch == "0.1":
            return Line(text="", fault=Fault(cause="engine-error", detail="boom"))
        return Line(text="it is certainly 42")

    async with house.organizer(script, speed=50):
        row = await house.ended(await house.submit("self-consistency", {"n": 3}))
        retried = [event.delay for event in await house.events(row.id) if isinstance(event, e.BranchRetried)]
    assert row.status == "succeeded"
    assert retried == [0.2]
    assert [request.key.branch for request in house.asked].count(BranchId("0.1")) == 1


async def test_the_word_to_wind_up_said_again_after_a_hand_over_does_not_stop_the_job(house: House) -> None:
    job = await house.submit("sequential", budget=Budget(seconds=4.0))
    async with house.organizer(slowly, speed=20, name="first"):
        await house.until(job, lambda row: row.head_seq >= 4)  # it was told to wind up, at 80 percent
    async with house.organizer(answers, name="second"):
        row = await house.ended(job)
    assert row.answer is not None
    assert row.answer["text"].endswith("it is 42")
    words = [event.spent for event in await house.events(job) if isinstance(event, e.WindUpRequested)]
    assert words == [3.2]


async def test_two_organizers_never_run_a_job_to_effect_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One was paused until its leases had ended and another had its jobs, and goes on as if nothing had happened."""
    beat, append = house.store.queue.heartbeat, house.store.journal.append
    tried: dict[JobId, BaseException | None] = {}

    async def only_the_second(name: str, lease: float, address: str | None = None) -> Any:
        if name == "paused":
            raise away()
        return await beat(name, lease)

    async def noted(job: JobId, epoch: int, *rest: Any) -> Any:
        decoded_by_the_first = epoch == 1 and any(isinstance(event, e.SegmentFinished) for event in rest[0])
        try:
            records = await append(job, epoch, *rest)
        except Fenced as error:
            if decoded_by_the_first:
                tried[job] = error
            raise
        if decoded_by_the_first:
            tried[job] = None
        return records

    monkeypatch.setattr(house.store.journal, "append", noted)
    first, second = asyncio.Event(), asyncio.Event()
    async with house.organizer(answers, name="paused", gate=first):
        jobs = [await house.submit("self-consistency", {"n": 2}) for _ in range(5)]
        for job in jobs:
            await house.until(job, lambda row: row.started_at is not None)
        monkeypatch.setattr(house.store.queue, "heartbeat", only_the_second)
        async with house.organizer(answers, name="second", gate=second):
            for job in jobs:
                await house.until(job, lambda row: row.epoch == 2)
            first.set()
            async with asyncio.timeout(20):
                while len(tried) < len(jobs):
                    await asyncio.sleep(0.01)
            second.set()
            for job in jobs:
                await house.ended(job)
    assert all(isinstance(outcome, Fenced) for outcome in tried.values())
    for job in jobs:
        records = await house.store.journal.read(job)
        taken = next(record.seq for record in records if record.epoch == 2)
        assert {record.epoch for record in records if record.seq >= taken} == {2}
        decoded = [record.epoch for record in records if isinstance(record.event, e.SegmentFinished)]
        assert set(decoded) == {2}
        assert sum(record.event.branch == TRUNK for record in records if _returned(record)) == 1
        assert replay(records).over


def _returned(record: e.Record) -> bool:
    return isinstance(record.event, e.BranchReturned)


async def test_two_organizers_share_the_jobs_and_each_is_claimed_once(house: House) -> None:
    async with house.organizer(answers, name="a") as a, house.organizer(answers, name="b") as b:
        jobs = [await house.submit("self-consistency", {"n": 2}) for _ in range(20)]
        a.nudge()
        b.nudge()
        for job in jobs:
            await house.ended(job)
    for job in jobs:
        events = await house.events(job)
        assert sum(isinstance(event, e.JobClaimed) for event in events) == 1


@pytest.mark.parametrize("fault", [away(), StoreRefuses(OSError("no such login")), RuntimeError("a bug")])
async def test_who_waits_for_the_end_is_told_of_it_whatever_goes_wrong_at_the_hand_over(
    fault: Exception, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(_name: str) -> None:
        raise fault

    monkeypatch.setattr(house.store.organizers, "remove", breaks)
    broken = pytest.raises(RuntimeError) if isinstance(fault, RuntimeError) else nullcontext()
    with broken:
        async with asyncio.timeout(10), house.organizer(answers):
            await house.ended(await house.submit("sequential"))
