"""Failed jobs are counted by their error, over all that the filters leave, and it is told whether that was all."""

import pytest
from tests.service.store.scenes import claimed, ended

from anabranch.dag import events as e
from anabranch.service.store.listings import error_groups, listing
from anabranch.service.store.rows import JobRow
from anabranch.service.store.store import Store


async def failed(store: Store, title: str, tenant: str = "zeta", question: str = "?") -> JobRow:
    claim = await claimed(store, tenant=tenant, question=question)
    over: list[e.Event] = [
        e.BranchFailed(cause="engine-error", detail="", attempts=1),
        e.JobFailed(type="no-answer", title=title, detail=claim.job),
    ]
    await store.journal.append(claim.job, claim.epoch, over)
    return await store.jobs.get(claim.job)


async def test_failures_are_counted_by_their_error_over_all_that_the_filters_leave(store: Store) -> None:
    await failed(store, "No answer", question="the first")
    second = await failed(store, "No answer", tenant="acme")
    other = await failed(store, "Too late", tenant="acme")
    await ended(store)
    groups = await store.jobs.group_errors()
    assert [(group.title, group.count, group.newest) for group in groups.items] == [
        ("No answer", 2, second.id),
        ("Too late", 1, other.id),
    ]
    assert groups.complete
    assert [group.count for group in (await store.jobs.group_errors(q="first")).items] == [1]
    assert [group.count for group in (await store.jobs.group_errors(tenant="acme")).items] == [1, 1]
    assert (await store.jobs.group_errors(since=other.created_at)).items[0].newest == other.id
    alike = await store.jobs.list_page(error="no-answer", error_title="Too late")
    assert [job.id for job in alike.items] == [other.id]


async def test_who_asks_for_jobs_that_did_not_fail_has_all_the_groups_there_are(store: Store) -> None:
    await failed(store, "No answer")
    groups = await store.jobs.group_errors(status="succeeded")
    assert (groups.items, groups.complete) == ((), True)


@pytest.mark.parametrize(("looks", "counts", "complete"), [(2, [1, 1], False), (3, [2, 1], True)])
async def test_only_the_newest_are_looked_at_and_that_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, looks: int, counts: list[int], complete: bool
) -> None:
    for title in ("No answer", "No answer", "Too late"):
        await failed(store, title)
    monkeypatch.setattr(listing, "LOOK", 1)
    monkeypatch.setattr(error_groups, "LOOKS", looks)
    groups = await store.jobs.group_errors()
    assert ([group.count for group in groups.items], groups.complete) == (counts, complete)


@pytest.mark.parametrize(
    ("most", "titles", "complete"), [(1, ["No answer"], False), (2, ["No answer", "Late"], True)]
)
async def test_only_the_most_frequent_are_given_and_that_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int, titles: list[str], complete: bool
) -> None:
    for title in ("No answer", "Late", "No answer"):
        await failed(store, title)
    monkeypatch.setattr(error_groups, "MOST_GROUPS", most)
    groups = await store.jobs.group_errors()
    assert ([group.title for group in groups.items], groups.complete) == (titles, complete)
