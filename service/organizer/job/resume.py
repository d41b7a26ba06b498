"""Takes up a job: where its journal ends, and whether it can go on."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass

from anabranch.dag import events as e
from anabranch.dag.decoding import Finish
from anabranch.dag.errors import Diverged, UnknownPolicy
from anabranch.dag.ids import TRUNK
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.journal.replay import Replay
from anabranch.dag.policy import policy_named
from anabranch.dag.vocabulary import Failure
from anabranch.service.organizer.job.past import Past
from anabranch.service.store.jobs.suspicions import Loss, Suspicion

logger = logging.getLogger(__name__)

LOST_BEFORE_PARKING = 3
"""A job whose computing has cost so many organizers while it got nowhere is poison: it fails with the evidence."""
BROKEN_BEFORE_PARKING = 5
"""The same for runs that raised an exception: they cost nobody else anything, and what they called may be well soon."""


class CannotGoOn(Exception):
    """The job must end here; `failed` says why in its journal. Never a silent divergence, never an endless loop."""

    def __init__(self, failed: e.JobFailed) -> None:
        super().__init__(failed.detail)
        self.failed = failed


@dataclass(frozen=True, slots=True)
class Resumed:
    """A job where its journal ends."""

    interpreter: Interpreter
    past: Past


class Resuming:
    """Brings a job to where its journal ends, fed the journal page by page in any thread; no page is kept.

    A policy whose code has changed is no reason to end a job: replay decides, and only a policy that would not have led
    to what the journal holds ends it.
    """

    def __init__(self, first: e.Record) -> None:
        """`first` is the journal's first record. Raises CannotGoOn where its policy is not installed."""
        assert isinstance(first.event, e.JobSubmitted)
        self._job, self._submitted = first.job, first.event
        try:
            self._version = policy_named(self._submitted.spec.policy).version
        except UnknownPolicy as error:
            raise _refuse(Failure.POLICY_MISSING, "Its policy is not installed here", str(error)) from error
        self._replay = Replay()
        self._past = Past(self._submitted.spec.budget, self._submitted.limits)

    def add(self, page: Sequence[e.Record]) -> None:
        """Takes the next records, the first among them. Raises CannotGoOn."""
        with self._refusing():
            for record in page:
                self._replay.add(record)
        for record in page:
            self._past.add(record)

    def end(self) -> Resumed:
        """The job, behind the last record. Raises CannotGoOn."""
        with self._refusing():
            interpreter = self._replay.end()
        if (began := self._submitted.policy_version) != self._version:
            told = "job %s began under version %s of policy %s and goes on under %s"
            logger.info(told, self._job, began, self._submitted.spec.policy, self._version)
        return Resumed(interpreter, self._past)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a policy's own fault cannot stand where its journal has none
            raise _diverged(self._submitted, self._version, error) from error


def resume(records: Sequence[e.Record]) -> Resumed:
    """The job where this whole journal ends. Raises CannotGoOn."""
    resuming = Resuming(records[0])
    resuming.add(records)
    return resuming.end()


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
            Failure.DIVERGED, title, f"{told} Policy {name} is not pure, or its parts have changed. {advice}"
        )
    changed = f"The job began under version {began} of policy {name}, and here is version {version}."
    return _refuse(Failure.POLICY_CHANGED, "Its policy has changed", f"{told} {changed} {advice}")


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


def _refuse(kind: Failure, title: str, detail: str) -> CannotGoOn:
    return CannotGoOn(e.JobFailed(type=kind, title=title, detail=detail))


def refuse_poison(evidence: Sequence[Suspicion]) -> None:
    """Ends a job whose suspicions since it last got anywhere are these, if they are too many: before anything of it is
    computed again. Raises CannotGoOn."""
    if not may_be_poison(evidence):
        return
    told = "; ".join(f"{_IN_WORDS[each.reason]} ({each.owner}, claim {each.epoch})" for each in evidence)
    kept = f"Its journal holds what was done up to event {evidence[-1].head_seq}."
    detail = f"It got nowhere {len(evidence)} times: {told}. {kept}"
    lost = any(each.reason is not Loss.BROKE for each in evidence)
    raise _refuse(Failure.POISON, "It kills its organizers" if lost else "Its run breaks", detail)


def may_be_poison(suspicions: Sequence[Suspicion]) -> bool:
    """Whether these are too many, should the job have got nowhere since the first of them."""
    broke = sum(each.reason is Loss.BROKE for each in suspicions)
    return len(suspicions) - broke >= LOST_BEFORE_PARKING or broke >= BROKEN_BEFORE_PARKING


_IN_WORDS = {
    Loss.HELD: "one step held its organizer",
    Loss.ENDED: "its organizer's process ended in the middle of a step",
    Loss.BROKE: "its run raised an exception",
}


def last_progress(records: Iterable[e.Record]) -> int:
    """The seq of the last of these records that got the job anywhere; 0: none did. That its text so far was kept is no
    progress: every organizer that takes it up does so."""
    progress = 0
    for record in records:
        match record.event:
            case e.SegmentFinished(decoded=decoded) if decoded.finish not in {
                Finish.ERROR,
                Finish.INTERRUPTED,
            }:
                progress = record.seq
            case e.ApprovalDecided():
                progress = record.seq
            case _:
                pass
    return progress
