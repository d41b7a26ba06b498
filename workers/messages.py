"""Lists all that crosses from the organizer to a replica and back. Plain frozen data: pickled, never shared."""

from dataclasses import dataclass, field

from anabranch.dag.decoding import Decoded, Decoding
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.text import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Names one decode for good: results of an older attempt never match a newer one."""

    job: JobId
    branch: BranchId
    segment: int
    """Index of the first segment that this decode produces."""
    copy: int = 0
    """1: beside a late decode of the same; it belongs on another replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest:
    """One branch's next decode."""

    key: Key
    context: Context
    decoding: Decoding
    """Complete: what it leaves at None is the model's to choose."""
    seed: int
    model: str | None = None
    priority: int = 5
    submitted: float = 0.0
    """Unix seconds at which the organizer handed it over."""
    trace: dict[str, str] = field(default_factory=dict)
    """W3C carrier: traceparent and, where there is one, tracestate."""
    affinity: str = ""
    """Decodes with the same affinity share a prefix and want the same replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPiece:
    """Coalesced text of a segment that is being decoded: for live views and checkpoints, never for the journal.

    A segment's thought comes before its text, so a piece that adds to both adds to the thought first.
    """

    key: Key
    segment: int
    offset: int
    """Characters of this segment's text before this piece: a piece that is late, lost or told twice is noticed."""
    text: str
    """What was added since the last piece."""
    tokens: int
    """Tokens of this segment so far, those of its thought included."""
    thought_offset: int = 0
    """Characters of this segment's thought before this piece."""
    thought: str = ""
    """What was added to the thought."""
    reasoning_tokens: int = 0
    """Of `tokens`, those of the thought."""
    recast: bool = False
    """The text that the pieces before this one told was the thought: only now its end mark has come, of a model whose
    turn begins inside the thinking. It is `thought_offset` characters long, and the text begins anew at offset 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDone:
    """A segment ended. The last one of a decode has `decoded.open` False."""

    key: Key
    segment: int
    decoded: Decoded


Message = TextPiece | SegmentDone
