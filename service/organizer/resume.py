"""Taking up a job: where its journal ends, whether it can go on, and what becomes of decodes that nobody does now."""

from collections.abc import Mapping, Sequence

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.errors import DagError
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits
from anabranch.dag.policy import policy_named
from anabranch.service.store.rows import Checkpoint

LOST_BEFORE_PARKING = 5
"""A job over which so many organizers were lost while it got nowhere is poison: it fails with the evidence."""


class CannotGoOn(Exception):
    """The job must end here; `failed` says why in its journal. Never a silent divergence, never an endless loop."""

    def __init__(self, failed: e.JobFailed) -> None:
        super().__init__(failed.detail)
        self.failed = failed


def resume(records: Sequence[e.Record], attempt: int) -> Interpreter:
    """The interpreter as it stood when the journal ended. Raises CannotGoOn. `attempt` is the claim's."""
    submitted = records[0].event
    assert isinstance(submitted, e.JobSubmitted)
    try:
        version = policy_named(submitted.spec.policy).version
        begun = any(isinstance(record.event, e.JobClaimed) for record in records)
        if begun and submitted.policy_version != version:
            detail = f"it began under version {submitted.policy_version}; submit it again to run the new one"
            raise _refused("policy-changed", "Its policy has changed", detail)
        lost = lost_in_vain(records, attempt)
        if lost >= LOST_BEFORE_PARKING:
            detail = (
                f"{lost} organizers were lost over it and it got nowhere; its journal holds what they did"
            )
            raise _refused("poison", "It kills its organizers", detail)
        return replay(records)
    except DagError as error:
        raise _refused("diverged", "Its policy has changed", str(error)) from error


def _refused(kind: str, title: str, detail: str) -> CannotGoOn:
    return CannotGoOn(e.JobFailed(type=kind, title=title, detail=detail))


def lost_in_vain(records: Sequence[e.Record], attempt: int) -> int:
    """How many organizers were lost over this job since it last got anywhere. Those that handed it over do not count:
    claims count their attempts up only when a lease has ended, or when a job broke its run."""
    since = held = 1
    for record in records:
        match record.event:
            case e.JobClaimed():
                held = record.event.attempt
            case e.SegmentFinished(decoded=decoded) if decoded.finish is not Finish.ERROR:
                since = held
            case e.ApprovalDecided():
                since = held
            case _:
                pass
    return attempt - since


def end_lost_segment(
    started: e.SegmentStarted, checkpoints: Mapping[BranchId, Checkpoint], limits: Limits
) -> e.SegmentFinished:
    """The end of a segment whose organizer was lost.

    Free text goes on from its checkpoint. Text under a grammar or a structure cannot be entered in the middle: it is
    decoded again from its segment's start (the last tag), as is text that was never checkpointed.
    """
    saved = checkpoints.get(started.branch)
    if saved is not None and (saved.segment, saved.attempt) != (started.segment, started.attempt):
        saved = None
    usage = Usage(completion_tokens=saved.tokens if saved is not None else 0)
    if saved is not None and saved.text and not started.structured and started.grammar is None:
        decoded = Decoded(text=saved.text, finish=Finish.INTERRUPTED, usage=usage)
    else:
        detail = "its text was not checkpointed, or cannot be entered midway"
        fault = Fault(cause="organizer-lost", detail=detail)
        decoded = Decoded(text="", finish=Finish.ERROR, usage=usage, fault=fault)
    return e.SegmentFinished(
        branch=started.branch,
        segment=started.segment,
        attempt=started.attempt,
        decoded=limits.priced(decoded),
    )
