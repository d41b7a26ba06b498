"""Says what of an open segment's text is still to be told to somebody who was told some of it: to a REST process by an
organizer, and to a reader by that process."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a segment: so many characters of its thought, and of its text."""

    segment: int
    anew: int = 0
    """How often its text began anew: each time it is told from its beginning."""
    thought: int = 0
    text: int = 0


def next_place(told: Place | None, end: Place) -> Place | None:
    """Where that begins which is to be told, of a segment that was told up to one place and now ends at the other. None
    where nothing is new: after a new beginning, not before it is longer than what was told."""
    if told is None or (told.segment, told.anew) != (end.segment, end.anew):
        told = Place(end.segment, end.anew)
    longer = end.thought > told.thought or end.text > told.text
    return told if longer and end.thought >= told.thought and end.text >= told.text else None
