"""Loads the outcomes of an edited re-run's origin, for the organizer that runs it."""

import asyncio

from anabranch.dag import events as e
from anabranch.dag.job import JobSpec
from anabranch.dag.journal.rerun import OriginOutcomes
from anabranch.dag.vocabulary import Failure
from anabranch.service.organizer.job.resume import CannotGoOn
from anabranch.service.store.journal.writer import Journal


async def recall_of(journal: Journal, spec: JobSpec) -> OriginOutcomes | None:
    """What the job may use of the one that it was edited from; None for a job of its own.

    Raises CannotGoOn when the origin was purged, and StoreAway.
    """
    lineage = spec.lineage
    if lineage is None:
        return None
    origin, outcomes = lineage.job, OriginOutcomes(lineage.job, lineage.branch, lineage.output or "")
    found = False
    async for page in journal.pages(origin):
        found = True
        await asyncio.to_thread(outcomes.learn, page)
    if not found:
        detail = f"job {origin}, whose outcomes it re-uses, was purged; submit its question as a new job"
        failed = e.JobFailed(type=Failure.ORIGIN_GONE, title="The job that it re-runs is gone", detail=detail)
        raise CannotGoOn(failed)
    return outcomes
