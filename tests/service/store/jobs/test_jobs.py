"""What can be asked, and that the answers hold while others write."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.store.scenes import answered, claimed, ended, finished, forked, started, submitted

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId, JobId
from anabranch.service.store.errors import BadCursor, NotFound
from anabranch.service.store.listings.cursors import place_of
from anabranch.service.store.rows import BranchRow
from anabranch.service.store.store import Store


async def listed(store: Store, **wanted: Any) -> list[JobId]:
    return [job.id for job in (await store.jobs.list_page(**wanted)).items]


async def test_jobs_are_listed_newest_first(store: Store) -> None:
    made = [(await submitted(store)).id for _ in range(3)]
    assert await listed(store) == made[::-1]


async def test_pages_fit_together_while_new_jobs_come_in(store: Store) -> None:
    made = [(await submitted(store)).id for _ in range(7)]
    seen: list[JobId] = []
    cursor = None
    while True:
        page = await store.jobs.list_page(limit=2, cursor=cursor)
        seen += [job.id for job in page.items]
        await submitted(store)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made[::-1]


async def test_the_last_page_says_so_even_when_it_is_full(store: Store) -> None:
    for _ in range(4):
        await submitted(store)
    first = await store.jobs.list_page(limit=2)
    assert first.next_cursor is not None
    assert (await store.jobs.list_page(limit=2, cursor=first.next_cursor)).next_cursor is None


async def test_a_listing_can_be_narrowed(store: Store) -> None:
    waiting = (await submitted(store, "How many roads?", policy="mcts", tenant="acme")).id
    done = (await ended(store)).id
    for wanted in ({"status": "queued"}, {"policy": "mcts"}, {"tenant": "acme"}, {"q": "ROADS"}):
        assert await listed(store, **wanted) == [waiting], wanted
    assert await listed(store, status="succeeded") == [done]
    assert await listed(store, status="queued", policy="self-consistency") == []


@pytest.mark.parametrize("sign", ["%", "_", "\\", "'"])
async def test_what_is_sought_is_sought_as_it_is_written(store: Store, sign: str) -> None:
    await submitted(store, "with x in it")
    signed = (await submitted(store, f"with {sign} in it")).id
    assert await listed(store, q=f"h {sign} i") == [signed]


@pytest.mark.parametrize("cursor", ["", "nonsense", "WzFd", "bnVsbA==", "WyIyMDI2LTAxLTAxIiwgImEiXQ=="])
async def test_a_cursor_that_was_not_given_out_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await store.jobs.list_page(cursor=cursor)


@settings(deadline=None)
@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_cursor_makes_anything_worse_than_a_refusal(cursor: str) -> None:
    try:
        place_of(cursor)
    except BadCursor:
        return


async def test_another_tenants_job_is_not_there(store: Store) -> None:
    job = await submitted(store, tenant="acme")
    assert await store.jobs.get(job.id, tenant="acme") == job
    with pytest.raises(NotFound):
        await store.jobs.get(job.id, tenant="other")


@pytest.mark.parametrize("name", ["none", "", "a\x00b", "\ud800", "'; DROP TABLE jobs"])
async def test_any_name_may_be_asked_for(store: Store, name: str) -> None:
    with pytest.raises(NotFound):
        await store.jobs.get(JobId(name))
    with pytest.raises(NotFound):
        await store.jobs.get_branch(JobId(name), BranchId(name))
    assert await store.journal.read_page(JobId(name)) == []
    assert await store.journal.read_many({JobId(name): 0}) == []


async def test_a_journal_is_read_in_pages(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(
        claim.job, claim.epoch, [e.TextPosted(text=str(number)) for number in range(8)]
    )
    whole = await store.journal.read(claim.job)
    assert [record.seq for record in whole] == list(range(1, 11))
    assert await store.journal.read_page(claim.job, after_seq=0, limit=4) == whole[:4]
    assert await store.journal.read_page(claim.job, after_seq=4, limit=100) == whole[4:]
    assert await store.journal.read_page(claim.job, after_seq=10) == []


async def test_many_journals_are_read_with_one_look(store: Store) -> None:
    claims = sorted([await claimed(store) for _ in range(3)], key=lambda claim: claim.job)
    for claim in claims:
        await store.journal.append(claim.job, claim.epoch, forked(1))
    behind = {claims[0].job: 0, claims[1].job: 2, claims[2].job: 3}
    new = await store.journal.read_many(behind)
    assert [(record.job, record.seq) for record in new] == [
        (claims[0].job, 1),
        (claims[0].job, 2),
        (claims[0].job, 3),
        (claims[1].job, 3),
    ]
    assert await store.journal.read_many({}) == []


async def test_a_branch_is_found_and_all_are_listed_by_their_paths(store: Store) -> None:
    claim = await claimed(store)
    children = range(1, 12)
    await store.journal.append(claim.job, claim.epoch, forked(*children))
    assert [row.branch for row in await store.jobs.list_branches(claim.job)] == [
        "0",
        *(f"0.{n}" for n in children),
    ]
    assert (await store.jobs.get_branch(claim.job, BranchId("0.10"))).role == "worker"
    with pytest.raises(NotFound, match=r"no branch 0\.12 of job"):
        await store.jobs.get_branch(claim.job, BranchId("0.12"))


async def test_branches_are_counted_and_found_in_their_own_job_alone(store: Store) -> None:
    """The branches of two jobs have the same names."""
    made = []
    for children in (3, 2):
        claim = await claimed(store)
        answer = e.AnswerCommitted(text="42", sources=(BranchId(f"0.{children}"),))
        events = (*forked(*range(1, children + 1)), answer, e.BranchReturned(value="42"))
        await store.journal.append(claim.job, claim.epoch, events)
        made.append(claim.job)
    assert [await store.jobs.count_branches(job) for job in made] == [4, 3]
    for job, source in zip(made, ("0.3", "0.2"), strict=True):
        row, found = await store.jobs.get_answered(job)
        assert (row.id, [each.branch for each in found]) == (job, [source])


async def test_a_gate_is_found_by_its_number_and_another_tenants_is_not_there(store: Store) -> None:
    claim = await claimed(store, tenant="acme")
    asked = e.ApprovalRequested(approval=1, gate="answer", subject="42")
    await store.journal.append(claim.job, claim.epoch, [asked])
    [gate] = await store.jobs.list_approvals("pending")
    assert await store.jobs.get_approval(gate.id) == gate
    assert await store.jobs.get_approval(gate.id, "acme") == gate
    for number, tenant in ((gate.id, "other"), ("nobody's", None)):
        with pytest.raises(NotFound):
            await store.jobs.get_approval(number, tenant)


async def test_gates_come_page_by_page_and_none_twice(store: Store) -> None:
    claim = await claimed(store)
    asked = [e.ApprovalRequested(approval=n, gate="answer", subject=f"{n}") for n in range(1, 8)]
    await store.journal.append(claim.job, claim.epoch, asked)
    page = await store.jobs.list_approval_page("pending", limit=3)
    seen = list(page.items)
    while page.next_cursor is not None:
        page = await store.jobs.list_approval_page("pending", limit=3, cursor=page.next_cursor)
        seen += page.items
    assert sorted(gate.subject for gate, _question in seen) == ["1", "2", "3", "4", "5", "6", "7"]


async def test_a_job_tells_of_which_models_it_is_asking(store: Store) -> None:
    asking, idle = await claimed(store), await claimed(store)
    one, two = BranchId("0.1"), BranchId("0.2")
    opened = [e.SegmentStarted(branch=one, segment=1, model="big"), started(two)]
    await store.journal.append(asking.job, asking.epoch, [*forked(1, 2), *opened])
    jobs = [asking.job, idle.job]
    assert await store.jobs.list_open_models(jobs) == {asking.job: {"big", None}}
    await store.journal.append(asking.job, asking.epoch, [finished(one)])
    assert await store.jobs.list_open_models(jobs) == {asking.job: {None}}


async def test_a_key_is_its_tenants_own(store: Store) -> None:
    await submitted(store, tenant="acme", idempotency_key="once", body_digest="digest")
    asked = [("acme", "once"), ("acme", "twice"), ("other", "once")]
    assert [await store.jobs.has_key(*each) for each in asked] == [True, False, False]


async def test_a_branch_tells_how_far_it_is(store: Store) -> None:
    claim = await claimed(store)
    branch = BranchId("0.1")

    async def after(*happened: e.Event) -> BranchRow:
        await store.journal.append(claim.job, claim.epoch, happened)
        return await store.jobs.get_branch(claim.job, branch)

    assert (await after(*forked(1))).status == "queued"
    running = await after(started(branch))
    assert (running.status, running.finished_at) == ("decoding", None)
    assert running.started_at is not None
    decoded = await after(finished(branch, tokens=7))
    assert (decoded.status, decoded.usage.completion_tokens, decoded.replica) == ("open", 7, "r1")
    assert decoded.first_token_at is not None
    assert decoded.first_token_at.timestamp() == 4.0
    retried = await after(e.BranchRetried(branch=branch, attempt=2, cause="replica-died"))
    assert (retried.status, retried.attempts) == ("open", 2)
    asking = await after(e.ApprovalRequested(branch=branch, approval=1, gate="fork", subject="?"))
    assert asking.status == "waiting"
    cancelled = await after(e.BranchCancelled(branch=branch, reason="pruned", withdrawn=(1,)))
    assert (cancelled.status, cancelled.cause) == ("cancelled", "pruned")
    assert cancelled.finished_at is not None


async def test_a_cancelled_branch_stays_cancelled_when_its_stream_is_closed_later(store: Store) -> None:
    claim = await claimed(store)
    branch = BranchId("0.1")
    late = e.SegmentStarted(branch=branch, segment=2, continues=True)
    cancelled = e.BranchCancelled(branch=branch, reason="pruned")
    await store.journal.append(
        claim.job, claim.epoch, [*forked(1), started(branch), cancelled, finished(branch), late]
    )
    await store.journal.append(claim.job, claim.epoch, [finished(branch, segment=2)])
    row = await store.jobs.get_branch(claim.job, branch)
    assert (row.status, row.usage.completion_tokens) == ("cancelled", 10)


async def test_the_queue_and_the_counts(store: Store) -> None:
    await submitted(store)
    await ended(store)
    await submitted(store, tenant="acme")
    assert await store.jobs.count_live() == {"queued": 2, "running": 0, "waiting": 0}
    assert await store.jobs.count_live("acme") == {"queued": 1, "running": 0, "waiting": 0}
    assert await store.queue.count_queued() == 2


async def test_ended_jobs_have_all_their_times(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(claim.job, claim.epoch, answered())
    job = await store.jobs.get(claim.job)
    assert job.started_at is not None and job.finished_at is not None
    assert job.created_at <= job.started_at <= job.finished_at


async def test_an_ended_job_is_taken_for_metrics_by_one_process_however_many_ask_at_once(
    store: Store,
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=60)
    made = {(await ended(store)).id for _ in range(5)}
    await claimed(store)
    taken = await asyncio.gather(*(store.jobs.take_ended(before, 2) for _ in range(4)))
    taken.append(await store.jobs.take_ended(before, 10))
    each = [job for jobs in taken for job in jobs]
    assert (set(each), len(each)) == (made, 5)
    assert await store.jobs.take_ended(before, 10) == []
    late = await ended(store)
    assert await store.jobs.take_ended(datetime.now(UTC) + timedelta(seconds=60), 10) == []
    assert await store.jobs.take_ended(before, 10) == [late.id]
