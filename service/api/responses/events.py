"""Writes the events of a response's stream.

**One response has one sequence of events.** Which event has which number follows from the job's journal and its end
alone: whoever streams the response, whenever, from whichever process, writes the same event under the same number. When
an event is sent is another matter: as soon as what it tells of is known. So a client that has seen number N is sent,
anywhere, exactly what lies behind N; nothing about streams is stored.

Three rules make it so.

* The events are a fold of the journal, record by record. How records are gathered on their way here changes nothing:
  each is told in words on its own (`live/telling.py`), and what it says is one delta of the reasoning.
* The answer is cut into pieces by its letters alone (`pieces`), never by how it arrived. A piece is sent when no later
  letter can change it, which is one word late at most.
* The reasoning ends where the answer begins, and nothing is added to it afterwards.

Numbers begin at 0 and grow by one. Reasoning is told as a *summary*: its events have the same names in Open Responses
and at OpenAI, which those of raw reasoning have not.
"""

import re
from collections.abc import Iterator

from anabranch.dag import events as e
from anabranch.service.api.live.telling import tell
from anabranch.service.api.responses.view import (
    Json,
    ResponseView,
    message_json,
    reasoning_json,
    status_of,
    summary_json,
    text_json,
)

_PIECE = re.compile(r"\s{0,8}\S{1,8}|\s{1,8}")
"""Never more than 16 letters, so that looking for one is bounded."""


def pieces(text: str) -> Iterator[str]:
    """Cuts a text into its pieces: white space, then a word, each of at most eight letters."""
    return (found[0] for found in _PIECE.finditer(text))


class ResponseEvents:
    """The fold: `begin`, then `read` each event of the journal in order, then `end`. `output` are the items so far that
    are complete."""

    def __init__(self, view: ResponseView) -> None:
        self.output: list[Json] = []
        self._view = view
        self._number = 0
        self._in_progress = False
        self._reasoning: list[str] = []

    def begin(self) -> list[Json]:
        created = self._lifecycle("created", self._view.begun("queued"))
        if not self._view.request.get("background"):
            return [created]
        return [created, self._lifecycle("queued", self._view.begun("queued"))]

    def read(self, event: e.Event) -> list[Json]:
        if isinstance(event, e.JobClaimed) and not self._in_progress:
            self._in_progress = True
            return [self._lifecycle("in_progress", self._view.begun("in_progress"))]
        told = tell(event)
        return self._reason(told) if told else []

    def end(self, ended: ResponseView, of_answer: int) -> list[Json]:
        """What follows the journal's last event: the answer, if there is one, and how the response ended."""
        events = self._end_reasoning()
        status = status_of(ended.job)
        if ended.job.answer is not None:
            events += self._answer(ended.job.answer.text, status)
        return [*events, self._lifecycle(status, ended.ended(self.output, of_answer))]

    # -- the reasoning

    def _reason(self, told: str) -> list[Json]:
        events = [] if self._reasoning else self._begin_reasoning()
        self._reasoning.append(told)
        return [*events, self._summary("text.delta", delta=told)]

    def _begin_reasoning(self) -> list[Json]:
        return [
            self._item("added", reasoning_json(self._view.job.id, "in_progress", None)),
            self._summary("part.added", part=summary_json("")),
        ]

    def _end_reasoning(self) -> list[Json]:
        if not self._reasoning:
            return []
        text = "".join(self._reasoning)
        events = [
            self._summary("text.done", text=text),
            self._summary("part.done", part=summary_json(text)),
        ]
        return [*events, self._complete(reasoning_json(self._view.job.id, "completed", text))]

    def _summary(self, kind: str, **told: str | Json) -> Json:
        place: Json = {"item_id": f"rs_{self._view.job.id}", "output_index": 0, "summary_index": 0}
        return self._event(f"response.reasoning_summary_{kind}", place | told)

    # -- the answer

    def _answer(self, text: str, status: str) -> list[Json]:
        job = self._view.job.id
        events = [
            self._item("added", message_json(job, "in_progress", None)),
            self._content("content_part.added", part=text_json("")),
        ]
        events += [self._content("output_text.delta", delta=piece, logprobs=[]) for piece in pieces(text)]
        events += [
            self._content("output_text.done", text=text, logprobs=[]),
            self._content("content_part.done", part=text_json(text)),
        ]
        return [*events, self._complete(message_json(job, status, text))]

    def _content(self, kind: str, **told: str | Json | list[Json]) -> Json:
        place: Json = {
            "item_id": f"msg_{self._view.job.id}",
            "output_index": len(self.output),
            "content_index": 0,
        }
        return self._event(f"response.{kind}", place | told)

    # -- any item, any event

    def _complete(self, item: Json) -> Json:
        event = self._item("done", item)
        self.output.append(item)
        return event

    def _item(self, kind: str, item: Json) -> Json:
        return self._event(f"response.output_item.{kind}", {"output_index": len(self.output), "item": item})

    def _lifecycle(self, status: str, response: Json) -> Json:
        return self._event(f"response.{status}", {"response": response})

    def _event(self, kind: str, told: Json) -> Json:
        event = {"type": kind, "sequence_number": self._number, **told}
        self._number += 1
        return event
