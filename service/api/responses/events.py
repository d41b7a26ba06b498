"""Writes the events of a response's stream.

**One response has one sequence of events.** Which event has which number follows from the job's journal and its end
alone: whoever streams the response, whenever, from whichever process, writes the same event under the same number. When
an event is sent is another matter: as soon as what it tells of is known. So a client that has seen number N is sent,
anywhere, exactly what lies behind N; nothing about streams is stored.

Four rules make it so.

* The events are a fold of the journal, record by record: however records are gathered on their way here changes
  nothing. What a record says of the branches, in words (`live/telling.py`), is one delta of the reasoning.
* Live text is known earlier than the record that holds it, and says nothing else (`live/answer_stream.py`). It comes in
  any portions; so thoughts and the answer are told in pieces that are cut by their letters alone (`pieces.py`), each as
  soon as no later letter can change it: a word late, at most.
* What comes beside the final thought, at a time of its own, is not told: from the record of its beginning on, the
  reasoning is what it thinks, and nothing else.
* The reasoning ends where the answer begins, and nothing is added to it afterwards.

Numbers begin at 0 and grow by one. Reasoning is told as a *summary*: its events have the same names in Open Responses
and at OpenAI, which those of raw reasoning have not.

Where a final thought was given up after some of it was told, and another answer was found, the deltas of before cannot
be taken back: `response.output_text.done` has the answer, whatever the deltas said.
"""

from collections.abc import Iterable

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId
from anabranch.dag.job import JobSpec
from anabranch.service.api.answering.answer_stream import AnswerStream, Content, Delta, Reasoning
from anabranch.service.api.live.text import LiveText
from anabranch.service.api.responses.pieces import Pieces
from anabranch.service.api.responses.view import (
    Json,
    ResponseView,
    call_json,
    message_json,
    reasoning_json,
    status_of,
    summary_json,
    text_json,
)
from anabranch.service.api.views.job import JobView
from anabranch.service.api.views.tools import CallView


class ResponseEvents:
    """The fold: `begin`, then `read` all records in their order, with live text between them, then `end`."""

    def __init__(self, view: ResponseView, spec: JobSpec) -> None:
        self._view = view
        self._answer = AnswerStream(spec)
        self._items = _Items(view.job.id)
        self._in_progress = False
        self._final: dict[BranchId, int] = {}
        """Branches that have begun a final thought, with its segment."""

    def begin(self) -> list[Json]:
        created = self._lifecycle("created", self._view.begun("queued"))
        if not self._view.request.get("background"):
            return [created]
        return [created, self._lifecycle("queued", self._view.begun("queued"))]

    def read(self, records: Iterable[e.Record], texts: Iterable[LiveText] = ()) -> list[Json]:
        events = [event for record in records for event in self._of_record(record)]
        for text in texts:
            events += self._of_deltas(self._answer.read((), [text]))
        return events

    def end(self, ended: ResponseView, of_answer: int) -> list[Json]:
        """What follows the last record: the rest of the answer, if there is one, and how the response ended."""
        status = status_of(ended.job)
        events = self._items.end(ended.job, status)
        return [*events, self._lifecycle(status, ended.ended(self._items.output, of_answer))]

    def _of_record(self, record: e.Record) -> list[Json]:
        event = record.event
        if isinstance(event, e.JobClaimed) and not self._in_progress:
            self._in_progress = True
            return [self._lifecycle("in_progress", self._view.begun("in_progress"))]
        if isinstance(event, e.SegmentStarted) and event.final:
            self._final[event.branch] = event.segment
        deltas = self._answer.read([record])
        if self._is_of_final(event):
            return self._of_deltas(deltas)
        lines = "".join(delta.text for delta in deltas if isinstance(delta, Reasoning))
        told = self._items.tell(lines) if lines and not self._final else []
        return [*told, *self._of_deltas(delta for delta in deltas if isinstance(delta, Content))]

    def _is_of_final(self, event: e.Event) -> bool:
        match event:
            case e.SegmentStarted() | e.SegmentFinished():
                return self._final.get(event.branch) == event.segment
            case _:
                return False

    def _of_deltas(self, deltas: Iterable[Delta]) -> list[Json]:
        """Of thoughts, and of the answer."""
        events: list[Json] = []
        for delta in deltas:
            match delta:
                case Reasoning(text=text):
                    events += self._items.think(text)
                case Content(text=text):
                    events += self._items.answer(text)
                case _:
                    pass
        return events

    def _lifecycle(self, status: str, response: Json) -> Json:
        return self._items.event(f"response.{status}", {"response": response})


