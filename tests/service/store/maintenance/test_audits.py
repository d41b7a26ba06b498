"""The journal is the truth: tampering shows, and what the tables say can always be folded from it again."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, text
from tests.service.store.journals import journal
from tests.service.store.scenes import answered, claimed, finished, forked, new_job, rows_of, started

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import Budget
from anabranch.dag.journal.chain import Break, Reason
from anabranch.service.store.errors import NotFound
from anabranch.service.store.maintenance.audits import Audit, Difference
from anabranch.service.store.store import Store

A, B = BranchId("0.1"), BranchId("0.2")


async def tamper(store: Store, *statements: str) -> None:
    """What somebody with access to the database may do."""
    await store.database.write(lambda connection: [connection.execute(text(sql)) for sql in statements])


async def ten_thoughts(store: Store) -> JobId:
    """A journal of twelve records."""
    claim = await claimed(store)
    await store.journal.append(
        claim.job, claim.epoch, [e.TextPosted(text=str(number)) for number in range(10)]
    )
    return claim.job


async def test_a_journal_that_nobody_touched_is_sound(store: Store) -> None:
    job = await ten_thoughts(store)
    assert await store.maintenance.audit(job) == Audit(job=job, records=12, broken=None, differences=())


async def test_there_is_nothing_to_audit_of_a_job_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.maintenance.audit(JobId("none"))


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (['UPDATE events SET payload = \'{"text":"I was never here"}\' WHERE seq = 5'], (5, Reason.CHANGED)),
        (['UPDATE events SET payload = \'{ "text":"3"}\' WHERE seq = 6'], (6, Reason.CHANGED)),
        (["UPDATE events SET kind = 'ActionMalformed' WHERE seq = 5"], (5, Reason.CHANGED)),
        (["UPDATE events SET branch = '0.1' WHERE seq = 5"], (5, Reason.CHANGED)),
        (["UPDATE events SET epoch = 7 WHERE seq = 5"], (5, Reason.CHANGED)),
        (["UPDATE events SET at = (SELECT at FROM events WHERE seq = 1) WHERE seq = 5"], (5, Reason.CHANGED)),
        (["UPDATE events SET hash = 'f' WHERE seq = 5"], (5, Reason.CHANGED)),
        (["UPDATE events SET prev_hash = 'f' WHERE seq = 5"], (5, Reason.CHANGED)),
        (["DELETE FROM events WHERE seq = 5"], (5, Reason.MISSING)),
        (
            ["DELETE FROM events WHERE seq = 5", "UPDATE events SET seq = 5 WHERE seq = 6"],
            (5, Reason.MISSING),
        ),
        (["DELETE FROM events WHERE seq > 7"], (8, Reason.MISSING)),
        (
            [
                """INSERT INTO events SELECT job_id, 13, epoch, kind, branch, at, payload, prev_hash, hash
                FROM events WHERE seq = 12"""
            ],
            (13, Reason.ADDED),
        ),
        (
            [
                "UPDATE events SET seq = 99 WHERE seq = 5",
                "UPDATE events SET seq = 5 WHERE seq = 6",
                "UPDATE events SET seq = 6 WHERE seq = 99",
            ],
            (5, Reason.REORDERED),
        ),
        (["UPDATE jobs SET head_hash = 'f'"], (12, Reason.CHANGED)),
        (["UPDATE jobs SET head_seq = 14"], (13, Reason.MISSING)),
    ],
    ids=lambda value: None if isinstance(value, list) else f"{value[1]} {value[0]}",
)
async def test_an_audit_finds_what_was_done_to_the_journal(
    store: Store, statements: Sequence[str], found: tuple[int, Reason]
) -> None:
    job = await ten_thoughts(store)
    await tamper(store, *statements)
    seq, reason = found
    assert (await store.maintenance.audit(job)).broken == Break(seq=seq, reason=reason)


async def test_an_audit_finds_what_was_done_to_the_tables(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(claim.job, claim.epoch, [*forked(1, 2), started(A), finished(A, tokens=5)])
    await tamper(
        store,
        "UPDATE jobs SET completion_tokens = 4",
        "DELETE FROM branches WHERE branch = '0.2'",
        "UPDATE segments SET finish = 'length'",
    )
    audit = await store.maintenance.audit(claim.job)
    assert audit.broken is None
    assert not audit.sound
    missing, tokens, finish = audit.differences
    assert (missing.table, missing.key, missing.stored) == ("branches", (claim.job, "0.2"), None)
    assert tokens == Difference(
        table="jobs", key=(claim.job,), column="completion_tokens", stored=4, folded=5
    )
    assert (finish.column, finish.stored, finish.folded) == ("finish", "length", "eos")


NUMBERS = [1e22, 1e23, 1.7e25, 1e308, 10**23, 123456789012345680000.0, 0.1, 1e-320, -0.0, 1, 2**53 + 1, True]
"""Also those that PostgreSQL gives back in another form than Python has."""


async def with_metadata(store: Store, metadata: Mapping[str, Any]) -> JobId:
    new = new_job()
    spec = replace(new.spec, metadata=metadata, budget=Budget(cost=1e308))
    return (await store.jobs.submit(replace(new, spec=spec))).job.id


async def test_numbers_are_sound_in_whichever_form_a_database_gives_them_back(store: Store) -> None:
    job = await with_metadata(store, {"a": NUMBERS, "in": {"b": NUMBERS}})
    assert (await store.maintenance.audit(job)).sound
    await store.maintenance.rebuild_projections(job)
    assert (await store.maintenance.audit(job)).sound


@pytest.mark.parametrize(
    ("told", "changed"),
    [(1e23, "100000000000000000000001"), (1e23, '"1e23"'), (2**53 + 1, "9007199254740992"), (1, "true"), (1, "2"),
     (0.1, "0.10000000000000002"), (True, "1")],
)  # fmt: skip
async def test_a_number_that_was_changed_is_found(store: Store, told: float, changed: str) -> None:
    job = await with_metadata(store, {"a": told})
    postgres, sqlite = "jsonb_set(spec, '{metadata,a}', '%s')", "json_set(spec, '$.metadata.a', json('%s'))"
    await tamper(store, f"UPDATE jobs SET spec = {(sqlite if store.database.sqlite else postgres) % changed}")
    assert [one.column for one in (await store.maintenance.audit(job)).differences] == ["spec"]


async def test_an_audit_tells_what_a_row_held_and_what_it_should_hold(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(claim.job, claim.epoch, forked(1))
    await tamper(
        store, "UPDATE jobs SET cost = 0.5", "UPDATE branches SET branch = '0.9' WHERE branch = '0.1'"
    )
    gone, added, cost = (await store.maintenance.audit(claim.job)).differences
    assert (gone.key, gone.stored, gone.folded["role"]) == ((claim.job, "0.1"), None, "worker")
    assert (added.key, added.stored["role"], added.folded) == ((claim.job, "0.9"), "worker", None)
    assert cost == Difference(table="jobs", key=(claim.job,), column="cost", stored=0.5, folded=0.0)


async def test_a_rebuild_mends_the_tables(store: Store) -> None:
    jobs = [await claimed(store) for _ in range(3)]
    for claim in jobs:
        await store.journal.append(claim.job, claim.epoch, [*forked(1), started(A), finished(A)])
    await store.journal.append(
        jobs[0].job, jobs[0].epoch, [e.ApprovalRequested(approval=1, gate="fork", subject="?")]
    )
    before = [await store.jobs.get(claim.job) for claim in jobs]
    await tamper(
        store,
        "DELETE FROM branches",
        "DELETE FROM approvals",
        "UPDATE segments SET cost = 9",
        "UPDATE jobs SET phase = 'failed', question = 'another', finished_at = created_at",
    )
    assert await store.maintenance.rebuild_projections() == 3
    assert [await store.jobs.get(claim.job) for claim in jobs] == before
    assert all([(await store.maintenance.audit(claim.job)).sound for claim in jobs])


async def test_a_rebuild_keeps_what_the_journal_does_not_tell(store: Store) -> None:
    claim = await claimed(store)
    asked = e.ApprovalRequested(approval=1, gate="fork", subject="?")
    await store.journal.append(claim.job, claim.epoch, [asked], {"total_tokens": 3})
    (gate,) = await store.jobs.list_approvals("pending")
    decided = await store.jobs.decide_approval(gate.id, "reject", by="Zoë")
    before = await store.jobs.get(claim.job)
    assert (await store.maintenance.audit(claim.job)).sound
    assert await store.maintenance.rebuild_projections(claim.job) == 1
    assert await store.jobs.list_approvals("decided") == [decided]
    assert await store.jobs.get(claim.job) == before
    assert set(await store.queue.heartbeat("organizer", 30.0)) == {claim.job}


async def test_a_job_that_is_not_there_cannot_be_rebuilt(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.maintenance.rebuild_projections(JobId("none"))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False), steps=st.integers(0, 60), batch=st.integers(1, 12))
def test_whatever_happens_live_tables_equal_rebuilt_ones(
    database_url: str, random: Random, steps: int, batch: int
) -> None:
    """The batches in which a journal was written must not show in what is folded from it."""
    new = new_job()
    happened = journal(new.spec, random, steps)

    async def live_and_rebuilt() -> None:
        async with Store(database_url) as store:
            await store.jobs.submit(new)
            (claim,) = [claim for claim in await store.queue.claim("o", 30.0, 1000) if claim.job == new.id]
            for start in range(0, len(happened), batch):
                await store.journal.append(new.id, claim.epoch, happened[start : start + batch])
            live = await everything(store, new.id)
            assert (await store.maintenance.audit(new.id)).differences == ()
            await store.maintenance.rebuild_projections(new.id)
            assert await everything(store, new.id) == live

    asyncio.run(live_and_rebuilt())


async def everything(store: Store, job: JobId) -> list[object]:
    """All rows of the tables that are folded from a journal, sums of cost to the last sensible digit."""
    rows: list[Row[Any]] = []
    for table, key in (
        ("branches", "branch"),
        ("segments", "branch, segment, attempt"),
        ("joins", "branch, ordinal"),
        ("approvals", "ordinal"),
    ):
        query = f"SELECT * FROM {table} WHERE job_id = :job ORDER BY {key}"
        rows += await rows_of(store, query, job=job)
    row = await store.jobs.get(job)
    return [[round(value, 9) if isinstance(value, float) else value for value in row] for row in rows] + [
        (row.status, row.usage, round(row.cost, 9), row.answer, row.error, row.started_at, row.finished_at)
    ]


async def test_the_ledger_has_every_decoded_segment_with_its_tenant(store: Store) -> None:
    claim = await claimed(store, tenant="acme")
    spent: list[e.Event] = [started(A), finished(A, tokens=7, cost=0.5), started(B)]
    await store.journal.append(claim.job, claim.epoch, [*forked(1, 2), *spent])
    rows = await rows_of(store, "SELECT tenant, branch, completion_tokens, cost, engine FROM usage")
    assert [tuple(row) for row in rows] == [("acme", "0.1", 7, 0.5, "scripted")]


async def test_a_branch_tells_who_read_it_first(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(
        claim.job,
        claim.epoch,
        [
            *forked(1, 2),
            e.BranchReturned(branch=A, value="6"),
            e.BranchFailed(branch=B, cause="timeout", detail="60 s"),
            e.JoinRequested(join=1, targets=(A,), mode=e.Mode.ALL),
            e.BranchesJoined(join=1, joined=(A,)),
            e.BranchesMerged(into=B, merged=(A,)),
            *answered(),
        ],
    )
    first, second = (await store.jobs.list_branches(claim.job))[1:]
    assert (first.status, first.value, first.consumed_by) == ("returned", "6", "0")
    assert (second.status, second.cause, second.consumed_by) == ("failed", "timeout: 60 s", None)
