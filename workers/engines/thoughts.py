"""Tells thoughts from text in what a model writes, however it is cut into chunks, and writes both down again for a
decode that goes on.

**What is a thought.** What stands between two marks, `<think>` and `</think>` of most models, at the beginning of a
turn; of a model whose prompt ends in the first mark, what stands before the second. Marks further on are text. The
blanks around a thought belong neither to it nor to the text: they are written back as models are trained to write them.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from anabranch.dag.decoding import Decoding, Thinking
from anabranch.dag.text import Context

LEADING_BLANKS = 64
"""Characters. Behind more of them no opening mark is looked for."""
FENCES = ("```", "~~~")
"""How a line begins that opens or closes a block of code."""
QUOTES = "`'\"“”‘’«»"


class Begin(Enum):
    """Where a decode's first token stands."""

    UNKNOWN = auto()
    """Nobody can tell: a closing mark without an opening one makes a thought of all the text before it, where it stands
    as models write it: it begins a line, ends one, or stands between two words without a blank. (A text that speaks of
    the marks names the opening one first, or the closing one in quotes, in code, or among its words: then all is
    text.)"""
    OUTSIDE = auto()
    """A thought begins with its opening mark, or there is none."""
    INSIDE = auto()
    """In a thought."""
    BEHIND = auto()
    """Behind it: all that comes is text."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a model writes around its thought."""

    opening: str = "<think>"
    closing: str = "</think>"

    def opened_by(self, prompt: str) -> bool:
        """Whether this prompt ends in the opening mark."""
        return prompt.rstrip().endswith(self.opening)

    def begun(
        self,
        context: Context,
        decoding: Decoding,
        *,
        opened: bool,
        gated: bool = False,
        thinker: bool = False,
    ) -> tuple[str, Begin]:
        """What stands behind the prompt, and where the first token comes then. `gated`: a form holds only behind the
        thought, so that the thinking need not be over before it. `thinker`: the model thinks unless it is told not to,
        though its prompt does not say so."""
        if decoding.raw_thoughts:
            return context.continuation, Begin.BEHIND
        if context.continuation:
            return self.written(context, opened=opened), Begin.BEHIND
        if context.thought:
            return self.written(context, opened=opened), Begin.INSIDE
        if opened:
            thinks = decoding.thinking is not Thinking.OFF and (gated or not self._held_to_form(decoding))
            return ("", Begin.INSIDE) if thinks else (f"\n{self.closing}\n\n", Begin.BEHIND)
        wanted = decoding.thinking is Thinking.ON or (thinker and decoding.thinking is not Thinking.OFF)
        if gated and wanted and self._held_to_form(decoding):
            return f"{self.opening}\n", Begin.INSIDE
        return "", Begin.OUTSIDE

    def _held_to_form(self, decoding: Decoding) -> bool:
        """Whether a form is asked for that leaves no room for the thought."""
        form = decoding.structure
        return form is not None and (form.regex is None or self.closing not in form.regex)

    def written(self, context: Context, *, opened: bool) -> str:
        """What of the assistant's turn is there, as the model would have written it itself. `opened`: the prompt ends
        in the opening mark, so that a text can only begin behind a closing one."""
        begun = f"{self.opening}\n" if context.thought and not opened else ""
        if not context.continuation:
            return begun + context.thought
        if not context.thought and not opened:
            return context.continuation
        return f"{begun}{context.thought}\n{self.closing}\n\n{context.continuation}"


def switches_of(decoding: Decoding) -> dict[str, Any]:
    """What a chat template is told: Qwen's and GLM's name for it, and DeepSeek's, Granite's and Kimi's. One that knows
    neither leaves both unread."""
    if decoding.thinking in (None, Thinking.AUTO):
        return {}
    thinks = decoding.thinking is Thinking.ON
    return {"enable_thinking": thinks, "thinking": thinks}


@dataclass(frozen=True, slots=True)
class Told:
    """What a piece of the stream adds: first to the thought, then to the text."""

    thought: str = ""
    text: str = ""
    recast: bool = False
    """All text told before was thought."""

    def followed_by(self, told: "Told") -> "Told":
        """Both as one piece; the second one has no thought where the first one has text, and recasts nothing."""
        return Told(self.thought + told.thought, self.text + told.text, self.recast)


@dataclass(slots=True)
class _Place:
    """Where in its lines a text has come to."""

    last: str = ""
    begun: str = ""
    """The line's first characters, without blanks before them."""
    fenced: bool = False
    """In a block of code."""

    def go_over(self, text: str) -> None:
        for number, line in enumerate(text.split("\n")):
            if number:
                self.fenced ^= self.begun in FENCES
                self.begun = ""
            self.begun = (self.begun + (line if self.begun else line.lstrip())[:3])[:3]
        self.last = text[-1:] or self.last

    def suits_mark(self, behind: str) -> bool | None:
        """Whether a closing mark stands here as models write it. None: what stands behind it is not known yet."""
        if self.fenced or self.begun in FENCES:
            return False
        if not self.begun or behind in ("\n", "\r"):
            return True
        if not behind:
            return None
        return not any(char.isspace() or char in QUOTES for char in (self.last, behind))


