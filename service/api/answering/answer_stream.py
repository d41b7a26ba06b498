"""Turns what is read of a job, records and live text, into the deltas of its answer. Pure: chat and Responses use it.

    stream = AnswerStream(job.spec)
    follower = feed.follow(job.id, texts=Texts.ANSWER)          # from the journal's first record on
    async for news in read_news(follower, quiet_seconds):     # `live/news.py`; nothing in it after quiet seconds
        for delta in stream.read(news.records, news.texts):
            match delta:
                case Reasoning(text=text): ...    # thoughts, and what the branches do
                case Content(text=text): ...      # the answer's text, as it comes
                case Replaced(): ...              # the answer is another than what was told: end with an error
                case Ended(): ...                 # the job's last event: look at its row, it has succeeded or not

What it promises
----------------
* The `Content` deltas, joined, are the answer's text, exactly; then an `Ended` follows whose `answered` is true. Where
  that cannot be kept, a `Replaced` says so, and no `Content` follows.
* Only the final thought (`SegmentStarted.final`) is told before the answer is committed. Where there is none, the
  answer comes whole when it is decided; so does one that has a form (a lost decode begins anew), and one that a person
  has to approve. Candidates are reasoning.
* The answer is the final thought's text up to the first stop string of the job's owner, without blanks around it; of
  one that was begun (prefill), blanks in front are kept. So what may begin a stop string, and blanks, wait until
  something follows.
* A segment that is interrupted goes on in the next one of its branch (`retries.goes_on`), from the text in its
  record; one that failed before it wrote anything goes on from the text before it. Live text may be behind a record or
  ahead of it: it is used only for the segment that the records say is open, and the record of its end tells the rest,
  also where it failed. So what is told, all in all, follows from the journal alone, whatever came live.
* All of it is linear in the text's length, however it is cut into pieces.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anabranch.dag import events as e
from anabranch.dag.decoding import Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter.retries import goes_on
from anabranch.dag.job import JobSpec
from anabranch.service.api.answering.stop_strings import SafeText
from anabranch.service.api.answering.telling import tell
from anabranch.service.api.live.text import LiveText


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Thoughts of the final thought, or a line about what the branches do."""

    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """The answer does not begin with what was told: the final thought was given up, and another was written."""

    told: str
    answer: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The job's last event was read."""

    answered: bool


Delta = Reasoning | Content | Replaced | Ended


@dataclass(slots=True)
class _FinalThought:
    """A final thought: one segment, or several where its decode was interrupted."""

    branch: BranchId
    segment: int
    """The last one that was started."""
    safe: SafeText
    open: bool = True
    interrupted: bool = False
    read: int = 0
    """Characters of the last segment's text that were read."""
    thought_read: int = 0


class AnswerStream:
    """The deltas of one job's answer."""

    def __init__(self, spec: JobSpec) -> None:
        self._stops = spec.answer_format.stop
        self._begun = spec.problem.begun
        self._approved = "answer" in spec.approvals
        self._thoughts: dict[BranchId, _FinalThought] = {}
        self._early: dict[BranchId, list[LiveText]] = {}
        """Text of segments that no record has told of yet."""
        self._told: list[str] = []
        self._teller: _FinalThought | None = None
        """The final thought that was told."""
        self._over = False

    @property
    def told(self) -> str:
        """The answer's text so far."""
        return "".join(self._told)

    def read(self, records: Iterable[e.Record], texts: Iterable[LiveText] = ()) -> list[Delta]:
        """What these records and texts, which come next, add."""
        deltas: list[Delta] = []
        for record in records:
            deltas += self._of_event(record.event)
        for text in texts:
            deltas += self._of_text(text)
        return _joined(deltas)

    def _of_event(self, event: e.Event) -> Sequence[Delta]:
        match event:
            case e.SegmentStarted(final=True):
                return self._begin(event)
            case e.SegmentFinished() if (thought := self._thoughts.get(event.branch)) and thought.open:
                return self._finish(thought, event)
            case e.AnswerCommitted(text=answer):
                return self._answer(answer)
            case e.JobSucceeded() | e.JobFailed() | e.JobCancelled():
                return [Ended(answered=isinstance(event, e.JobSucceeded))]
            case _:
                line = tell(event)
                return [Reasoning(line)] if line else []

    def _of_text(self, text: LiveText) -> Sequence[Delta]:
        thought = self._thoughts.get(text.branch)
        if not text.final or (thought is not None and text.segment < thought.segment):
            return ()
        if thought is None or text.segment > thought.segment:
            self._early.setdefault(text.branch, []).append(text)
            return ()
        return self._grow(thought, text) if thought.open else ()

    def _begin(self, event: e.SegmentStarted) -> Sequence[Delta]:
        thought = self._thoughts.get(event.branch)
        if thought is not None and thought.interrupted and goes_on(event):
            thought.segment, thought.open, thought.interrupted = event.segment, True, False
            thought.read = thought.thought_read = 0
        else:
            tells = goes_on(event) and not self._approved
            safe = SafeText(self._stops if tells else None, begun=self._begun)
            thought = self._thoughts[event.branch] = _FinalThought(event.branch, event.segment, safe)
        early = self._early.pop(event.branch, [])
        self._early[event.branch] = [text for text in early if text.segment > event.segment]
        now = [text for text in early if text.segment == event.segment]
        return [delta for text in now for delta in self._grow(thought, text)]

    def _grow(self, thought: _FinalThought, text: LiveText) -> list[Delta]:
        """Adds what is new in this text; a place that was read counts as it was read."""
        deltas: list[Delta] = []
        if text.thought_at <= thought.thought_read < text.thought_at + len(text.thought):
            deltas.append(Reasoning(text.thought[thought.thought_read - text.thought_at :]))
            thought.thought_read = text.thought_at + len(text.thought)
        if text.at <= thought.read < text.at + len(text.text):
            safe = thought.safe.feed(text.text[thought.read - text.at :])
            thought.read = text.at + len(text.text)
            deltas += self._tell(thought, safe)
        return deltas

    def _finish(self, thought: _FinalThought, event: e.SegmentFinished) -> Sequence[Delta]:
        text, reasoning = event.decoded.text, event.decoded.thought
        whole = LiveText(
            branch=event.branch, segment=event.segment, final=True, at=0, text=text, thought=reasoning
        )
        deltas = self._grow(thought, whole)
        finish = event.decoded.finish
        thought.open = False
        thought.interrupted = finish is Finish.INTERRUPTED or (finish is Finish.ERROR and not thought.read)
        return deltas

    def _tell(self, thought: _FinalThought, text: str) -> list[Delta]:
        """Tells text of this thought, unless another was told before: then only the answer itself can say more."""
        if not text or self._over or (self._teller is not None and self._teller is not thought):
            return []
        self._teller = thought
        self._told.append(text)
        return [Content(text)]

    def _answer(self, answer: str) -> Sequence[Delta]:
        self._over = True
        told = self.told
        if not answer.startswith(told):
            return [Replaced(told, answer)]
        self._told.append(answer[len(told) :])
        return [Content(answer[len(told) :])] if len(answer) > len(told) else []


def _joined(deltas: Sequence[Delta]) -> list[Delta]:
    """The same with neighbours of one kind as one."""
    joined: list[Delta] = []
    for delta in deltas:
        match joined[-1:], delta:
            case [Reasoning(before)], Reasoning(text):
                joined[-1] = Reasoning(before + text)
            case [Content(before)], Content(text):
                joined[-1] = Content(before + text)
            case _:
                joined.append(delta)
    return joined
