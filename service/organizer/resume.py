"""Taking up a job: where its journal ends, whether it can go on, and what becomes of decodes that nobody does now."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.errors import Diverged, UnknownPolicy
from anabranch.dag.ids import TRUNK, BranchId
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
    """The interpreter as it stood when the journal ended. Raises CannotGoOn. `attempt` is the claim's.

    A policy whose code has changed is no reason to end a job: replay decides, and only a policy that would not have led
    to what the journal holds ends it.
    """
    submitted = records[0].event
    assert isinstance(submitted, e.JobSubmitted)
    lost = lost_in_vain(records, attempt)
    if lost >= LOST_BEFORE_PARKING:
        detail = f"{lost} organizers were lost over it and it got nowhere; its journal holds what they did"
        raise _refuse("poison", "It kills its organizers", detail)
    try:
        version = policy_named(submitted.spec.policy).version
    except UnknownPolicy as error:
        raise _refuse("policy-missing", "Its policy is not installed here", str(error)) from error
    try:
        return replay(records)
    except Exception as error:  # a policy's own fault cannot stand where its journal has none
        raise _diverged(submitted, version, error) from error


def _diverged(submitted: e.JobSubmitted, version: str, error: Exception) -> CannotGoOn:
    """Tells a true divergence in words, with the first event that differs."""
    match error:
        case Diverged(seq=seq, recorded=recorded, computed=computed):
            told = f"Event {seq} is the first that differs: {_difference(recorded, computed)}."
        case _:
            told = f"Its policy could not be run again: {type(error).__name__}: {error}."
    name, began = submitted.spec.policy, submitted.policy_version
    advice = "What was decoded is kept in the journal; submit the job again to run the policy as it is now."
    if began == version:
        title = "Its policy did not decide the same again"
        return _refuse(
            "diverged", title, f"{told} Policy {name} is not pure, or its parts have changed. {advice}"
        )
    changed = f"The job began under version {began} of policy {name}, and here is version {version}."
    return _refuse("policy-changed", "Its policy has changed", f"{told} {changed} {advice}")


def _difference(recorded: object, computed: object) -> str:
    """What the journal has and what the policy gives now: kinds and branches, or the fields in which they differ."""
    if type(recorded) is type(computed) and is_dataclass(recorded):
        names = [field.name for field in fields(recorded)]
        others = [name for name in names if getattr(recorded, name) != getattr(computed, name)]
        return f"{_kind(recorded)} of the journal has another {' and another '.join(others)} than the policy now gives"
    return f"the journal has {_kind(recorded)}, the policy now gives {_kind(computed)}"


def _kind(event: object) -> str:
    return (
        "nothing" if event is None else f"{type(event).__name__} of branch {getattr(event, 'branch', TRUNK)}"
    )


def _refuse(kind: str, title: str, detail: str) -> CannotGoOn:
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
