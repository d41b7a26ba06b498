"""In virtual time: one job ends every process that computes it, and twenty bystanders do not suffer for it."""

import asyncio
from itertools import count
from pathlib import Path

import pytest
from tests.chaos.scene import Scene, is_in_epoch, play
from tests.chaos.world import LEASE, Living

from anabranch.dag import actions as a
from anabranch.dag.job import Problem
from anabranch.dag.policy import catalogue, policy
from anabranch.service.organizer.guardian import report_loss
from anabranch.service.organizer.job.resume import LOST_BEFORE_PARKING
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest

pytestmark = pytest.mark.chaos


class Supervisor:
    """Starts the next organizer when one has died, as Serve does; a guardian tells what the dead one computed."""

    def __init__(self, scene: Scene, *, guardians: bool = True) -> None:
        self.deaths = 0
        self._scene, self._guardians = scene, guardians
        self._names = (f"organizer {number}" for number in count(1))
        self._living = scene.start(next(self._names))
        self._errands: set[asyncio.Task[None]] = set()

    def kill_who_computes(self) -> None:
        """SIGKILL in the middle of a step: called by the step itself."""
        self.deaths += 1
        dead, computed = self._living, self._living.organizer._mark.read()
        dead.process.die()

        async def bury(dead: Living) -> None:
            await dead.die()
            if self._guardians:
                await report_loss(self._scene.store, dead.process.name, LEASE, computed)
            self._living = self._scene.start(next(self._names))

        errand = asyncio.create_task(bury(dead))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)


def long_answer(request: DecodeRequest) -> Line:
    """Poison ends its first decode while the others are in the middle of theirs."""
    return Line(text="word " * (20 if "poison" in str(request.context) else 100) + "42")


@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_the_others_succeed_at_most_one_attempt_later(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Whether the poison comes first or last."""
    monkeypatch.setattr("anabranch.dag.policy._CATALOGUE", dict(catalogue()))
    supervisors: list[Supervisor] = []

    @policy(title="Poison", paper="none: a test", use_when="Never.")
    def poison(problem: Problem) -> a.Policy:
        segment: a.Segment = yield a.Think()
        supervisors[-1].kill_who_computes()
        return a.Answer(text=segment.text)

    async def story(scene: Scene) -> None:
        supervisors.append(Supervisor(scene))
        culprit = await scene.submit("poison") if not seconds else None
        others = [await scene.submit("self-consistency", {"n": 2, "stop": "all"}) for _ in range(20)]
        await asyncio.sleep(seconds)
        failed = await scene.ended(culprit or await scene.submit("poison"))
        assert failed.error is not None
        assert failed.error["type"] == "poison"
        rows = [await scene.ended(job) for job in others]
        assert {row.status for row in rows} == {"succeeded"}
        assert max(row.attempt for row in rows) <= 2
        assert supervisors[-1].deaths == LOST_BEFORE_PARKING
        for job in others:
            assert await scene.store.suspicions.list_against(job) == []

    play(tmp_path, template, long_answer, story)


def test_organizers_lost_with_their_machines_blame_nobody(tmp_path: Path, template: Path) -> None:
    """No guardian is left to tell: leases end by themselves, attempts are counted, and no job is ever poison."""

    async def story(scene: Scene) -> None:
        job = await scene.submit("sequential")
        for number in range(3 * LOST_BEFORE_PARKING):
            lost = scene.start(f"lost {number}")
            await scene.until(job, is_in_epoch(number + 1))
            await lost.die()
        scene.start("last")
        row = await scene.ended(job)
        assert (row.status, row.attempt) == ("succeeded", 3 * LOST_BEFORE_PARKING + 1)

    play(tmp_path, template, long_answer, story)
