"""Keeps the text of decodes that are under way for checkpoints, so that a lost organizer's successor goes on from
there.
"""

from collections.abc import Callable
from dataclasses import dataclass

from anabranch.dag.ids import BranchId
from anabranch.service.store.rows import Checkpoint
from anabranch.workers.messages import TextPiece

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
    changed: bool = False

    def take(self, piece: TextPiece) -> bool:
        """Whether the piece follows what is there, and has been added to it."""
        thought, text = (self.text, "") if piece.recast else (self.thought, self.text)
        if piece.recast and self.thought:
            return False  # told twice
        if (piece.thought_offset, piece.offset) != (len(thought), len(text)):
            return False
        self.thought, self.text = thought + piece.thought, text + piece.text
        self.tokens, self.reasoning_tokens = piece.tokens, piece.reasoning_tokens
        self.changed = True
        return True

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
        )


class PartialTexts:
    """The texts of one job."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells seconds that only grow."""
        self._clock = clock
        self._texts: dict[BranchId, PartialText] = {}
        self._saved_at = clock()
        self._unsaved_tokens = 0

    def add(self, piece: TextPiece) -> None:
        """A piece that is late, told twice, or follows one that was lost adds nothing: what is kept is always how the
        segment begins, so going on from it is right."""
        partial = self._texts.get(piece.key.branch)
        if partial is None or partial.segment < piece.segment:
            partial = self._texts[piece.key.branch] = PartialText(
                branch=piece.key.branch, segment=piece.segment
            )
        before = partial.tokens
        if piece.segment == partial.segment and partial.take(piece):
            self._unsaved_tokens += piece.tokens - before

    def ended(self, branch: BranchId, segment: int) -> None:
        partial = self._texts.get(branch)
        if partial is not None and partial.segment <= segment:
            del self._texts[branch]

    def due(self) -> tuple[PartialText, ...]:
        """Those to be saved now; empty until enough time has passed, or enough was decoded, since the last time."""
        if self._clock() - self._saved_at < EVERY_SECONDS and self._unsaved_tokens < EVERY_TOKENS:
            return ()
        return self.all_changed()

    def all_changed(self) -> tuple[PartialText, ...]:
        self._saved_at = self._clock()
        self._unsaved_tokens = 0
        changed = tuple(partial for partial in self._texts.values() if partial.changed)
        for partial in changed:
            partial.changed = False
        return changed
