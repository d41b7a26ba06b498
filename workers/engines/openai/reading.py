"""Folds the parts of one stream into chunks: thought and text as they come, and at the end why they ended and what they
cost.

Only an end that is known to be good is an end. All else is a fault, behind the text that came before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from anabranch.dag.decoding import Fault, Finish, Usage
from anabranch.dag.decoding.logprobs import TokenLogprob
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.openai.calls import CallReading
from anabranch.workers.engines.openai.faults import fault_of, refused
from anabranch.workers.engines.openai.parts import NOTHING_COUNTED, Counts, Part
from anabranch.workers.engines.openai.refusals import Refusal
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.thoughts import Begin, Marks, ThoughtSplitter, Told
from anabranch.workers.errors import DecodeError

BYTES_PER_TOKEN = 4
"""By which tokens are estimated where nobody counts."""

GOOD_ENDS: Mapping[str, Finish] = {
    "stop": Finish.EOS,
    "eos": Finish.EOS,
    "eos_token": Finish.EOS,
    "end_turn": Finish.EOS,
    "stop_sequence": Finish.STOP,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "model_length": Finish.LENGTH,
}
"""By OpenAI's words, and by those that gateways pass on from TGI, Anthropic, Gemini and Mistral; in small letters."""
CALLED = frozenset({"tool_calls", "function_call", "tool_use", "tool_call"})
"""Words for an end at which the model waits for what it has called."""
FILTERED = frozenset(
    {
        "content_filter",
        "safety",
        "recitation",
        "prohibited_content",
        "blocklist",
        "spii",
        "refusal",
        "sensitive",
    }
)
"""Words of a filter that ended the text: another try meets it again."""
BUSY = frozenset({"insufficient_system_resource", "overloaded", "rate_limit"})


