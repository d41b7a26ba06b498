"""What a tenant may spend in a day holds whatever runs at once, and whatever crashes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.service.store.scenes import LEASE, answered, finished, new_job, started

from anabranch.dag.events import JobClaimed
from anabranch.dag.ids import TRUNK
from anabranch.dag.job import Budget
from anabranch.service.store.errors import QuotaSpent
from anabranch.service.store.jobs.quotas import SOON_SECONDS, Quota
from anabranch.service.store.rows import JobRow, NewJob
from anabranch.service.store.store import Store

QUOTA = Quota(tokens=100)


def job(tokens: int | None, tenant: str = "acme", quota: Quota = QUOTA, cost: float | None = None) -> NewJob:
    new = new_job(tenant=tenant, quota=quota)
    return replace(new, spec=replace(new.spec, budget=Budget(tokens=tokens, cost=cost)))


async def run_to_its_end(store: Store, row: JobRow, tokens: int) -> None:
    claims = {claim.job: claim for claim in await store.queue.claim("organizer", LEASE, 100)}
    claim = claims[row.id]
    await store.journal.append(row.id, claim.epoch, [JobClaimed(owner="organizer", attempt=1)])
    decoded = (started(TRUNK), finished(TRUNK, tokens))
    await store.journal.append(row.id, claim.epoch, [*decoded, *answered()])


async def test_a_job_that_is_under_way_counts_with_its_whole_budget(store: Store) -> None:
    await store.jobs.submit(job(60))
    with pytest.raises(
        QuotaSpent, match="60 are promised to jobs under way, and this job may spend 50"
    ) as no:
        await store.jobs.submit(job(50))
    assert no.value.retry_after == SOON_SECONDS, "the first one may leave enough"
    await store.jobs.submit(job(40))


async def test_a_job_that_fits_but_for_what_is_promised_may_ask_again_soon(store: Store) -> None:
    await store.jobs.submit(job(1))
    with pytest.raises(QuotaSpent) as no:
        await store.jobs.submit(job(100))
    assert no.value.retry_after == SOON_SECONDS


async def test_a_job_for_which_too_much_is_spent_waits_for_midnight_whatever_is_promised(
    database_url: str,
) -> None:
    noon = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
    async with Store(database_url, lambda: noon) as store:
        first = await store.jobs.submit(job(60))
        await run_to_its_end(store, first.job, tokens=60)
        await store.jobs.submit(job(20))
        with pytest.raises(QuotaSpent) as no:
            await store.jobs.submit(job(41))
        assert no.value.retry_after == 12 * 3600


async def test_a_job_that_ends_at_midnight_counts_for_the_day_that_begins(database_url: str) -> None:
    midnight = datetime(2026, 3, 14, tzinfo=UTC)
    async with Store(database_url, lambda: midnight) as store:
        first = await store.jobs.submit(job(100))
        await run_to_its_end(store, first.job, tokens=100)
    async with Store(database_url, lambda: midnight + timedelta(hours=23)) as store:
        with pytest.raises(QuotaSpent, match="100 are spent"):
            await store.jobs.submit(job(1))


async def test_a_job_that_has_ended_counts_with_what_it_spent(store: Store) -> None:
    first = await store.jobs.submit(job(100))
    await run_to_its_end(store, first.job, tokens=30)
    await store.jobs.submit(job(70))
    with pytest.raises(QuotaSpent, match="30 are spent"):
        await store.jobs.submit(job(1))


async def test_what_is_spent_is_there_again_at_midnight(database_url: str) -> None:
    noon = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
    async with Store(database_url, lambda: noon) as store:
        first = await store.jobs.submit(job(100))
        await run_to_its_end(store, first.job, tokens=100)
        with pytest.raises(QuotaSpent) as no:
            await store.jobs.submit(job(1))
        assert no.value.retry_after == 12 * 3600
    async with Store(database_url, lambda: noon + timedelta(hours=12)) as store:
        await store.jobs.submit(job(100))


@pytest.mark.parametrize(("wanted", "never"), [(100, False), (101, True)])
async def test_only_what_is_more_than_a_whole_days_quota_never_fits(
    store: Store, wanted: int, never: bool
) -> None:
    await store.jobs.submit(job(1))
    with pytest.raises(QuotaSpent) as no:
        await store.jobs.submit(job(wanted))
    assert no.value.never is never


async def test_a_job_without_a_budget_needs_the_whole_quota(store: Store) -> None:
    await store.jobs.submit(job(1))
    with pytest.raises(QuotaSpent, match="this job may spend 100"):
        await store.jobs.submit(job(None))


async def test_what_is_refused_was_not_written(store: Store) -> None:
    refused = job(101)
    with pytest.raises(QuotaSpent):
        await store.jobs.submit(refused)
    assert (await store.jobs.list_page()).items == ()


async def test_tenants_do_not_share_a_quota(store: Store) -> None:
    await store.jobs.submit(job(100))
    await store.jobs.submit(job(100, tenant="other"))


async def test_money_has_a_quota_of_its_own(store: Store) -> None:
    await store.jobs.submit(job(10, quota=Quota(cost=1.0), cost=0.7))
    with pytest.raises(QuotaSpent, match="The quota is 1 cost a day"):
        await store.jobs.submit(job(10, quota=Quota(cost=1.0), cost=0.4))


async def test_the_same_key_is_answered_though_the_quota_is_spent(store: Store) -> None:
    first = await store.jobs.submit(replace(job(100), idempotency_key="k", body_digest="d"))
    again = await store.jobs.submit(replace(job(100), idempotency_key="k", body_digest="d"))
    assert (again.created, again.job) == (False, first.job)


async def test_jobs_that_come_at_the_same_moment_do_not_pass_it_together(
    store: Store, other_store: Store
) -> None:
    async def submit(each: Store) -> bool:
        try:
            return (await each.jobs.submit(job(30))).created
        except QuotaSpent:
            return False

    accepted = await asyncio.gather(*(submit(each) for each in (store, other_store) * 10))
    assert sum(accepted) == 3
