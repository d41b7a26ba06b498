"""Recovery bugs that others have had, one test each: the same story, told here, must end well."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.scene import Scene, is_in_epoch, play
from tests.chaos.wishes import script

from anabranch.dag import events as e
from anabranch.dag.decoding import Fault
from anabranch.service.store.rows import Claim
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest, Message, SegmentDone

pytestmark = pytest.mark.chaos

A, B = ({"id": name, "question": f"Find {name}.", "after": []} for name in "ab")


def long_text(request: DecodeRequest) -> Line:
    return Line(text="word " * 200)


def test_dbos_716_the_database_restarts_while_jobs_are_recovered(tmp_path: Path, template: Path) -> None:
    async def story(scene: Scene) -> None:
        first = scene.start("first")
        jobs = [await scene.submit("self-consistency", {"n": 3}) for _ in range(5)]
        await scene.until(jobs[-1], lambda row: row.started_at is not None)
        await first.die()
        scene.start("second")
        await scene.until(jobs[0], lambda row: row.epoch == 2)
        scene.away.set()  # in the middle of taking up the lost jobs
        await asyncio.sleep(20.0)
        scene.away.clear()
        assert [(await scene.ended(job)).status for job in jobs] == ["succeeded"] * 5

    play(tmp_path, template, script, story)


def test_dbos_742_a_lost_job_is_not_executed_twice(tmp_path: Path, template: Path) -> None:
    async def story(scene: Scene) -> None:
        first = scene.start("first")
        job = await scene.submit("self-consistency", {"n": 3, "stop": "all"})
        await scene.until(job, lambda row: row.usage.completion_tokens > 0)  # one branch has ended
        await first.die()
        for name in ("second", "third", "fourth"):  # all see the same lost job
            scene.start(name)
        await scene.ended(job)
        records = await scene.store.journal.read(job)
        claims = [record for record in records if isinstance(record.event, e.JobClaimed)]
        assert [record.epoch for record in claims] == [1, 2]
        decodes = Counter(request.key for request in scene.asked)
        assert set(decodes.values()) == {1}
        returned = {r.event.branch for r in records if r.epoch == 1 and isinstance(r.event, e.BranchReturned)}
        again = {request.key.branch for request in scene.asked if request.key.segment > 1}
        assert returned
        assert not returned & again

    play(tmp_path, template, staggered, story)


def staggered(request: DecodeRequest) -> Line:
    return Line(text="so it goes " * int(request.key.branch[-1]) * 4 + "\\boxed{42}")


def test_dbos_804_a_rolling_restart_strands_nothing(tmp_path: Path, template: Path) -> None:
    async def story(scene: Scene) -> None:
        running = [scene.start(f"old {number}") for number in range(3)]
        jobs = [await scene.submit("plan") for _ in range(9)]
        for number, old in enumerate(running):
            await asyncio.sleep(0.7)
            scene.start(f"new {number}")
            await old.drain()
        rows = [await scene.ended(job) for job in jobs]
        assert {(row.status, row.attempt) for row in rows} == {("succeeded", 1)}

    play(tmp_path, template, script, story)


def test_dbos_805_death_between_two_steps_leaves_no_job_stuck(tmp_path: Path, template: Path) -> None:
    """The fork is in the journal, and the process dies before any branch is handed to the pool."""

    async def story(scene: Scene) -> None:
        first = scene.start("first")
        first.wire.start = lambda *_: first.process.die()  # type: ignore[method-assign]
        job = await scene.submit("self-consistency", {"n": 3})
        await scene.until(job, lambda _: not first.process.alive)
        assert scene.asked == []
        await first.die()
        scene.start("second")
        assert (await scene.ended(job)).status == "succeeded"

    play(tmp_path, template, script, story)


def test_hatchet_4254_heartbeats_alone_keep_no_job(tmp_path: Path, template: Path) -> None:
    """An organizer lives and beats, but what it claimed never reached it: its lease must not hold the job for ever."""

    async def story(scene: Scene) -> None:
        zombie = scene.start("zombie")
        claim = zombie.organizer._store.queue.claim
        lost: list[Claim] = []

        async def deaf(*args: Any, **rest: Any) -> list[Claim]:
            lost.extend(await claim(*args, **rest))
            return []

        zombie.organizer._store.queue.claim = deaf  # type: ignore[method-assign]
        job = await scene.submit("sequential")
        await scene.until(job, lambda row: row.epoch == 1)
        scene.start("healthy")
        row = await scene.ended(job)
        assert row.status == "succeeded"
        assert not zombie.task.done()

    play(tmp_path, template, script, story)


def test_hatchet_4969_a_stale_attempt_neither_stops_nor_ends_a_retry(tmp_path: Path, template: Path) -> None:
    def fails_once(request: DecodeRequest) -> Line:
        if request.key.segment == 1:
            return Line(text="half", fault=Fault(cause="engine-error", detail="boom"), after=1)
        return Line(text="so it goes and goes \\boxed{42}")

    async def story(scene: Scene) -> None:
        organizer = scene.start("first")
        start = organizer.wire.start
        stale: list[SegmentDone] = []

        def and_again(requests: Sequence[DecodeRequest], deliver: Any) -> None:
            def heard(message: Message) -> None:
                deliver(message)
                for old in stale:
                    deliver(old)
                if isinstance(message, SegmentDone):
                    stale.append(message)

            start(requests, heard)

        organizer.wire.start = and_again  # type: ignore[method-assign]
        job = await scene.submit("sequential")
        row = await scene.ended(job)
        assert len(stale) == 2
        assert row.answer is not None
        assert row.answer["text"].endswith("\\boxed{42}")
        finished = [event for event in await scene.events(job) if isinstance(event, e.SegmentFinished)]
        assert [(event.segment, event.attempt) for event in finished] == [(1, 1), (2, 2)]

    play(tmp_path, template, fails_once, story)


def test_pydantic_ai_harness_549_what_was_spent_is_counted_once_across_recoveries(
    tmp_path: Path, template: Path
) -> None:
    async def story(scene: Scene) -> None:
        job = await scene.submit("sequential")
        for number in range(3):
            organizer = scene.start(f"organizer {number}")
            await scene.until(job, is_in_epoch(number + 1))
            await asyncio.sleep(3.0)
            await organizer.die()
        scene.start("last")
        row = await scene.ended(job)
        finished = [
            event.decoded for event in await scene.events(job) if isinstance(event, e.SegmentFinished)
        ]
        assert row.answer is not None
        assert [decoded.finish for decoded in finished] == ["interrupted"] * 3 + ["eos"]
        booked = sum(decoded.usage.completion_tokens for decoded in finished)
        assert booked == len(row.answer["text"].split()) == row.usage.completion_tokens

    play(tmp_path, template, long_text, story)


def test_langgraph_4673_a_branch_never_waits_for_siblings_that_it_does_not_need(
    tmp_path: Path, template: Path
) -> None:
    plan = {
        "subtasks": [A, B, {"id": "c", "question": "Find C from A.", "after": ["a"]}],
        "synthesis": "Add.",
    }

    def b_is_slow(request: DecodeRequest) -> Line:
        if request.key.branch == "0.1":
            return Line(text=json.dumps(plan))
        return Line(text="word " * (200 if request.key.branch == "0.3" else 5))

    async def story(scene: Scene) -> None:
        scene.start("first")
        job = await scene.submit("plan")
        await scene.ended(job)
        events = await scene.events(job)

        def place(kind: type[e.Event], branch: str) -> int:
            return next(
                n for n, event in enumerate(events) if isinstance(event, kind) and event.branch == branch
            )

        assert (
            place(e.BranchReturned, "0.2") < place(e.SegmentStarted, "0.4") < place(e.BranchReturned, "0.3")
        )

    play(tmp_path, template, b_is_slow, story)
