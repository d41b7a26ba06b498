"""Cuts one decode's chunks into segments: grammar and confidence are read here, in the replica, next to the tokens."""

from dataclasses import dataclass, field, replace

from anabranch.dag.decoding import Decoded, Fault, Finish, Served, Tag, Timing, Usage
from anabranch.dag.decoding.confidence import ConfidenceMeter
from anabranch.dag.decoding.kept import KeptTokens, pack
from anabranch.dag.decoding.logprobs import Likelihood, TokenLogprob, covering
from anabranch.dag.decoding.tools import Call
from anabranch.dag.grammars.grammar import Parser
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.messages import DecodeRequest, Message, SegmentDone, TextPiece
from anabranch.workers.replica.surrogates import SurrogateJoiner, join_halves

SEGMENTS = 256
"""Segments of one decode. Each is a fact that an organizer computes and stores: a text of tags and nothing else would
keep it busy for seconds. Tags beyond them are text, but for those that stop."""


@dataclass(slots=True, kw_only=True)
class _Segment:
    """The segment that is being decoded."""

    index: int
    before: Usage
    """Tokens of the decode when this segment began."""
    timing: Timing
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    length: int = 0
    """Characters of `texts`."""
    thought_length: int = 0
    """Characters of `thoughts`."""

    def recast(self) -> None:
        """Makes a thought of its text."""
        self.thoughts, self.texts = self.texts, []
        self.thought_length, self.length = self.length, 0


