"""Holds what a branch's decodes have come to. Only `decodes.py` and `retries.py` change it, by these methods."""

from dataclasses import dataclass, field

from anabranch.dag.actions import Segment, Splice
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.events import SegmentStarted
from anabranch.dag.ids import BranchId
from anabranch.dag.job import AnswerFormat
from anabranch.dag.text import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Spliced:
    """What the runtime writes into a branch before its next segment."""

    text: str = ""
    messages: tuple[Message, ...] = ()
    removed: int = 0
    reads: tuple[BranchId, ...] = ()
    """Branches that the next segment depends on."""

    def then(self, action: Splice, reads: tuple[BranchId, ...]) -> "Spliced":
        """Both splices as one."""
        return Spliced(
            text=self.text + action.text,
            messages=self.messages + action.messages,
            removed=self.removed + action.removes,
            reads=self.reads + reads,
        )


@dataclass(slots=True)
class DecodeRun:
    inbox: list[Segment] = field(default_factory=list)
    """Segments of an open stream that were finished before the policy asked for them."""
    spliced: Spliced = Spliced()
    opened: SegmentStarted | None = None
    """How the running or last decode began."""
    room: int | None = 0
    """Tokens that decode may still write. None: no limit but the model's context."""
    held_to: AnswerFormat | None = None
    """The job's answer format, where that decode's text is an answer."""
    partial: str = ""
    """Text of segments that were interrupted and are being continued."""
    partial_tokens: int = 0
    partial_thoughts: int = 0
    """Of these tokens, those of thoughts."""
    denied: int = 0
    """Empty segments given because the budget is spent."""
    delay: float = 0.0
    """Seconds before the next decode starts."""
    excused: int = 0
    """Tries that failed with a time to wait until; they are not counted against the limit."""
    waited: float = 0.0
    """Seconds that those tries cost."""

    def splice(self, action: Splice, reads: tuple[BranchId, ...]) -> None:
        """Keeps text for the next segment to begin with."""
        self.spliced = self.spliced.then(action, reads)

    def begin(self, started: SegmentStarted, held_to: AnswerFormat | None = None) -> None:
        """Notes that a decode has begun: what was spliced is in it, and its delay is used up."""
        self.opened, self.room, self.held_to = started, started.max_tokens, held_to
        self.spliced, self.delay = Spliced(), 0.0

    def spend(self, tokens: int) -> None:
        """Takes the tokens of a finished segment off the decode's room."""
        if self.room is not None:
            self.room = max(0, self.room - tokens)

    def interrupt(self, decoded: Decoded) -> None:
        """Keeps the text of an interrupted segment for the one that continues it."""
        self.partial += decoded.text
        self.partial_tokens += decoded.usage.completion_tokens
        self.partial_thoughts += decoded.usage.reasoning_tokens

    def thinking_left(self, limit: int | None) -> int | None:
        """Tokens that the thinking may still take, of so many."""
        return None if limit is None else max(1, limit - self.partial_thoughts)

    def complete(self, decoded: Decoded, *, winding_down: bool) -> Segment:
        """Gives the segment as the policy sees it: what was interrupted before, and this, up to a stop string of the
        job's owner, where the turn ends for the policy."""
        whole = self.partial + decoded.text
        text = self.held_to.cut(whole) if self.held_to else whole
        segment = Segment(
            text=text,
            tokens=self.partial_tokens + decoded.usage.completion_tokens,
            finish=decoded.finish if text == whole else Finish.EOS,
            stopped=text != whole,
            tag=decoded.tag,
            winding_down=winding_down,
            confidence=decoded.confidence,
            calls=decoded.calls if text == whole else (),
        )
        self.partial, self.partial_tokens, self.partial_thoughts = "", 0, 0
        return segment
