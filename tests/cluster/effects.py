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


def attempts(journals: Iterable[Sequence[e.Record]]) -> int:
    """The highest attempt of any job and branch; 1 where nothing had to be tried again."""
    return max(
        one.event.attempt
        for records in journals
        for one in records
        if isinstance(one.event, e.JobClaimed | e.BranchRetried)
    )


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
