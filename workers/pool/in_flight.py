"""Follows a call from outside: what arrived of each decode, so that a lost replica still leaves an end."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from anabranch.dag.decoding import Decoded, Fault, Finish, Timing, Usage
from anabranch.workers.messages import DecodeRequest, Key, Message, SegmentDone, TextPiece
from anabranch.workers.pool.protocol import Deliver


@dataclass(frozen=True, slots=True)
class _Seen:
    """What arrived of the segment that is being decoded."""

    request: DecodeRequest
    segment: int
    submitted: float
    text: str = ""
    thought: str = ""
    usage: Usage = Usage()

    def then(self, piece: TextPiece) -> "_Seen":
        """With this piece behind it."""
        usage = Usage(completion_tokens=piece.tokens, reasoning_tokens=piece.reasoning_tokens)
        thought, text = (self.text, "") if piece.recast else (self.thought, self.text)
        return replace(self, thought=thought + piece.thought, text=text + piece.text, usage=usage)


class InFlightCall:
    """Passes messages on until each request has had its last SegmentDone, and not one further."""

    def __init__(
        self,
        requests: Sequence[DecodeRequest],
        deliver: Deliver,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.deliver = deliver
        self._clock = clock
        self._open = {
            request.key: _Seen(request, request.key.segment, request.submitted) for request in requests
        }

    @property
    def open(self) -> tuple[DecodeRequest, ...]:
        """The requests that have not had their last SegmentDone."""
        return tuple(seen.request for seen in self._open.values())

    @property
    def keys(self) -> list[Key]:
        """Of the same."""
        return list(self._open)

    def request(self, key: Key) -> DecodeRequest | None:
        """An open one."""
        seen = self._open.get(key)
        return seen.request if seen is not None else None

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, key: Key) -> bool:
        return key in self._open

    def receive(self, messages: Iterable[Message]) -> None:
        for message in messages:
            seen = self._open.get(message.key)
            if seen is None:
                continue
            self._note(message, seen)
            self.deliver(message)

    def end(self, keys: Iterable[Key], finish: Finish, *, replica: str, fault: Fault | None = None) -> None:
        """Ends these decodes from outside, with the text and the tokens that had arrived."""
        for key in keys:
            if seen := self._open.pop(key, None):
                decoded = Decoded(
                    text=seen.text,
                    finish=finish,
                    thought=seen.thought,
                    usage=seen.usage,
                    fault=fault,
                    timing=Timing(submitted=seen.submitted, finished=self._clock()),
                    replica=replica,
                )
                self.deliver(SegmentDone(key=key, segment=seen.segment, decoded=decoded))

    def _note(self, message: Message, seen: _Seen) -> None:
        match message:
            case TextPiece():
                self._open[message.key] = seen.then(message)
            case SegmentDone(decoded=decoded) if decoded.open:
                self._open[message.key] = _Seen(seen.request, message.segment + 1, decoded.timing.finished)
            case SegmentDone():
                del self._open[message.key]
