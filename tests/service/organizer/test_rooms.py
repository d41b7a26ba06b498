"""Branches wait in their organizer while the pool has no room for them, and begin as soon as it has."""

import asyncio
from collections.abc import Callable

from tests.service.organizer.conftest import House

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, JobId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import JobSpec
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits
from anabranch.dag.room import StepFit, Streams
from anabranch.dag.text import say
from anabranch.service.organizer.rooms import Rooms
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest


def says_42(_request: DecodeRequest) -> Line:
    return Line(text="\\boxed{42}")


class Busy:
    """A pool with so many streams."""

    def __init__(self, streams: int) -> None:
        self.now = streams

    def streams(self, model: str | None) -> tuple[Streams, StepFit]:
        assert model is None
        return Streams(streams=self.now, capacity=64), StepFit(fixed=0.02, per_stream=0.001, known=32.0)


def waiting(priority: int = 5) -> Interpreter:
    """A job of which one branch decodes and five wait."""
    job = Interpreter()
    spec = JobSpec(
        messages=(say("user", "?"),), policy="self-consistency", params={"n": 6}, priority=priority
    )
    job.feed(e.JobSubmitted(spec=spec, policy_version="", limits=Limits(slowdown=1.2)))
    job.feed(e.JobClaimed(owner="first", attempt=1))
    return job


Told = list[tuple[str, e.Event]]


def listen(told: Told, job: str) -> Callable[[e.Event], None]:
    return lambda fact: told.append((job, fact))


async def test_the_same_room_is_told_once_by_priority_and_to_who_waits_longest() -> None:
    told: Told = []
    rooms = Rooms(Busy(2))  # type: ignore[arg-type]
    for job, priority in (("last", 7), ("first", 5), ("second", 5)):
        rooms.note(JobId(job), waiting(priority), listen(told, job))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == [("first", e.RoomTold(width=4, streams=2))]  # of five streams that steps of 25.2 ms allow
    rooms.forget(JobId("last"))


async def test_a_second_decode_is_let_in_as_a_fork_is() -> None:
    rooms, state = Rooms(Busy(2)), waiting().state  # type: ignore[arg-type]
    let_in = [rooms.fits(JobId("a"), state, None) for _ in range(4)]
    assert let_in == [True, True, True, False]  # of five streams that steps of 25.2 ms allow
    assert not rooms.fits(JobId("b"), state, None), "the room is another job's until that has taken its turn"
    rooms.forget(JobId("a"))
    assert rooms.fits(JobId("b"), state, None)


async def test_what_was_told_counts_until_the_job_has_taken_its_turn() -> None:
    told: Told = []
    pool = Busy(2)
    rooms = Rooms(pool)  # type: ignore[arg-type]
    rooms.note(JobId("a"), waiting(), listen(told, "a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rooms.note(JobId("b"), waiting(), listen(told, "b"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [job for job, _ in told] == ["a"]
    rooms.forget(JobId("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [job for job, _ in told] == ["a", "b"]


async def test_a_wide_job_on_a_pool_that_has_room_for_two_decodes_all_its_branches(house: House) -> None:
    async with house.organizer(says_42):
        job = await house.submit("self-consistency", {"n": 5, "stop": "all"}, limits=Limits(slowdown=1.5))
        row = await house.ended(job)
    events = await house.events(job)
    assert row.status == "succeeded"
    assert sum(isinstance(event, e.SegmentStarted) for event in events) == 5
    told = [event for event in events if isinstance(event, e.RoomTold)]
    assert told
    assert all(event.branch == TRUNK for event in told)
    assert (await house.store.maintenance.audit(job)).sound
    assert replay(await house.store.journal.read(job)).over


async def test_a_job_whose_organizer_was_lost_goes_on_with_who_waited(house: House) -> None:
    stuck = True
    async with house.organizer(says_42, stuck=lambda _request: stuck):
        job = await house.submit("self-consistency", {"n": 3, "stop": "all"}, limits=Limits(slowdown=1.5))
        await house.until(job, lambda _row: True)
    stuck = False
    async with house.organizer(says_42):
        row = await house.ended(job)
    assert row.status == "succeeded"
    assert replay(await house.store.journal.read(job)).over
