"""What people tell a job: heard once, and heard by whoever works on it."""

import asyncio
from typing import Any, Literal

import pytest
from tests.service.store.scenes import LEASE, answered, claimed, ended, forked, recorded, submitted

from anabranch.dag.events import ApprovalDecided, ApprovalRequested, BranchCancelled, Choice
from anabranch.dag.ids import BranchId, JobId
from anabranch.service.store.errors import AlreadyDecided, ApprovalWithdrawn, BadCursor, JobEnded, NotFound
from anabranch.service.store.rows import ApprovalRow, Claim
from anabranch.service.store.store import Store


async def gate(store: Store, **more: Any) -> tuple[Claim, ApprovalRow]:
    """A job that waits for a person."""
    claim = await claimed(store, **more)
    asked = ApprovalRequested(
        approval=1, gate="fork", subject="two workers", timeout=90.0, default=Choice.APPROVE
    )
    await store.journal.append(claim.job, claim.epoch, [asked])
    (waiting,) = await store.jobs.list_approvals("pending", job=claim.job)
    return claim, waiting


async def test_a_cancel_reaches_the_organizer_with_its_next_heartbeat(
    store: Store, other_store: Store
) -> None:
    claim = await claimed(store)
    asked = await other_store.jobs.request_cancel(claim.job, "changed my mind")
    assert (asked.status, asked.cancel_requested) == ("running", "changed my mind")
    held = (await store.queue.heartbeat("organizer", LEASE))[claim.job]
    assert (held.woken, held.cancel_requested) == (True, "changed my mind")


async def test_the_first_reason_stands(store: Store) -> None:
    job = await submitted(store)
    await store.jobs.request_cancel(job.id, "first")
    assert (await store.jobs.request_cancel(job.id, "second")).cancel_requested == "first"


async def test_a_cancel_changes_nothing_in_a_job_that_has_ended(store: Store) -> None:
    job = await ended(store)
    assert await store.jobs.request_cancel(job.id, "too late") == job