@dataclass(slots=True, kw_only=True)
class Segmenter:
    """Fed each chunk of one decode, yields its messages. Synchronous and without a clock: the caller tells the time.

    A segment's pieces, joined, are its thought and its text; the parser reads the text only. Its tokens are those that
    had come with the chunk that ended it, so over all segments of a decode, plus `overshoot_tokens`, they sum to the
    engine's own count. What the prompt cost is booked once, on the first segment that ends after the engine told it.
    """

    request: DecodeRequest
    replica: str
    engine: str
    served: Served = field(default_factory=Served)
    parser: Parser | None = None
    overshoot: str = ""
    """Decoded past the tag that stopped the decode, and dropped."""
    _joiner: SurrogateJoiner = field(default_factory=SurrogateJoiner)
    _thought_joiner: SurrogateJoiner = field(default_factory=SurrogateJoiner)
    _segment: _Segment = field(init=False)
    _stopped_by: Tag | None = None
    _fed: int = 0
    _chunk_tokens: int = 0
    _usage: Usage = field(default_factory=Usage)
    _prompt_booked: bool = False
    _logprob: float | None = None
    _usage_estimated: bool = False
    _calls: tuple[Call, ...] = ()
    _token_logprobs: list[TokenLogprob] = field(default_factory=list)
    """Since the last segment ended."""
    _kept_ids: list[int] = field(default_factory=list)
    """Since the last segment ended, as the next."""
    _kept_logprobs: list[float] = field(default_factory=list)
    _meter: ConfidenceMeter | None = None

    def __post_init__(self) -> None:
        timing = Timing(submitted=self.request.submitted)
        rule = self.request.decoding.confidence
        self._meter = ConfidenceMeter(rule=rule) if rule else None
        self._segment = _Segment(index=self.request.key.segment, before=Usage(), timing=timing)

    @property
    def stopped(self) -> bool:
        """Whether a tag was closed after which decoding must not go on."""
        return self._stopped_by is not None

    @property
    def unsure(self) -> bool:
        """Whether the model was too unsure to go on."""
        return self._meter is not None and self._meter.stopped

    @property
    def overshoot_limit(self) -> int:
        """How many of the last chunk's tokens can have come after the tag that stopped: all but the tag's own last."""
        return max(0, min(self._chunk_tokens, self._segment_tokens) - 1)

    def admit(self, now: float) -> None:
        """The replica took the request up."""
        self._segment.timing = replace(self._segment.timing, admitted=now)

    def feed(self, chunk: Chunk, now: float) -> list[Message]:
        """The messages this chunk completes. After a tag that stops, nothing further may be fed."""
        self._count(chunk)
        timing = self._segment.timing
        if chunk.scheduled and not timing.scheduled:
            self._segment.timing = replace(timing, scheduled=chunk.scheduled)
        ended = chunk.finish is not None
        text = self._joiner.feed(chunk.text) + (self._joiner.close() if ended else "")
        messages = self._think(chunk, now, ended=ended or bool(text))
        fed, self._fed = self._fed, self._fed + len(text)
        cuts = self.parser.feed(text) if self.parser else ()
        start = 0
        for cut in cuts:
            if not cut.stops and self._segment.index - self.request.key.segment >= SEGMENTS - 1:
                continue
            end = cut.offset - fed
            messages += self._write(text[start:end], now)
            start = end
            if cut.stops:
                self._stopped_by = cut.tag
                self.overshoot = text[start:]
                return messages
            messages.append(self._close(Finish.TAG, now, tag=cut.tag, open=True))
            self._begin_next(now)
        return messages + self._write(text[start:], now)

    def end(self, finish: Finish, now: float, *, overshoot_tokens: int = 0) -> SegmentDone:
        """The decode ended by itself, was stopped by a tag, or was aborted: its last segment."""
        if self._stopped_by is not None:
            return self._close(Finish.TAG, now, tag=self._stopped_by, dropped=overshoot_tokens)
        unclosed = self.parser.close() if self.parser and finish is not Finish.ABORT else None
        return self._close(finish, now, tag=unclosed, logprob=self._logprob, calls=self._calls)

    def fail(self, fault: Fault, now: float) -> SegmentDone:
        """The decode failed: its last segment, with the text so far."""
        return self._close(Finish.ERROR, now, fault=fault)

    @property
    def _segment_tokens(self) -> int:
        """Never negative, though an engine's own count at the end may be less than the estimates before it."""
        return max(0, self._usage.completion_tokens - self._segment.before.completion_tokens)

    @property
    def _reasoning_tokens(self) -> int:
        """Of the segment's tokens, never more than they are."""
        thought = self._usage.reasoning_tokens - self._segment.before.reasoning_tokens
        return min(max(0, thought), self._segment_tokens)

    def _count(self, chunk: Chunk) -> None:
        known = chunk.usage or self._usage
        total = chunk.usage.completion_tokens if chunk.usage and chunk.finish else chunk.tokens
        self._chunk_tokens = total - self._usage.completion_tokens
        thought = chunk.reasoning_tokens
        if chunk.usage and chunk.finish:
            thought = chunk.usage.reasoning_tokens or thought
        self._usage = Usage(
            prompt_tokens=known.prompt_tokens,
            cached_tokens=known.cached_tokens,
            completion_tokens=total,
            reasoning_tokens=thought,
        )
        self._logprob, self._usage_estimated = chunk.logprob, chunk.usage_estimated
        if chunk.model != self.served.model and chunk.model:
            self.served = replace(self.served, model=join_halves(chunk.model))
        self._calls = tuple(map(_with_whole_characters, chunk.calls))
        self._hear_logprobs(chunk.logprobs)
        self._kept_ids += chunk.token_ids
        self._kept_logprobs += chunk.token_logprobs

    def _hear_logprobs(self, tokens: tuple[TokenLogprob, ...]) -> None:
        """Measures them; keeps of them what the job's owner asked for."""
        if self._meter is None:
            self._token_logprobs += tokens
            return
        self._meter.feed(tokens)
        most = self.request.decoding.logprobs
        if most is not None:
            self._token_logprobs += (replace(token, top=token.top[:most]) for token in tokens)

    def _think(self, chunk: Chunk, now: float, *, ended: bool) -> list[Message]:
        """The thought of this chunk; `ended` when no more of it comes."""
        if chunk.recast:
            self._segment.recast()
        joiner = self._thought_joiner
        thought = joiner.feed(chunk.thought) + (joiner.close() if ended else "")
        return self._tell(now, thought=thought, recast=chunk.recast) if thought or chunk.recast else []

    def _write(self, text: str, now: float) -> list[Message]:
        return self._tell(now, text=text) if text else []

    def _tell(self, now: float, *, text: str = "", thought: str = "", recast: bool = False) -> list[Message]:
        segment = self._segment
        if not segment.timing.first_token:
            segment.timing = replace(segment.timing, first_token=now)
        piece = TextPiece(
            key=self.request.key,
            segment=segment.index,
            offset=segment.length,
            text=text,
            tokens=self._segment_tokens,
            thought_offset=segment.thought_length,
            thought=thought,
            reasoning_tokens=self._reasoning_tokens,
            recast=recast,
        )
        segment.texts.append(text)
        segment.thoughts.append(thought)
        segment.length += len(text)
        segment.thought_length += len(thought)
        return [piece]

    def _begin_next(self, now: float) -> None:
        self._segment = _Segment(
            index=self._segment.index + 1,
            before=self._usage,
            timing=Timing(submitted=now, admitted=now, scheduled=now),
        )

    def _close(
        self,
        finish: Finish,
        now: float,
        *,
        tag: Tag | None = None,
        open: bool = False,  # noqa: A002 - the word of `Decoded`
        dropped: int = 0,
        fault: Fault | None = None,
        logprob: float | None = None,
        calls: tuple[Call, ...] = (),
    ) -> SegmentDone:
        text = "".join(self._segment.texts)
        decoded = Decoded(
            text=text,
            finish=finish,
            thought="".join(self._segment.thoughts),
            usage=self._book(max(0, self._segment_tokens - dropped)),
            tag=tag,
            open=open,
            calls=calls,
            fault=fault,
            timing=replace(self._segment.timing, finished=now),
            replica=self.replica,
            engine=self.engine,
            served=self.served,
            logprob=logprob,
            token_logprobs=() if fault else self._take_logprobs(text),
            kept=self._take_kept(dropped),
            confidence=self._meter.measured() if self._meter else None,
            usage_estimated=self._usage_estimated,
            overshoot_tokens=dropped,
        )
        return SegmentDone(key=self.request.key, segment=self._segment.index, decoded=decoded)

    def _take_logprobs(self, text: str) -> tuple[TokenLogprob, ...]:
        """Those of the segment's text. An upstream leaves a stop string out of what it tells."""
        tokens, self._token_logprobs = self._token_logprobs, []
        if not tokens or not text:
            return ()
        stop = next((stop for stop in self.request.decoding.stop if text.endswith(stop)), "")
        told = covering(tokens, text) or covering(tokens, text.removesuffix(stop))
        return tuple(replace(token, token=join_halves(token.token), top=_whole(token.top)) for token in told)

    def _take_kept(self, dropped: int) -> KeptTokens | None:
        """The segment's tokens, but for the last `dropped`."""
        ids, logprobs = self._kept_ids, self._kept_logprobs
        self._kept_ids, self._kept_logprobs = [], []
        until = len(ids) - dropped
        return pack(ids[:until], logprobs[:until]) if until > 0 else None

    def _book(self, completion_tokens: int) -> Usage:
        spent = Usage(
            completion_tokens=completion_tokens,
            reasoning_tokens=min(self._reasoning_tokens, completion_tokens),
        )
        if self._prompt_booked:
            return spent
        self._prompt_booked = self._usage.prompt_tokens > 0
        prompt = self._usage
        return replace(spent, prompt_tokens=prompt.prompt_tokens, cached_tokens=prompt.cached_tokens)


def _with_whole_characters(call: Call) -> Call:
    name, arguments, id_ = map(join_halves, (call.name, call.arguments, call.id))
    return Call(name=name, arguments=arguments, id=id_)


def _whole(likeliest: tuple[Likelihood, ...]) -> tuple[Likelihood, ...]:
    return tuple(replace(each, token=join_halves(each.token)) for each in likeliest)
