"""Branches tell their status in the words of `dag.status`, also those that an earlier release wrote."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from tests.service.store.journals import journal
from tests.service.store.scenes import new_job

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.state import JobState, apply
from anabranch.dag.status import ENDED, BranchStatus, branch_status
from anabranch.service.store.rows import NewJob
from anabranch.service.store.sql import schema
from anabranch.service.store.sql.tables import BRANCH_STATUS
from anabranch.service.store.store import Store


@pytest.mark.parametrize("open_segments", [0, 1])
@pytest.mark.parametrize("undecided", [0, 1, 2])
@pytest.mark.parametrize("phase", [BranchStatus.QUEUED, BranchStatus.OPEN, *ENDED])
async def test_the_status_column_says_what_the_dag_says(
    store: Store, phase: BranchStatus, undecided: int, open_segments: int
) -> None:
    columns = f"'{phase}' AS phase, {undecided} AS approvals_pending, {open_segments} AS open_segments"
    asked = text(f"SELECT {BRANCH_STATUS} FROM (SELECT {columns}) AS branches")
    found = await store.database.read(lambda connection: connection.execute(asked).scalar_one())
    assert found == branch_status(phase, undecided, open_segments)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False), steps=st.integers(0, 80))
def test_the_tables_say_of_jobs_and_branches_what_their_journal_says(
    database_url: str, random: Random, steps: int
) -> None:
    new = new_job()
    happened = journal(new.spec, random, steps)
    state = _state(new.spec, happened)

    async def stored() -> tuple[str, dict[BranchId, BranchStatus]]:
        async with Store(database_url) as store:
            await _written(store, new, happened)
            return (await store.jobs.get(new.id)).status, await _statuses(store, new.id)

    assert asyncio.run(stored()) == (
        state.status,
        {name: each.status for name, each in state.branches.items()},
    )


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False), steps=st.integers(0, 80))
def test_a_database_of_the_earlier_release_is_sound_once_it_is_upgraded(
    database_url: str, random: Random, steps: int
) -> None:
    new = new_job()
    happened = [_as_told_earlier(event) for event in journal(new.spec, random, steps)]

    async def down_and_up() -> None:
        async with Store(database_url) as store:
            await _written(store, new, happened)
            before = await _statuses(store, new.id)
            await store.database.migrate(_downgrade)
            old = await store.database.read(lambda connection: _old(connection, new.id))
            await schema.upgrade(database_url)
            assert old == _status_told_earlier(happened)
            assert await _statuses(store, new.id) == before
            assert (await store.maintenance.audit(new.id)).sound

    asyncio.run(down_and_up())


def _downgrade(connection: Connection) -> None:
    command.downgrade(schema.config(connection), "0004")


def _old(connection: Connection, job: JobId) -> dict[str, str]:
    asked = text("SELECT branch, status FROM branches WHERE job_id = :job")
    return {row.branch: row.status for row in connection.execute(asked, {"job": job})}


def _as_told_earlier(event: e.Event) -> e.Event:
    return replace(event, withdrawn=()) if isinstance(event, e.TERMINAL_OF_BRANCH) else event


def _status_told_earlier(happened: Sequence[e.Event]) -> dict[str, str]:
    """What the column said before revision 0005, event by event."""
    told = {"0": "forked"}
    for event in happened:
        match event:
            case e.BranchForked():
                told[event.child] = "forked"
            case e.SegmentStarted(continues=False):
                told[event.branch] = "running"
            case e.BranchRetried():
                told[event.branch] = "retrying"
            case e.BranchReturned():
                told[event.branch] = "returned"
            case e.BranchFailed():
                told[event.branch] = "failed"
            case e.BranchCancelled():
                told[event.branch] = "cancelled"
            case _:
                pass  # no other event was told there
    return told


def _state(spec: JobSpec, happened: Sequence[e.Event]) -> JobState:
    state = apply(JobState(), e.JobSubmitted(spec=spec, policy_version="v1"))
    for event in happened:
        apply(state, event)
    return state


async def _written(store: Store, new: NewJob, happened: Sequence[e.Event]) -> None:
    await store.jobs.submit(new)
    (claim,) = [claim for claim in await store.queue.claim("o", 30.0, 1000) if claim.job == new.id]
    await store.journal.append(new.id, claim.epoch, happened)


async def _statuses(store: Store, job: JobId) -> dict[BranchId, BranchStatus]:
    return {row.branch: row.status for row in await store.jobs.list_branches(job)}
