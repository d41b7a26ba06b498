"""Keeps a follower's place in a job's stream, so that over all breaks nothing is missed and nothing is told twice.

Events have a number, their `seq`. Pieces of text have none: each tells at which character of which segment it begins,
and a stream that is resumed tells the text so far once more. What is known of it is cut off here.
"""

from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from anabranch.service.client.calls import read_model
from anabranch.service.client.frames import Frame
from anabranch.service.client.results import Event, Text

TEXT = "text"
"""The kind of frame that tells text; all others are events, named for their kind."""
Stretch: TypeAlias = tuple[str, int, bool]
"""Of one segment of one branch, its thoughts or its text."""


class Skipped(Exception):
    """The stream left something out: it must be asked for again from what was seen."""


class Place:
    """What of a job's stream was read: all events up to `seq`, and of each stretch of text so many characters."""

    def __init__(self, path: str, after: int) -> None:
        self.seq = after
        self.ended = False
        """The job's last event was read."""
        self._path = path
        self._heard: Counter[Stretch] = Counter()

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
        yield event

    def _read_text(self, told: Text) -> Iterator[Text]:
        stretch = (told.branch, told.segment, not told.text)
        new = told.behind(self._heard[stretch])
        if new is not None:
            self._heard[stretch] = new.end
            yield new