class _At(Enum):
    START = auto()
    THOUGHT = auto()
    BLANKS = auto()
    TEXT = auto()
    DOUBTFUL_TEXT = auto()


class ThoughtSplitter:
    """Fed text piece by piece. It keeps back what may be the beginning of a mark, and a thought's last line breaks."""

    def __init__(self, begin: Begin, marks: Marks = Marks()) -> None:
        self._begin = begin
        self._marks = marks
        self._at = _At.TEXT if begin is Begin.BEHIND else _At.START
        self._held = ""
        """Of the last piece: what may be a part of a mark."""
        self._breaks = 0
        """Line breaks at the end of what may be a thought."""
        self._place = _Place()
        """Before what is fed next, while it may be a thought."""

    @property
    def thinking(self) -> bool:
        """Whether what comes next belongs to a thought, as far as is known."""
        return self._at is _At.THOUGHT or (self._at is _At.START and self._begin is Begin.INSIDE)

    def feed(self, piece: str) -> Told:
        """What is known by now."""
        text, self._held = self._held + piece, ""
        if self._at is _At.START:
            text = self._start(text)
        match self._at:
            case _At.THOUGHT:
                return self._think(text)
            case _At.BLANKS:
                return self._after_blanks(text)
            case _At.DOUBTFUL_TEXT:
                return self._doubt(text)
            case _At.TEXT:
                return Told(text=text)
            case _At.START:
                return Told()

    def told_apart(self) -> None:
        """The upstream tells thoughts by themselves: what is fed is text, but for the blanks before it."""
        if self._at is _At.START and not self._held.strip():
            self._at, self._held = _At.BLANKS, ""
        elif self._at is not _At.BLANKS:
            if self._at is _At.DOUBTFUL_TEXT:
                self._held, self._breaks = "\n" * self._breaks + self._held, 0
            self._at = _At.TEXT

    def close(self) -> Told:
        """What was kept back, when no more comes."""
        left, self._held = self._held, ""
        if self.thinking:
            return Told(thought="\n" * self._breaks * bool(left) + left)
        return Told(text="\n" * self._breaks * (self._at is _At.DOUBTFUL_TEXT) + left)

    def _start(self, text: str) -> str:
        """Looks for the opening mark. Gives what is to be read on."""
        opening = self._marks.opening
        begun = text.lstrip()
        if len(text) - len(begun) > LEADING_BLANKS:
            self._at = _BEGUN[self._begin]
            return text
        if begun.startswith(opening):
            rest = begun[len(opening) :]
            if rest:  # or a line break may still come, which is the mark's
                self._at = _At.THOUGHT
                return rest.removeprefix("\n")
            self._held = text
        elif opening.startswith(begun):
            self._held = text
        else:
            self._at = _BEGUN[self._begin]
            return text
        return ""

    def _think(self, text: str) -> Told:
        body, mark, behind = text.partition(self._marks.closing)
        if mark:
            self._at = _At.BLANKS
            after = self._after_blanks(behind)
            return Told(self._with_breaks(body), after.text)
        self._held = _begun_mark(body, self._marks.closing)
        return Told(self._with_breaks(body.removesuffix(self._held) if self._held else body))

    def _with_breaks(self, body: str) -> str:
        """The body without its last line breaks, and with those that were kept back before it."""
        kept = body.rstrip("\n")
        breaks = len(body) - len(kept)
        if not kept:
            self._breaks += breaks
            return ""
        before, self._breaks = self._breaks, breaks
        return "\n" * before + kept

    def _after_blanks(self, text: str) -> Told:
        text = text.lstrip()
        if text:
            self._at = _At.TEXT
        return Told(text=text)

    def _doubt(self, text: str) -> Told:
        body, mark, behind = text.partition(self._marks.closing)
        if not mark:
            marks = self._marks
            self._held = max(_begun_mark(body, marks.opening), _begun_mark(body, marks.closing), key=len)
            body = body.removesuffix(self._held)
        self._place.go_over(body)
        suits = self._place.suits_mark(behind[:1])
        if self._marks.opening in body or (mark and suits is False):
            self._at = _At.TEXT
            left, self._held = f"{body}{self._held}{mark}{behind}", ""
            return Told(text=self._with_breaks(left) + "\n" * self._breaks)
        if not mark or suits is None:
            self._held = self._held or mark
            return Told(text=self._with_breaks(body))
        self._at = _At.BLANKS
        thought = self._with_breaks(body)
        return Told(thought, self._after_blanks(behind).text, recast=True)


_BEGUN = {
    Begin.UNKNOWN: _At.DOUBTFUL_TEXT,
    Begin.OUTSIDE: _At.TEXT,
    Begin.INSIDE: _At.THOUGHT,
    Begin.BEHIND: _At.TEXT,
}
"""Where a turn stands that does not begin with the opening mark."""


def _begun_mark(text: str, mark: str) -> str:
    """The longest end of the text with which the mark begins."""
    if mark[0] not in text[1 - len(mark) :]:  # as nearly always
        return ""
    for length in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:length]):
            return text[-length:]
    return ""
