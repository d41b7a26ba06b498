"""Defines the one vocabulary of status: of jobs, of branches, and of the graph's nodes.

The state, the graph, the tables, the API, the traces, the command line and the dashboard say these words, and no
others. Two rules decide, and they are written here only:

* A job or a branch *waits* from the moment a person is asked until that person has decided, or the branch that asked
  has ended: its question is withdrawn then. Other branches may decode
  meanwhile; so "waiting" means "a person has something to decide", never "nothing is being decoded".
* What has ended stays as it ended.
"""

from enum import StrEnum
from typing import Final


class JobStatus(StrEnum):
    QUEUED = "queued"
    """No organizer has claimed it yet."""
    RUNNING = "running"
    WAITING = "waiting"
    """For a person to decide."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL: Final = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)
"""How a job can have ended."""


class BranchStatus(StrEnum):
    QUEUED = "queued"
    """It has not begun: its inputs or a place are missing."""
    OPEN = "open"
    """It has begun and is between two segments: its policy joins, votes, or waits for a verifier."""
    DECODING = "decoding"
    """One of its segments is open (of a tool: its function runs)."""
    WAITING = "waiting"
    """For a person to decide."""
    RETURNED = "returned"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = (BranchStatus.RETURNED, BranchStatus.FAILED, BranchStatus.CANCELLED)
"""How a branch can have ended."""


class NodeStatus(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    """Its text is read by nobody."""
    ABORTED = "aborted"
    """Its branch was cancelled; the text so far is kept."""


def job_status(phase: JobStatus, undecided: int) -> JobStatus:
    """The status of a job in this phase (any status but WAITING) of which so many approvals are undecided."""
    return JobStatus.WAITING if phase is JobStatus.RUNNING and undecided else phase


def branch_status(phase: BranchStatus, undecided: int, open_segments: int) -> BranchStatus:
    """The status of a branch in this phase (QUEUED, OPEN, or how it ended)."""
    if phase in ENDED:
        return phase
    if undecided:
        return BranchStatus.WAITING
    return BranchStatus.DECODING if open_segments else phase
