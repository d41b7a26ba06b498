"""A straggler is decoded once more elsewhere: the job does not wait for it, and it is stopped in the engine."""

import pytest
from tests.service.organizer.conftest import House

from anabranch.dag import events as e
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits
from anabranch.service.organizer.job import stragglers
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second is waited for."""
    monkeypatch.setattr(stragglers, "LEAST_SECONDS", 0.0)


def says_42(_request: DecodeRequest) -> Line:
    return Line(text="\\boxed{42}")


def first_of_the_second(request: DecodeRequest) -> bool:
    return request.key.branch == "0.2" and not request.key.copy


async def test_a_job_does_not_wait_for_a_decode_that_is_stuck(house: House) -> None:
    async with house.organizer(says_42, stuck=first_of_the_second) as organizer:
        job = await house.submit("self-consistency", {"n": 4, "stop": "all"}, limits=Limits(hedge=0.1))
        row = await house.ended(job)
        assert organizer.load().decoding == 0
    events = await house.events(job)
    [hedged] = [event for event in events if isinstance(event, e.SegmentHedged)]
    [lost] = [event for event in events if isinstance(event, e.HedgeLost)]
    assert (row.status, hedged.branch, hedged.silent) == ("succeeded", "0.2", True)
    assert (lost.branch, lost.decoded.finish) == ("0.2", "abort")
    assert (await house.store.maintenance.audit(job)).sound
    assert replay(await house.store.journal.read(job)).over


async def test_nothing_is_decoded_twice_unless_the_operator_allows_it(house: House) -> None:
    async with house.organizer(says_42, stuck=first_of_the_second):
        job = await house.submit("self-consistency", {"n": 4, "stop": "all"})
        await house.until(job, lambda row: row.usage.completion_tokens > 0)
        await house.store.jobs.request_cancel(job, "enough")
        await house.ended(job)
    assert not any(isinstance(event, e.SegmentHedged) for event in await house.events(job))