class _Items:
    """The output as it is told: at most one item is open, and each is told to its end before the next begins."""

    def __init__(self, job: str) -> None:
        self.output: list[Json] = []
        """The items that are complete."""
        self._job = job
        self._number = 0
        self._reasoning: list[str] = []
        self._thoughts = Pieces()
        self._answer: list[str] | None = None
        """What was told of the answer; None before it has begun."""
        self._pieces = Pieces()

    def event(self, kind: str, told: Json) -> Json:
        event = {"type": kind, "sequence_number": self._number, **told}
        self._number += 1
        return event

    # -- the reasoning

    def tell(self, line: str) -> list[Json]:
        """What a branch did; nothing behind the beginning of the answer."""
        return self._reason([line]) if self._answer is None else []

    def think(self, text: str) -> list[Json]:
        """What the final thought thinks; nothing behind the beginning of the answer."""
        return self._reason(self._thoughts.feed(text)) if self._answer is None else []

    def _reason(self, pieces: list[str]) -> list[Json]:
        events = [] if self._reasoning or not pieces else self._begin_reasoning()
        self._reasoning += pieces
        return events + [self._summary("text.delta", delta=piece) for piece in pieces]

    def _begin_reasoning(self) -> list[Json]:
        return [
            self._item("added", reasoning_json(self._job, "in_progress", None)),
            self._summary("part.added", part=summary_json("")),
        ]

    def _end_reasoning(self) -> list[Json]:
        events = self._reason(self._thoughts.rest())
        if not self._reasoning:
            return []
        text = "".join(self._reasoning)
        events += [
            self._summary("text.done", text=text),
            self._summary("part.done", part=summary_json(text)),
        ]
        return [*events, self._complete(reasoning_json(self._job, "completed", text))]

    def _summary(self, kind: str, **told: str | Json) -> Json:
        place: Json = {"item_id": f"rs_{self._job}", "output_index": 0, "summary_index": 0}
        return self.event(f"response.reasoning_summary_{kind}", place | told)

    # -- the answer

    def answer(self, text: str) -> list[Json]:
        """The next of the answer's text."""
        begun = self._begin_answer() if self._answer is None else []
        return begun + self._write(self._pieces.feed(text))

    def end(self, job: JobView, status: str) -> list[Json]:
        """What is still to be told of the answer, and what it calls."""
        events: list[Json] = []
        answer = job.answer
        if answer is not None and self._answer is None:
            if answer.text:
                events += self.answer(answer.text)
            elif not answer.calls:
                events += self._begin_answer()
        if self._answer is None:
            events += self._end_reasoning()
        else:
            events += self._end_answer(answer.text if answer else None, status if answer else "incomplete")
        calls = answer.calls if answer else ()
        return events + [event for place, call in enumerate(calls) for event in self._call(place, call)]

    def _begin_answer(self) -> list[Json]:
        events = self._end_reasoning()
        self._answer = []
        return [
            *events,
            self._item("added", message_json(self._job, "in_progress", None)),
            self._content("content_part.added", part=text_json("")),
        ]

    def _write(self, pieces: list[str]) -> list[Json]:
        assert self._answer is not None
        self._answer += pieces
        return [self._content("output_text.delta", delta=piece, logprobs=[]) for piece in pieces]

    def _end_answer(self, text: str | None, status: str) -> list[Json]:
        """The answer's text; without one, what was told stays."""
        assert self._answer is not None
        events = self._write(self._pieces.rest())
        text = "".join(self._answer) if text is None else text
        return [
            *events,
            self._content("output_text.done", text=text, logprobs=[]),
            self._content("content_part.done", part=text_json(text)),
            self._complete(message_json(self._job, status, text)),
        ]

    def _content(self, kind: str, **told: str | Json | list[Json]) -> Json:
        place: Json = {"item_id": f"msg_{self._job}", "output_index": len(self.output), "content_index": 0}
        return self.event(f"response.{kind}", place | told)

    # -- calls, and any item

    def _call(self, number: int, call: CallView) -> list[Json]:
        begun = call_json(number, self._job, "in_progress", call, "")
        place: Json = {"item_id": begun["id"], "output_index": len(self.output)}
        kind = "response.function_call_arguments"
        return [
            self._item("added", begun),
            self.event(f"{kind}.delta", place | {"delta": call.arguments}),
            self.event(f"{kind}.done", place | {"arguments": call.arguments}),
            self._complete(call_json(number, self._job, "completed", call, call.arguments)),
        ]

    def _complete(self, item: Json) -> Json:
        event = self._item("done", item)
        self.output.append(item)
        return event

    def _item(self, kind: str, item: Json) -> Json:
        return self.event(f"response.output_item.{kind}", {"output_index": len(self.output), "item": item})
