"""Finds in a journal what a fault did to its job, and how long the job stood still before it went on."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from anabranch.dag import events as e
from anabranch.dag.decoding import Finish
from anabranch.dag.ids import JobId


def effect(records: Sequence[e.Record], at: datetime) -> float | None:
    """Seconds from a fault to the first event that tells of it: a later claim, or a segment that was lost. None: it did
    not hit this job."""
    claimed = False
    for one in records:
        if one.at > at and (_is_lost(one.event) or (claimed and isinstance(one.event, e.JobClaimed))):
            return (one.at - at).total_seconds()
        claimed = claimed or isinstance(one.event, e.JobClaimed)
    return None


def effects(journals: Mapping[JobId, Sequence[e.Record]], at: datetime) -> list[float]:
    """Of each job that was hit."""
    found = (effect(records, at) for records in journals.values())
    return sorted(seconds for seconds in found if seconds is not None)


def tried_again(journals: Mapping[JobId, Sequence[e.Record]]) -> list[str]:
    """Each claim and branch beyond its first attempt, with what came before it in the journal."""
    return [
        f"{job}: "
        + "; ".join(f"{each.at:%H:%M:%S.%f} {each.event}" for each in records[max(nth - 4, 0) : nth + 1])
        for job, records in journals.items()
        for nth, one in enumerate(records)
        if isinstance(one.event, e.JobClaimed | e.BranchRetried) and one.event.attempt > 1
    ]


def owners(journals: Iterable[Sequence[e.Record]]) -> set[str]:
    """The pods whose organizers worked on them."""
    return {
        one.event.owner.partition("/")[0]
        for records in journals
        for one in records
        if isinstance(one.event, e.JobClaimed)
    }


def _is_lost(event: e.Event) -> bool:
    return isinstance(event, e.SegmentFinished) and event.decoded.finish in {Finish.ERROR, Finish.INTERRUPTED}