def estimated_tokens(text: str) -> int:
    """Tokens of a text by its bytes."""
    return -(-len(text.encode(errors="surrogatepass")) // BYTES_PER_TOKEN)


def _pieces_of(text: str) -> int:
    """Tokens of a part, estimated so that a long stream of short parts is not overrated by much."""
    return max(1, len(text.encode(errors="surrogatepass")) // BYTES_PER_TOKEN) if text else 0


@dataclass(slots=True)
class Reading:
    """What a stream has told so far. Takes part after part, and tells what these come to when it is asked; `ended` from
    the word for its end on."""

    stops: tuple[str, ...] = ()
    """Stop strings that were asked for. The upstream leaves them out of the text."""
    calling: bool = False
    """Whether tools were offered; calls of others are no calls."""
    begin: Begin = Begin.OUTSIDE
    logprobs: int | None = None
    """Of how many of the likeliest tokens at each place something was asked; None: of no tokens at all."""
    raw_thoughts: bool = False
    """Thoughts stay in the text, between their marks."""
    recast: bool = False
    """Whether the text turned out to have begun inside a thought."""
    _calls: CallReading = field(default_factory=CallReading)
    _splitter: ThoughtSplitter = field(init=False)
    _longest_stop: int = 0
    _fresh: Told | None = None
    """Not told by a chunk yet: what belongs into one."""
    _chunks: list[Chunk] = field(default_factory=list)
    """Not given yet: those before it."""
    _in_thought: bool = False
    _pieces: int = 0
    """Tokens, estimated: each piece of text is at least one."""
    _thought_pieces: int = 0
    """Of these, those of thoughts."""
    _tail: str = ""
    _counts: Counts = field(default_factory=Counts)
    _end: str = ""
    _stop: str = ""
    _refusal: Refusal | None = None
    _declined: str = ""
    _model: str = ""
    _logprobs: list[TokenLogprob] = field(default_factory=list)
    """Not told by a chunk yet."""
    recognised: bool = False
    """Whether anything had the form of a chunk."""

    def __post_init__(self) -> None:
        self._splitter = ThoughtSplitter(Begin.BEHIND if self.raw_thoughts else self.begin)
        self._longest_stop = max(map(len, self.stops), default=0)

    @property
    def ended(self) -> bool:
        return bool(self._end)

    def done(self) -> None:
        """The upstream says that nothing more comes. After text, that is an end that nobody gave a reason for."""
        if not self.ended and self._pieces:
            self._end = "stop"

    @property
    def is_all_thought(self) -> bool:
        """Whether the thought that it began with goes on, and nothing is called."""
        return self._splitter.thinking and self._pieces > 0 and not self._calls

    @property
    def thought_ended(self) -> bool:
        """Whether a mark ended the thought that it began in."""
        return self.begin is Begin.INSIDE and not (self.raw_thoughts or self._splitter.thinking)

    @property
    def tokens(self) -> int:
        """Decoded so far; never decreases."""
        return max(self._pieces, self._counts.completion or 0)

    def take(self, part: Part) -> None:
        """Raises DecodeError for an error that comes before the end."""
        self.recognised = self.recognised or part.choices
        told = self._inline(part) if self.raw_thoughts else self._split(part)
        self._count(part, told)
        self._declined += part.declined
        self._model = part.model or self._model
        for piece in part.calls if self.calling else ():
            self._calls.take(piece)
        if self.logprobs is not None:
            most = self.logprobs
            self._logprobs += (replace(token, top=token.top[:most]) for token in part.logprobs)
        if part.finish:
            self._end, self._stop = part.finish.lower(), part.stop
        if part.text or part.thought:
            self._add(told)
        if part.refusal is not None:
            self._refusal = part.refusal
            if not self.ended:
                raise DecodeError(fault_of(part.refusal))

    def told(self) -> list[Chunk]:
        """What was taken since this was asked: one chunk, unless the order of thought and text needs more."""
        self._close_chunk()
        chunks, self._chunks = self._chunks, []
        return chunks

    def _add(self, told: Told) -> None:
        """In a chunk, the thought stands before the text; and only what was told before can be recast."""
        fresh = self._fresh
        if fresh is not None and (told.recast or (told.thought and fresh.text)):
            self._close_chunk()
            fresh = None
        self._fresh = told if fresh is None else fresh.followed_by(told)

    def _close_chunk(self) -> None:
        told, self._fresh = self._fresh, None
        if told is None:
            return
        if self._longest_stop:
            self._tail = (self._tail + told.text)[-self._longest_stop :]
        usage = self._usage()
        chunk = Chunk(
            text=told.text,
            tokens=self.tokens,
            usage=usage if self._counts.prompt is not None else None,
            usage_estimated=not self._is_counted,
            thought=told.thought,
            reasoning_tokens=usage.reasoning_tokens,
            recast=told.recast,
            model=self._model,
            logprobs=self._take_logprobs(),
        )
        self._chunks.append(chunk)

    def _take_logprobs(self) -> tuple[TokenLogprob, ...]:
        told, self._logprobs = tuple(self._logprobs), []
        return told

    def _split(self, part: Part) -> Told:
        """Thought and text of a part."""
        if not part.thought:
            return self._splitter.feed(part.text)
        self._splitter.told_apart()
        return Told(part.thought, self._splitter.feed(part.text).text)

    def _inline(self, part: Part) -> Told:
        """The text as the model wrote it, with marks where the upstream took them out."""
        marks, text = Marks(), part.text
        begun = f"{marks.opening}\n" if part.thought and not self._in_thought else ""
        self._in_thought = self._in_thought or bool(part.thought)
        if self._in_thought and text:
            text, self._in_thought = f"\n{marks.closing}\n\n{text.lstrip()}", False
        return Told(text=begun + part.thought + text)

    def last_chunk(self) -> Chunk:
        """Why the text ended, and what it cost. Raises DecodeError where it ended badly."""
        if not self.ended:
            raise DecodeError(
                Fault(cause=Cause.UPSTREAM_AWAY, detail="the stream ended in the middle of the text")
            )
        left = self._splitter.close()
        self._tail += left.text
        finish, stop = self._finish()
        in_thought = self._splitter.thinking
        return Chunk(
            text=left.text + ("" if in_thought else stop),
            thought=left.thought + (stop if in_thought else ""),
            reasoning_tokens=self._usage().reasoning_tokens,
            tokens=self.tokens,
            finish=finish,
            usage=self._usage(),
            usage_estimated=not self._is_counted,
            model=self._model,
            logprobs=self._take_logprobs(),
            calls=self._calls.calls() if finish is Finish.EOS else (),
        )

    def _count(self, part: Part, told: Told) -> None:
        self._pieces += _pieces_of(part.text) + _pieces_of(part.thought)
        for call in part.calls:
            self._pieces += _pieces_of(f"{call.name}{call.arguments}")
        self.recast = self.recast or told.recast
        if told.thought or told.recast or part.thought or self._splitter.thinking:
            self._thought_pieces = max(self._thought_pieces, self._pieces - _pieces_of(told.text))
        counts, known = part.counts, self._counts
        if counts is NOTHING_COUNTED:
            return
        self._counts = Counts(
            prompt=known.prompt if counts.prompt is None else counts.prompt,
            cached=known.cached if counts.cached is None else counts.cached,
            completion=known.completion if counts.completion is None else counts.completion,
            reasoning=known.reasoning if counts.reasoning is None else counts.reasoning,
        )

    @property
    def _is_counted(self) -> bool:
        """Whether the upstream's count can be: none is zero where there is text."""
        counted = self._counts.completion
        return counted is not None and (counted > 0 or not self._pieces)

    def _usage(self) -> Usage:
        counts = self._counts
        completion = counts.completion if self._is_counted else self._pieces
        return Usage(
            prompt_tokens=counts.prompt or 0,
            cached_tokens=counts.cached or 0,
            completion_tokens=completion or 0,
            reasoning_tokens=self._reasoning_tokens(completion or 0),
        )

    def _reasoning_tokens(self, completion: int) -> int:
        """As told; where nobody does, the share that thoughts have in all that was written."""
        told = self._counts.reasoning
        if told is None:
            told = -(-completion * self._thought_pieces // self._pieces) if self._pieces else 0
        return min(told, completion)

    def _finish(self) -> tuple[Finish, str]:
        """Why the text ended, and the stop string that the upstream left out."""
        finish = Finish.EOS if self._calls and self._end in CALLED else GOOD_ENDS.get(self._end)
        if finish is None:
            raise self._ended_badly()
        if self._declined and not self._pieces:
            raise refused(f"the model declines: {self._declined}")
        if finish is Finish.LENGTH:
            return finish, ""
        if self._stop in self.stops:  # others are words for the end, or tokens of the model's
            return Finish.STOP, "" if self._tail.endswith(self._stop) else self._stop
        if any(self._tail.endswith(stop) for stop in self.stops):
            return Finish.STOP, ""
        if finish is Finish.STOP and len(self.stops) == 1:
            return Finish.STOP, self.stops[0]
        return Finish.EOS, ""

    def _ended_badly(self) -> DecodeError:
        told = f": {self._refusal.message}" if self._refusal else ""
        detail = f"the upstream ended the text with {self._end!r}{told}"
        if self._end in FILTERED:
            return refused(f"a filter of the upstream ended the text ({self._end}){told}")
        return DecodeError(
            Fault(cause=Cause.OVERLOADED if self._end in BUSY else "engine-error", detail=detail)
        )
