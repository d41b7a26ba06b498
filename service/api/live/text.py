"""Describes live text: what a segment that is being decoded got since its reader last looked."""

from dataclasses import dataclass

from anabranch.dag.ids import BranchId


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