async def test_nobody_cancels_what_is_not_there_or_not_his(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.jobs.request_cancel(JobId("none"), "why not")
    job = await submitted(store, tenant="acme")
    with pytest.raises(NotFound):
        await store.jobs.request_cancel(job.id, "why not", tenant="other")
    assert (await store.jobs.get(job.id)).cancel_requested is None


async def test_a_job_waits_while_an_approval_does(store: Store) -> None:
    claim, waiting = await gate(store)
    assert (await store.jobs.get(claim.job)).status == "waiting"
    assert (waiting.gate, waiting.subject, waiting.ordinal) == ("fork", "two workers", 1)
    assert waiting.expires_at is not None
    assert (waiting.expires_at - waiting.requested_at).total_seconds() == 90.0
    await store.journal.append(
        claim.job, claim.epoch, [ApprovalDecided(approval=1, decision=Choice.APPROVE, by="Zoë")]
    )
    assert (await store.jobs.get(claim.job)).status == "running"
    (decided,) = await store.jobs.list_approvals("decided")
    assert (decided.decision, decided.decided_by, decided.recorded) == ("approve", "Zoë", True)


async def test_with_two_gates_it_waits_for_both(store: Store) -> None:
    claim, _ = await gate(store)
    await store.journal.append(
        claim.job, claim.epoch, [ApprovalRequested(approval=2, gate="answer", subject="42")]
    )
    await store.journal.append(claim.job, claim.epoch, [ApprovalDecided(approval=2, decision=Choice.APPROVE)])
    assert (await store.jobs.get(claim.job)).status == "waiting"


async def test_a_decision_is_kept_until_it_is_journaled(store: Store) -> None:
    claim, waiting = await gate(store)
    made = await store.jobs.decide_approval(
        waiting.id, "edit", edit="one\x00worker", by="Zoë", reason="thrift"
    )
    assert (made.decision, made.edit, made.decided_by, made.reason) == (
        "edit",
        "one\ufffdworker",
        "Zoë",
        "thrift",
    )
    assert not made.recorded
    assert await store.jobs.list_approvals("decided", job=claim.job) == [made]
    assert await store.jobs.list_approvals("pending") == []


async def test_the_first_decision_stands_however_many_come_at_once(store: Store, other_store: Store) -> None:
    _, waiting = await gate(store)
    decisions = [
        each.jobs.decide_approval(waiting.id, decision)
        for each in (store, other_store)
        for decision in ("approve", "reject")
    ]
    outcomes = await asyncio.gather(*decisions, return_exceptions=True)
    (made,) = [each for each in outcomes if isinstance(each, ApprovalRow)]
    refused = [each for each in outcomes if isinstance(each, AlreadyDecided)]
    assert [each.decision for each in refused] == [made.decision] * 3


async def test_nobody_decides_what_is_not_there_not_his_or_over(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.jobs.decide_approval("none", "approve")
    claim, waiting = await gate(store, tenant="acme")
    with pytest.raises(NotFound):
        await store.jobs.decide_approval(waiting.id, "approve", tenant="other")
    await store.journal.append(claim.job, claim.epoch, answered())
    with pytest.raises(JobEnded):
        await store.jobs.decide_approval(waiting.id, "approve", tenant="acme")
    assert await store.jobs.list_approvals("pending") == []


async def test_what_a_cancelled_branch_asked_is_withdrawn(store: Store) -> None:
    claim, branch = await claimed(store), BranchId("0.1")
    asked = ApprovalRequested(branch=branch, approval=1, gate="fork", subject="two workers")
    await store.journal.append(claim.job, claim.epoch, [*forked(1), asked])
    (waiting,) = await store.jobs.list_approvals("pending")
    assert (await store.jobs.get(claim.job)).status == "waiting"
    cancelled = BranchCancelled(branch=branch, reason="pruned", withdrawn=(1,))
    await store.journal.append(claim.job, claim.epoch, [cancelled])
    assert (await store.jobs.get(claim.job)).status == "running"
    assert await store.jobs.list_approvals("pending") == []
    with pytest.raises(ApprovalWithdrawn, match=r"branch 0\.1, which asked for it, is cancelled"):
        await store.jobs.decide_approval(waiting.id, "approve")
    assert await store.jobs.list_approvals() == [waiting]


async def test_approvals_are_listed_per_tenant(store: Store) -> None:
    await gate(store, tenant="acme")
    assert len((await store.jobs.list_approval_page("pending", tenant="acme")).items) == 1
    assert (await store.jobs.list_approval_page("pending", tenant="other")).items == ()


async def test_gates_are_listed_page_by_page_with_what_was_asked(store: Store) -> None:
    """Those that wait oldest first, those that are decided newest first; each page is one statement."""
    ids = [(await gate(store, question=f"What is {n} + {n}?", tenant="acme"))[1].id for n in range(5)]
    await gate(store, tenant="other")

    async def listed(status: Literal["pending", "decided"], limit: int = 2) -> list[tuple[str, str]]:
        found, cursor, pages = [], None, 0
        while True:
            with recorded(store) as statements:
                page = await store.jobs.list_approval_page(status, tenant="acme", limit=limit, cursor=cursor)
            assert len(statements) == 1
            found += [(row.id, question) for row, question in page.items]
            pages += 1
            if (cursor := page.next_cursor) is None:
                assert pages == max(1, -(-len(found) // limit))
                return found

    asked = [(one, f"What is {n} + {n}?") for n, one in enumerate(ids)]
    assert await listed("pending") == asked
    assert await listed("pending", 5) == asked
    assert await listed("decided") == []
    for one in (ids[3], ids[0], ids[4]):
        await store.jobs.decide_approval(one, "approve")
    assert await listed("pending") == [asked[1], asked[2]]
    assert await listed("decided") == [asked[4], asked[3], asked[0]]
    with pytest.raises(BadCursor):
        await store.jobs.list_approval_page("decided", cursor="?")
