"""Text of decodes that are under way: kept for checkpoints, so that a lost organizer's successor goes on from there."""

from collections.abc import Callable
from dataclasses import dataclass

from anabranch.dag.ids import BranchId
from anabranch.workers.messages import TextPiece

EVERY_SECONDS = 2.0
"""At most so much decoding is done again after a crash,"""
EVERY_TOKENS = 2048
"""or so many tokens of one job, whichever comes first."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """The open segment of one branch, as far as its text has arrived."""

    branch: BranchId
    segment: int
    text: str = ""
    tokens: int = 0
    changed: bool = False


class Drafts:
    """The drafts of one job."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells seconds that only grow."""
        self._clock = clock
        self._drafts: dict[BranchId, Draft] = {}
        self._saved_at = clock()
        self._unsaved_tokens = 0

    def add(self, piece: TextPiece) -> None:
        """A piece that is late, told twice, or follows one that was lost adds nothing: what is kept is always how the
        segment begins, so going on from it is right."""
        draft = self._drafts.get(piece.key.branch)
        if draft is None or draft.segment < piece.segment:
            draft = self._drafts[piece.key.branch] = Draft(branch=piece.key.branch, segment=piece.segment)
        if (piece.segment, piece.offset) != (draft.segment, len(draft.text)):
            return
        self._unsaved_tokens += piece.tokens - draft.tokens
        draft.text += piece.text
        draft.tokens = piece.tokens
        draft.changed = True

    def ended(self, branch: BranchId, segment: int) -> None:
        draft = self._drafts.get(branch)
        if draft is not None and draft.segment <= segment:
            del self._drafts[branch]

    def due(self) -> tuple[Draft, ...]:
        """Those to be saved now; empty until enough time has passed, or enough was decoded, since the last time."""
        if self._clock() - self._saved_at < EVERY_SECONDS and self._unsaved_tokens < EVERY_TOKENS:
            return ()
        return self.all_changed()

    def all_changed(self) -> tuple[Draft, ...]:
        self._saved_at = self._clock()
        self._unsaved_tokens = 0
        changed = tuple(draft for draft in self._drafts.values() if draft.changed)
        for draft in changed:
            draft.changed = False
        return changed
