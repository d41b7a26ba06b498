"""Two releases share a queue: a job that this one cannot go on with is the other's, and nothing happens to it here."""

import json
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection, select, update
from tests.service.organizer.conftest import House
from tests.service.organizer.test_organizer import forty_two

from anabranch.dag.ids import JobId
from anabranch.dag.policy import _CATALOGUE
from anabranch.service.organizer import left_jobs
from anabranch.service.store.programs import Program, Role, renew, this_program
from anabranch.service.store.sql.tables import events, suspicions

OTHER = Program(name="other", role=Role.ORGANIZER, release="99.0.0", revision="0010")


async def plant(house: House, job: JobId, **fields: object) -> None:
    """The first event of the journal holds these fields, too, as a newer release would write them."""
    first = (events.c.job_id == job) & (events.c.seq == 1)

    def work(connection: Connection) -> None:
        payload = json.loads(connection.execute(select(events.c.payload).where(first)).scalar_one())
        changed = {name: value for name, value in (payload | fields).items() if value is not None}
        connection.execute(update(events).where(first).values(payload=json.dumps(changed)))

    await house.store.database.write(work)


async def claimed(house: House, job: JobId, times: int) -> None:
    """Waits until the job was claimed so often."""
    await house.until(job, lambda row: row.epoch >= times)


@pytest.fixture(autouse=True)
def again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_jobs, "AGAIN_SECONDS", 0.3)


async def test_a_journal_that_holds_what_only_a_newer_release_knows_waits_for_that_release(
    house: House,
) -> None:
    job, usual = await house.submit("self-consistency", {"n": 2}), await house.submit("sequential")
    await plant(house, job, mood="calm")
    async with house.organizer(forty_two) as older:
        older.nudge()
        assert (await house.ended(usual)).status == "succeeded"
        await claimed(house, job, 3)  # it looks again, now and then
        row = await house.store.jobs.get(job)
        assert (row.status, row.attempt, row.head_seq) == ("queued", 1, 1)
        await plant(house, job, mood=None)  # to the newer release the field is nothing new
        row = await house.ended(job)
    assert (row.status, row.attempt) == ("succeeded", 1)
    evidence = await house.store.database.read(lambda c: c.execute(select(suspicions)).all())
    assert not evidence


async def test_a_job_of_a_policy_that_is_missing_here_is_left_while_another_release_lives(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await house.submit("sequential")
    with monkeypatch.context() as here:
        here.delitem(_CATALOGUE, "sequential")
        await house.store.database.write(lambda connection: renew(connection, OTHER, 60.0))
        async with house.organizer(forty_two) as older:
            older.nudge()
            await claimed(house, job, 2)
        assert (await house.store.jobs.get(job)).status == "queued"
    async with house.organizer(forty_two, name="newer"):
        row = await house.ended(job)
    assert (row.status, row.attempt) == ("succeeded", 1)


async def test_with_nobody_of_another_release_the_job_ends_with_the_reason(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others of this release would refuse it, too; a REST process of another runs no jobs."""
    job = await house.submit("sequential")
    monkeypatch.delitem(_CATALOGUE, "sequential")
    for program in (this_program(Role.ORGANIZER, "twin"), replace(OTHER, role=Role.API)):
        await house.store.database.write(partial(renew, program=program, seconds=60.0))
    async with house.organizer(forty_two):
        row = await house.ended(job)
    assert row.error is not None and row.error["type"] == "policy-missing"


async def test_once_the_other_release_is_gone_the_job_ends_with_the_reason(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await house.submit("sequential")
    monkeypatch.delitem(_CATALOGUE, "sequential")
    await house.store.database.write(lambda connection: renew(connection, OTHER, 60.0))
    async with house.organizer(forty_two):
        await claimed(house, job, 1)
        await house.store.programs.remove(OTHER.name)
        row = await house.ended(job)
    assert row.error is not None and row.error["type"] == "policy-missing"
