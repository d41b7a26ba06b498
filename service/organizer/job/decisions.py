"""Tells people's decisions to the run that waits for them, and takes them for people when their time has passed."""

from contextlib import suppress
from datetime import datetime
from typing import cast

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, JobId
from anabranch.service.organizer.job.run import JobRun
from anabranch.service.store.errors import AlreadyDecided, ApprovalWithdrawn, JobEnded
from anabranch.service.store.jobs.requests import Decision
from anabranch.service.store.rows import ApprovalRow
from anabranch.service.store.store import Store


async def tell_decisions(store: Store, run: JobRun, job: JobId, cancel: str | None) -> None:
    """Tells a run what people have said about its job. What it knows already changes nothing."""
    tell_cancel(run, cancel)
    for approval in await store.jobs.list_approvals("decided", job=job):
        if not approval.recorded:
            run.tell(_decided(approval))


def tell_cancel(run: JobRun, reason: str | None) -> None:
    """Tells a run that a client wants no answer any more; nothing where there is no reason."""
    if reason is not None:
        run.tell(e.BranchCancelled(branch=TRUNK, reason=reason, by=e.CancelledBy.CLIENT))


async def time_out_approvals(store: Store, now: datetime) -> bool:
    """Decides gates whose time has passed by their default, like any person would: the first decision stands. Returns
    whether there were any."""
    late = [
        each
        for each in await store.jobs.list_approvals("pending")
        if each.expires_at is not None and each.expires_at <= now
    ]
    for approval in late:
        with suppress(AlreadyDecided, ApprovalWithdrawn, JobEnded):
            await store.jobs.decide_approval(approval.id, cast("Decision", approval.at_timeout), by="timeout")
    return bool(late)


def _decided(approval: ApprovalRow) -> e.ApprovalDecided:
    return e.ApprovalDecided(
        branch=approval.branch,
        approval=approval.ordinal,
        decision=e.Choice(approval.decision or approval.at_timeout),
        edit=approval.edit,
        by=approval.decided_by or "",
        reason=approval.reason or "",
    )
