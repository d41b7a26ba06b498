"""Holds live text of followed jobs: what is open, and how far each reader has read it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from anabranch.dag.events import SegmentFinished, SegmentStarted
from anabranch.dag.ids import BranchId
from anabranch.service.link.frames import TextNews, Texts
from anabranch.service.link.told import Place, next_place


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveText:
    """New text of one segment, at the place where it stands: whatever the reader has behind that place is replaced."""

    branch: BranchId
    segment: int
    final: bool
    """The segment is of the final thought."""
    at: int
    """Characters of the segment's text before `text`."""
    text: str
    thought_at: int = 0
    """Characters of its thought before `thought`."""
    thought: str = ""
    tokens: int = 0
    """Decoded so far in this segment."""
    reasoning_tokens: int = 0
    """Of those, thoughts."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """A segment that is being decoded."""

    segment: int
    since: int
    final: bool
    organizer: str
    """Who told it."""
    thought: str = ""
    text: str = ""
    tokens: int = 0
    reasoning_tokens: int = 0
    anew: int = 0
    """How often text that was told was replaced: then all of it is read again."""


class OpenTexts:
    """The open segments of one job, one for each branch at most."""

    def __init__(self) -> None:
        self._open: dict[BranchId, _Open] = {}
        self._finished: dict[BranchId, int] = {}
        """The last segment of each branch that is known to have ended: its text comes too late."""

    def add(self, organizer: str, news: TextNews) -> bool:
        """Whether it is news. What stands behind text that is not here was on its way to an earlier reader: who follows
        now is told all of it from its beginning."""
        there = self._open.get(news.branch)
        if news.segment <= self._finished.get(news.branch, 0) or (there and news.segment < there.segment):
            return False
        if there is None or there.segment != news.segment:
            there = _Open(segment=news.segment, since=news.since, final=news.final, organizer=organizer)
        if news.at > len(there.text) or news.thought_at > len(there.thought):
            return False
        self._open[news.branch] = there
        thought = there.thought[: news.thought_at] + news.thought
        text = there.text[: news.at] + news.text
        there.anew += not (thought.startswith(there.thought) and text.startswith(there.text))
        there.organizer, there.thought, there.text = organizer, thought, text
        there.tokens, there.reasoning_tokens = news.tokens, news.reasoning_tokens
        return True

    def finish(self, branch: BranchId, segment: int) -> None:
        self._finished[branch] = max(segment, self._finished.get(branch, 0))
        if branch in self._open and self._open[branch].segment <= segment:
            del self._open[branch]

    def lose(self, organizer: str) -> None:
        """Nobody tells more of what this organizer was telling."""
        for branch in [branch for branch, there in self._open.items() if there.organizer == organizer]:
            del self._open[branch]

    def __iter__(self) -> Iterator[tuple[BranchId, _Open]]:
        return iter(self._open.items())


@dataclass(slots=True)
class TextPlaces:
    """How far one reader has read a job's live text."""

    wanted: Texts
    _places: dict[BranchId, Place] = field(default_factory=dict)
    _finished: dict[BranchId, int] = field(default_factory=dict)
    _final: dict[BranchId, int] = field(default_factory=dict)
    """The last segment of each branch that is of a final thought."""

    def start(self, event: SegmentStarted) -> None:
        """A segment's start was read."""
        if event.final:
            self._final[event.branch] = event.segment

    def read(self, texts: Iterable[tuple[BranchId, _Open]], seq: int) -> list[LiveText]:
        """What is new, of segments whose start this reader has read: it stands before `seq`."""
        news: list[LiveText] = []
        for branch, there in texts:
            if there.since > seq or there.segment <= self._finished.get(branch, 0):
                continue
            if self.wanted is Texts.ALL or (self.wanted is Texts.ANSWER and there.final):
                news += self._news(branch, there)
        return news

    def finish(self, event: SegmentFinished) -> list[LiveText]:
        """A segment's end was read: what its live text left out, so that all live text together is its text."""
        place = self._places.pop(event.branch, None)
        self._finished[event.branch] = event.segment
        final = self._final.get(event.branch) == event.segment
        if self.wanted is Texts.NONE or (self.wanted is Texts.ANSWER and not final):
            return []
        if place is None or place.segment != event.segment:
            place = Place(event.segment)
        text, thought = event.decoded.text, event.decoded.thought
        if (place.thought, place.text) == (len(thought), len(text)):
            return []
        at, thought_at = min(place.text, len(text)), min(place.thought, len(thought))
        return [
            LiveText(
                branch=event.branch,
                segment=event.segment,
                final=final,
                at=at,
                text=text[at:],
                thought_at=thought_at,
                thought=thought[thought_at:],
                tokens=event.decoded.usage.completion_tokens,
                reasoning_tokens=event.decoded.usage.reasoning_tokens,
            )
        ]

    def _news(self, branch: BranchId, there: _Open) -> Iterator[LiveText]:
        end = Place(there.segment, there.anew, len(there.thought), len(there.text))
        place = next_place(self._places.get(branch), end)
        if place is None:
            return
        self._places[branch] = end
        yield LiveText(
            branch=branch,
            segment=there.segment,
            final=there.final,
            at=place.text,
            text=there.text[place.text :],
            thought_at=place.thought,
            thought=there.thought[place.thought :],
            tokens=there.tokens,
            reasoning_tokens=there.reasoning_tokens,
        )
