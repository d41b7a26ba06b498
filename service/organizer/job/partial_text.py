"""Keeps the text of decodes that are under way: for checkpoints, so that a lost organizer's successor goes on from
there, and for whoever reads it live.

Of a final thought only what is stored may be told: it stands then, whoever decodes on (`live.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from anabranch.dag.events import Record, SegmentFinished, SegmentStarted
from anabranch.dag.ids import BranchId
from anabranch.service.link.outbox import OpenText
from anabranch.service.store.journal.told_texts import ToldText
from anabranch.service.store.rows import Checkpoint
from anabranch.service.store.sql.storable import storable_text
from anabranch.workers.messages import TextPiece

Place = tuple[int, int]

EVERY_SECONDS = 2.0
"""At most so much decoding is done again after a crash,"""
EVERY_TOKENS = 2048
"""or so many tokens of one job, whichever comes first."""


@dataclass(slots=True, kw_only=True)
class PartialText:
    """The open segment of one branch, as far as its thought and its text have arrived."""

    branch: BranchId
    segment: int
    thought: str = ""
    text: str = ""
    tokens: int = 0
    reasoning_tokens: int = 0
    """Of `tokens`."""
    second: Place = (0, 0)
    """Tokens of the second decode of the same segment, and those of its thought among them; its text is not kept."""
    changed: bool = False
    since: int = 0
    """The seq of the segment's start; 0: it is not in the journal yet."""
    final: bool = False
    recast: int = 0
    """How often its text was found to be its thought."""
    stored: Place = (0, 0)
    """Characters of its thought and its text that are stored to be told."""
    pieces: int = 0
    """In which they are stored."""

    def take(self, piece: TextPiece) -> bool:
        """Whether the piece follows what is there, and has been added to it."""
        thought, text = (self.text, "") if piece.recast else (self.thought, self.text)
        if piece.recast and self.thought:
            return False  # told twice
        if (piece.thought_offset, piece.offset) != (len(thought), len(text)):
            return False
        # Made storable here, where it is a piece: what is told and stored of it never looks at all of it again.
        self.thought = thought + storable_text(piece.thought)
        self.text = text + storable_text(piece.text)
        self.tokens, self.reasoning_tokens = piece.tokens, piece.reasoning_tokens
        self.changed = True
        if piece.recast:
            self.recast, self.stored = self.recast + 1, (0, 0)
        return True

    @property
    def place(self) -> Place:
        return len(self.thought), len(self.text)

    def told_text(self) -> ToldText:
        """What is not stored yet, as a piece to be stored."""
        thought_at, text_at = self.stored
        return ToldText(
            branch=self.branch,
            segment=self.segment,
            ordinal=self.pieces,
            thought_at=thought_at,
            thought=self.thought[thought_at:],
            text_at=text_at,
            text=self.text[text_at:],
            tokens=self.tokens,
            reasoning_tokens=self.reasoning_tokens,
        )

    def open_text(self) -> OpenText | None:
        """As far as it may be told; None where nothing of it may be."""
        thought, text = self.stored if self.final else self.place
        if not self.since or not (thought or text):
            return None
        return OpenText(
            branch=self.branch,
            segment=self.segment,
            since=self.since,
            final=self.final,
            thought=self.thought[:thought],
            text=self.text[:text],
            recast=self.recast,
            tokens=self.tokens,
            reasoning_tokens=self.reasoning_tokens,
        )

    def checkpoint(self, attempt: int) -> Checkpoint:
        """What the store keeps of it."""
        return Checkpoint(
            branch=self.branch,
            segment=self.segment,
            attempt=attempt,
            text=self.text,
            tokens=self.tokens,
            thought=self.thought,
            reasoning_tokens=self.reasoning_tokens,
            second_tokens=self.second[0],
            second_reasoning_tokens=self.second[1],
        )


class Listener(Protocol):
    """Who hears of the texts of one job."""

    def wrote(self, partial: PartialText) -> None: ...

    def ended(self, partial: PartialText) -> None:
        """Nothing more comes of it."""
        ...


class Nobody:
    def wrote(self, partial: PartialText) -> None: ...

    def ended(self, partial: PartialText) -> None: ...


class PartialTexts:
    """The texts of one job."""

    def __init__(self, clock: Callable[[], float], listener: Listener | None = None) -> None:
        """`clock` tells seconds that only grow."""
        self._clock = clock
        self._listener = listener or Nobody()
        self._texts: dict[BranchId, PartialText] = {}
        self._saved_at = clock()
        self._unsaved_tokens = 0

    def add(self, piece: TextPiece) -> None:
        """A piece that is late, told twice, or follows one that was lost adds nothing: what is kept is always how the
        segment begins, so going on from it is right."""
        if piece.key.copy and piece.segment == piece.key.segment:
            self._count(piece)
            return
        partial = self._of(piece.key.branch, piece.segment)
        before = partial.tokens
        if piece.segment == partial.segment and partial.take(piece):
            self._unsaved_tokens += piece.tokens - before
            self._listener.wrote(partial)

    def _count(self, piece: TextPiece) -> None:
        """A piece of the second decode of a segment: its tokens are kept, for the books."""
        partial = self._of(piece.key.branch, piece.segment)
        if piece.segment == partial.segment and piece.tokens > partial.second[0]:
            self._unsaved_tokens += piece.tokens - partial.second[0]
            partial.second, partial.changed = (piece.tokens, piece.reasoning_tokens), True

    def note(self, record: Record) -> None:
        """Reads in the journal where segments begin and end."""
        match record.event:
            case SegmentStarted() as started:
                self.began(started, record.seq)
            case SegmentFinished(branch=branch, segment=segment):
                self.ended(branch, segment)
            case _:
                pass

    def began(self, started: SegmentStarted, seq: int) -> None:
        """A segment has begun, with the record of this seq."""
        partial = self._of(started.branch, started.segment)
        partial.since, partial.final = seq, started.final
        self._listener.wrote(partial)  # of an open stream there is text already

    def ended(self, branch: BranchId, segment: int) -> None:
        partial = self._texts.get(branch)
        if partial is not None and partial.segment <= segment:
            del self._texts[branch]
            self._listener.ended(partial)

    def get(self, branch: BranchId) -> PartialText | None:
        return self._texts.get(branch)

    def __iter__(self) -> Iterator[PartialText]:
        return iter(tuple(self._texts.values()))

    def _of(self, branch: BranchId, segment: int) -> PartialText:
        partial = self._texts.get(branch)
        if partial is None or partial.segment < segment:
            partial = self._texts[branch] = PartialText(branch=branch, segment=segment)
        return partial

    def due(self) -> tuple[PartialText, ...]:
        """Those to be saved now; empty until enough time has passed, or enough was decoded, since the last time."""
        if self._clock() - self._saved_at < EVERY_SECONDS and self._unsaved_tokens < EVERY_TOKENS:
            return ()
        return self.all_changed()

    def all_changed(self) -> tuple[PartialText, ...]:
        """Those of which the store does not know all."""
        return self._to_save(lambda partial: partial.changed)

    def all_to_hand_over(self) -> tuple[PartialText, ...]:
        """Those, and those of which nothing has come yet: whoever knows that need not take them for lost."""
        return self._to_save(lambda partial: partial.changed or not (partial.tokens or any(partial.place)))

    def _to_save(self, wanted: Callable[[PartialText], bool]) -> tuple[PartialText, ...]:
        self._saved_at = self._clock()
        self._unsaved_tokens = 0
        found = tuple(filter(wanted, self._texts.values()))
        for partial in found:
            partial.changed = False
        return found
