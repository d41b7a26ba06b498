"""Folds the parts of one stream into chunks: the text as it comes, and at the end why it ended and what it cost.

Only an end that is known to be good is an end. All else is a fault, behind the text that came before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from anabranch.dag.decoding import Fault, Finish, Usage
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.openai.calls import CallReading
from anabranch.workers.engines.openai.faults import fault_of, refused
from anabranch.workers.engines.openai.parts import Counts, Part
from anabranch.workers.engines.openai.refusals import Refusal
from anabranch.workers.engines.protocol import Chunk
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


@dataclass(slots=True)
class Reading:
    """What a stream has told so far. Takes part after part; `ended` from the word for its end on."""

    stops: tuple[str, ...] = ()
    """Stop strings that were asked for. The upstream leaves them out of the text."""
    calling: bool = False
    """Whether tools were offered; calls of others are no calls."""
    _calls: CallReading = field(default_factory=CallReading)
    _pieces: int = 0
    """Tokens, estimated: each piece of text is at least one."""
    _tail: str = ""
    _counts: Counts = field(default_factory=Counts)
    _end: str = ""
    _stop: str = ""
    _refusal: Refusal | None = None
    _declined: str = ""
    _model: str = ""
    recognised: bool = False
    """Whether anything had the form of a chunk."""

    @property
    def ended(self) -> bool:
        return bool(self._end)

    @property
    def tokens(self) -> int:
        """Decoded so far; never decreases."""
        return max(self._pieces, self._counts.completion or 0)

    def take(self, part: Part) -> Chunk | None:
        """The chunk that this part makes. Raises DecodeError for an error that comes before the end."""
        self.recognised = self.recognised or part.choices
        self._count(part)
        self._declined += part.declined
        self._model = part.model or self._model
        for piece in part.calls if self.calling else ():
            self._calls.take(piece)
        if part.finish:
            self._end, self._stop = part.finish.lower(), part.stop
        if part.refusal is not None:
            self._refusal = part.refusal
            if not self.ended:
                raise DecodeError(fault_of(part.refusal))
        if not part.text:
            return None
        longest = max(map(len, self.stops), default=0)
        self._tail = (self._tail + part.text)[-longest:] if longest else ""
        usage = self._usage() if self._counts.prompt is not None else None
        return Chunk(
            text=part.text,
            tokens=self.tokens,
            usage=usage,
            usage_estimated=not self._is_counted,
            model=self._model,
        )

    def last_chunk(self) -> Chunk:
        """Why the text ended, and what it cost. Raises DecodeError where it ended badly."""
        if not self.ended:
            raise DecodeError(
                Fault(cause=Cause.UPSTREAM_AWAY, detail="the stream ended in the middle of the text")
            )
        finish, stop = self._finish()
        return Chunk(
            text=stop,
            tokens=self.tokens,
            finish=finish,
            usage=self._usage(),
            usage_estimated=not self._is_counted,
            model=self._model,
            calls=self._calls.calls() if finish is Finish.EOS else (),
        )

    def _count(self, part: Part) -> None:
        for text in (part.text, part.thought, *(f"{call.name}{call.arguments}" for call in part.calls)):
            if text:
                self._pieces += max(1, len(text.encode(errors="surrogatepass")) // BYTES_PER_TOKEN)
        told, known = part.counts, self._counts
        self._counts = Counts(
            prompt=known.prompt if told.prompt is None else told.prompt,
            cached=known.cached if told.cached is None else told.cached,
            completion=known.completion if told.completion is None else told.completion,
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
        )

    def _finish(self) -> tuple[Finish, str]:
        """Why the text ended, and the stop string that the upstream left out."""
        finish = Finish.EOS if self._calls and self._end in CALLED else GOOD_ENDS.get(self._end)
        if finish is None:
            raise self._ended_badly()
        if self._declined and not self._pieces:
            raise refused(f"the model declines: {self._declined}")
        if finish is Finish.LENGTH:
            return finish, ""
        if self._stop:
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
