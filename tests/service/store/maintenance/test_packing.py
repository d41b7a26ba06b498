"""A packed journal is read, rated, audited, exported and purged as before; what cannot be packed stays as it is."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.service.store.scenes import answered, claimed, ended, rows_of

from anabranch.dag.events import JobRated, Record, TextPosted
from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import Break, Reason
from anabranch.service.store.errors import DamagedPack, OlderAtWork
from anabranch.service.store.journal import reading
from anabranch.service.store.maintenance import packing
from anabranch.service.store.programs import Program, renew
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store

TOMORROW = datetime.now(UTC) + timedelta(days=1)


async def long_job(store: Store, events: int = 20) -> JobId:
    claim = await claimed(store)
    words = [TextPosted(text=f"word {number}") for number in range(events)]
    await store.journal.append(claim.job, claim.epoch, [*words, *answered()])
    return claim.job


async def count(store: Store, table: str) -> int:
    [row] = await rows_of(store, f"SELECT count(*) FROM {table}")
    return int(row[0])


@pytest.fixture
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (packing, reading):
        monkeypatch.setattr(module, "LINKS_OF_PACK", 4)
    monkeypatch.setattr(packing, "LINKS_AT_ONCE", 9)


async def test_a_packed_journal_is_read_as_before(store: Store, small_packs: None) -> None:
    job = await long_job(store)
    before = await store.journal.read(job)
    assert await store.maintenance.pack(TOMORROW) > len(before) // 4
    assert await count(store, "events") == 0
    assert await store.journal.read(job) == before
    for after in range(len(before) + 1):
        for limit in (1, 3, 4, 9, 500):
            page = await store.journal.read_page(job, after, limit)
            assert page == before[after : after + limit], (after, limit)
    paged: list[Record] = [record async for page in store.journal.pages(job, 5) for record in page]
    assert paged == before[5:]


async def test_between_two_steps_half_of_a_journal_is_rows(store: Store, small_packs: None) -> None:
    job = await long_job(store)
    before = await store.journal.read(job)
    for _ in range(2):
        await store.database.write(lambda connection: packing.pack_some(connection, 1, TOMORROW))
    assert (await count(store, "packs"), await count(store, "events")) == (2, len(before) - 8)
    assert await store.journal.read(job) == before
    assert await store.journal.read_page(job, 6, 6) == before[6:12]
    assert (await store.maintenance.audit(job)).sound


async def test_long_and_short_journals_are_packed_to_their_ends(store: Store, small_packs: None) -> None:
    made = [await long_job(store, events) for events in (0, 3, 11, 1, 2, 30)]
    before = [await store.journal.read(job) for job in made]
    await store.maintenance.pack(TOMORROW)
    assert await count(store, "events") == 0
    assert await store.maintenance.pack(TOMORROW) == 0
    assert [await store.journal.read(job) for job in made] == before


async def test_its_chain_is_verified_and_its_tables_are_compared(store: Store) -> None:
    job = await long_job(store)
    await store.maintenance.pack(TOMORROW)
    audit = await store.maintenance.audit(job)
    assert (audit.sound, audit.records) == (True, (await store.jobs.get(job)).head_seq)
    await store.maintenance.rebuild_projections(job)
    assert (await store.maintenance.audit(job)).sound


async def test_it_is_rated_and_rated_anew(store: Store) -> None:
    job = await long_job(store)
    await store.feedback.rate(job, "ann", 1.0, "right")
    await store.maintenance.pack(TOMORROW)
    await store.feedback.rate(job, "ann", 0.0, "wrong after all")
    assert [row.score for row in await store.feedback.list(job)] == [0.0]
    rated = [record.event for record in (await store.journal.read(job))[-2:]]
    assert [event.score for event in rated if isinstance(event, JobRated)] == [1.0, 0.0]
    assert (await store.maintenance.audit(job)).sound


async def test_ratings_without_number_hold_up_nothing(store: Store, small_packs: None) -> None:
    job, other = await long_job(store, 1), await long_job(store, 1)
    for number in range(30):
        await store.feedback.rate(job, "ann", number / 30, "")
    await store.maintenance.pack(TOMORROW)
    kept = await rows_of(store, "SELECT DISTINCT kind FROM events")
    assert [row.kind for row in kept] == [JobRated.__name__]
    assert (await store.maintenance.audit(job)).sound
    assert (await store.maintenance.audit(other)).sound


async def test_jobs_that_go_on_and_young_ones_are_not_packed(store: Store) -> None:
    running, young = await claimed(store), await ended(store)
    assert young.finished_at is not None
    assert await store.maintenance.pack(young.finished_at) == 0
    assert await store.maintenance.pack(TOMORROW) == 1
    assert await store.maintenance.pack(TOMORROW) == 0
    assert await rows_of(store, "SELECT 1 FROM events WHERE job_id = :job", job=running.job)


async def test_a_purge_takes_the_packs_with_it(store: Store) -> None:
    await long_job(store)
    await store.maintenance.pack(TOMORROW)
    assert await store.maintenance.purge(TOMORROW) == 1
    assert await count(store, "packs") == 0


async def test_a_journal_with_a_hole_stays_as_it_is(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    job, whole = await long_job(store), await long_job(store)
    await store.database.write(
        lambda connection: connection.exec_driver_sql(
            f"DELETE FROM events WHERE job_id = '{job}' AND seq = 5"
        )
    )
    assert await store.maintenance.pack(TOMORROW) == 2
    assert f"anabranch audit {job}" in caplog.text
    assert (await store.maintenance.audit(job)).broken == Break(seq=5, reason=Reason.MISSING)
    assert (await store.maintenance.audit(whole)).sound
    assert await store.maintenance.pack(TOMORROW) == 0


async def test_what_was_changed_before_stays_as_evidence(store: Store) -> None:
    job = await long_job(store)
    changed = f"UPDATE events SET branch = '0.9' WHERE job_id = '{job}' AND seq = 6"
    await store.database.write(lambda connection: connection.exec_driver_sql(changed))
    await store.maintenance.pack(TOMORROW)
    assert await count(store, "packs") == 0
    assert (await store.maintenance.audit(job)).broken == Break(seq=6, reason=Reason.CHANGED)


async def test_a_pack_that_was_changed_is_told(store: Store, small_packs: None) -> None:
    job = await long_job(store)
    await store.maintenance.pack(TOMORROW)
    cut = f"UPDATE packs SET data = substr(data, 2) WHERE job_id = '{job}' AND last_seq = 8"
    await store.database.write(lambda connection: connection.exec_driver_sql(cut))
    assert (await store.maintenance.audit(job)).broken == Break(seq=5, reason=Reason.CHANGED)
    with pytest.raises(DamagedPack, match="from record 5 on"):
        await store.journal.read(job)
    with pytest.raises(DamagedPack, match="from record 7 on"):
        await store.journal.read_page(job, 6)
    assert len(await store.journal.read_page(job, 8)) > 0


async def test_what_is_packed_between_the_looks_at_rows_and_at_packs_is_read_once(
    store: Store, small_packs: None
) -> None:
    """On PostgreSQL each look sees what is committed by then: rows that are packed meanwhile are found by both."""
    job = await long_job(store)
    before = await store.journal.read(job)
    keep = "CREATE TABLE kept AS SELECT * FROM events WHERE seq > 1"
    give_back = "INSERT INTO events SELECT * FROM kept WHERE seq NOT IN (SELECT seq FROM events)"
    await store.database.write(lambda connection: connection.exec_driver_sql(keep))
    await store.database.write(lambda connection: packing.pack_some(connection, 1, TOMORROW))
    await store.database.write(lambda connection: connection.exec_driver_sql(give_back))
    assert (await count(store, "packs"), await count(store, "events")) == (1, len(before) - 1)
    assert await store.journal.read(job) == before


async def test_programs_of_the_first_release_that_reads_packs_hold_up_nothing(store: Store) -> None:
    await long_job(store)
    first = Program(name="first", role="api", release="1.0", revision=packing.READS_PACKS)
    await store.database.write(lambda connection: renew(connection, first, 60.0))
    assert await store.maintenance.pack(TOMORROW) == 1


async def test_nothing_is_packed_while_an_older_program_lives_and_none_starts_after(store: Store) -> None:
    job = await long_job(store)
    older = Program(name="old", role="api", release="0.9", revision="0021")
    await store.database.write(lambda connection: renew(connection, older, 60.0))
    with pytest.raises(OlderAtWork, match="api old"):
        await store.maintenance.pack(TOMORROW)
    assert await count(store, "packs") == 0
    await store.programs.remove("old")
    assert await store.maintenance.pack(TOMORROW) == 1
    found, _ = await schema.read(store.database.url.render_as_string(hide_password=False))
    assert found.usable_from == packing.READS_PACKS
    assert (await store.maintenance.audit(job)).sound
