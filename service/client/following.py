"""Keeps a follower's place in a job's stream, so that over all breaks nothing is missed and nothing is told twice.

Events have a number, their `seq`. Pieces of text have none: each tells at which character of which segment it begins,
and a stream that is resumed tells an open segment's text from its beginning. What is known of it is cut off here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anabranch.service.client.calls import read_model
from anabranch.service.client.frames import Frame
from anabranch.service.client.results import Event, Text

TEXT = "text"
"""The kind of frame that tells text; all others are events, named for their kind."""


class Skipped(Exception):
    """The stream left something out: it must be asked for again from what was seen."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of a branch's open segment."""

    segment: int
    text: str = ""
    reasoning: str = ""


class Place:
    """What of a job's stream was read: all events up to `seq`, and the text of each branch's open segment."""

    def __init__(self, path: str, after: int) -> None:
        self.seq = after
        self.ended = False
        """The job's last event was read."""
        self._path = path
        self._heard: dict[str, Heard] = {}

    def read(self, frame: Frame) -> Iterator[Event | Text]:
        """What is new in this frame. Raises Skipped, and UnreadableReply."""
        if frame.event == TEXT:
            yield from self._read_text(read_model(Text, self._path, frame.data))
        elif frame.id:
            yield from self._read_event(read_model(Event, self._path, frame.data))

    def _read_event(self, event: Event) -> Iterator[Event]:
        if event.seq <= self.seq:
            return
        if event.seq != self.seq + 1:
            raise Skipped(f"event {event.seq} came behind event {self.seq}")
        self.seq, self.ended = event.seq, event.last
        if event.kind == "SegmentFinished":
            self._heard.pop(event.branch, None)  # all of its text was told before this event
        yield event

    def _read_text(self, told: Text) -> Iterator[Text]:
        heard = self._heard.get(told.branch, Heard(told.segment))
        if heard.segment != told.segment:
            heard = Heard(told.segment)
        if told.at > len(heard.text) or told.reasoning_at > len(heard.reasoning):
            raise Skipped(f"text of branch {told.branch} came from character {told.at}")
        text = heard.text[: told.at] + told.text
        reasoning = heard.reasoning[: told.reasoning_at] + told.reasoning
        self._heard[told.branch] = Heard(told.segment, text, reasoning)
        if not (text.startswith(heard.text) and reasoning.startswith(heard.reasoning)):
            yield told  # decoded anew
        elif (text, reasoning) != (heard.text, heard.reasoning):
            yield told.model_copy(
                update={
                    "at": len(heard.text),
                    "text": text[len(heard.text) :],
                    "reasoning_at": len(heard.reasoning),
                    "reasoning": reasoning[len(heard.reasoning) :],
                }
            )
