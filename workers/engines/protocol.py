"""Defines what anything that decodes must do: each module of this room, `openai/` and `vllm/` do it for one kind of
engine.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from anabranch.dag.decoding import Finish, Served, Usage
from anabranch.dag.decoding.logprobs import TokenLogprob
from anabranch.dag.decoding.tools import Call
from anabranch.workers.messages import DecodeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What an engine yields: new text, and at the end why it ended and what it cost.

    Stop strings are part of the text. `tokens` counts all tokens of this decode so far; it never decreases.
    """

    text: str
    """It may begin or end with half a character; the replica puts halves together (`replica/surrogates.py`)."""
    tokens: int
    finish: Finish | None = None
    """Set on the last chunk only: STOP, EOS, LENGTH or ABORT."""
    usage: Usage | None = None
    """The engine's own counts; set on the last chunk, and on the first where the engine knows the prompt's by then (a
    decode that a tag stops never reaches its last chunk)."""
    scheduled: float = 0.0
    """Unix seconds at which the engine began this request's prefill; 0.0 while unknown."""
    logprob: float | None = None
    """Of all that was decoded, before temperature and truncation; on the last chunk of an engine that knows it."""
    usage_estimated: bool = False
    """Nobody has counted yet: `tokens`, and `usage` on the last chunk, are by the text's length."""
    thought: str = ""
    """New thought, without the marks around it; it comes before `text`."""
    reasoning_tokens: int = 0
    """Of `tokens`, those of thoughts."""
    calls: tuple[Call, ...] = ()
    """Of the tools that were offered; on the last chunk, and no part of any `text`."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """Where they were asked for: of the tokens since the last chunk that told any, those of thoughts and marks
    included."""
    token_ids: tuple[int, ...] = ()
    """Where they are to be kept: of the tokens since the last chunk, thoughts, marks and the turn's end included."""
    token_logprobs: tuple[float, ...] = ()
    """One for each of these ids; or none, where the engine does not tell them."""
    recast: bool = False
    """All text of the chunks before this one was thought. Only of an engine that could not tell before, and only once
    in a decode, before any thought."""
    model: str = ""
    """The model that answers, where an upstream names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a caller may ask of this engine."""

    name: str
    """As in the registry (`factory.py`)."""
    model: str
    max_model_len: int
    """Tokens of prompt and completion together."""
    structured_output: bool
    raw_prompts: bool
    """Whether a context without messages is accepted."""
    served: Served = field(default_factory=Served)
    """Who decodes, as far as the engine knows before it decodes."""


class Engine(Protocol):
    """One model, ready to decode many requests at once in one process."""

    @property
    def capabilities(self) -> Capabilities: ...

    def decode(self, request: DecodeRequest) -> AsyncGenerator[Chunk, None]:
        """Decode until a stop. Closing the iterator (aclose, or cancelling its consumer) aborts the request and frees
        its place in the engine at once; what was decoded until then counts.

        Raises DecodeError with a Fault: `prompt-too-long` and `refused` are never retryable.
        """
        ...

    async def count_tokens(self, text: str) -> int: ...

    async def check_health(self) -> None:
        """Raises EngineDead when no further decode can succeed in this process."""
        ...

    async def close(self) -> None: ...
