"""Holds what a job run acts on, handed to it by its organizer."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import Metrics
from anabranch.dag.journal.rerun import OriginOutcomes
from anabranch.service.organizer.job.partial_text import PartialTexts
from anabranch.service.organizer.rooms import Rooms
from anabranch.workers.checks.protocol import Checks
from anabranch.workers.pool.protocol import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """What a job run acts on."""

    pool: Pool
    checks: Checks
    append: Callable[[Sequence[e.Event], Metrics | None], Awaitable[object]]
    """Makes events durable under the job's claim, or raises Fenced. The metrics are given with the last ones."""
    rooms: Rooms
    """The organizer's, of all its jobs."""
    texts: PartialTexts
    """Of its open segments."""
    now: Callable[[], float]
    """Unix seconds."""
    computing: Callable[[], AbstractContextManager[None]] = nullcontext
    """Marks this job as the one that is being computed, while its block runs. Nothing may be awaited in it."""
    recall: OriginOutcomes | None = None
    """Outcomes of the job that this one was edited from."""
