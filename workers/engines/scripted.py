"""Recites programmed or recorded outputs by a token clock. Every trace it appears in says so.

Its token is a run of non-blank characters with the blanks after it (blanks at the very beginning are one token):
"a  bc " is two.
"""

import asyncio
import hashlib
import os
import re
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from zlib import crc32

from anabranch.dag.decoding import Fault, Finish, Served, Thinking, Usage
from anabranch.dag.decoding.logprobs import Likelihood, TokenLogprob, rounded
from anabranch.dag.text import Context
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.protocol import Capabilities, Chunk
from anabranch.workers.engines.script import Line, Rules, Script, rendered
from anabranch.workers.engines.thoughts import Marks
from anabranch.workers.errors import DecodeError
from anabranch.workers.messages import DecodeRequest

_TOKEN = re.compile(r"\s+|\S+\s*")


def tokens_of(text: str) -> list[str]:
    """The text cut into this engine's tokens; joined they are the text."""
    return _TOKEN.findall(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedSettings:
    """What the engine says, and how fast."""

    name: ClassVar[str] = "scripted"
    remote: ClassVar[bool] = False
    light: ClassVar[bool] = True
    model: str = "scripted"
    adapters: Mapping[str, str] = field(default_factory=dict)
    """Further models whose names it takes; it recites the same for all of them."""
    script: Script | Path | None = None
    """A script, or the file of one, as JSON. None reckons (`script.reckon`)."""
    tokens_per_second: float | None = None
    """Of each decode, whatever runs beside it. None: as the script has it; 0 never waits."""
    chunk_tokens: int = 1
    max_model_len: int = 32768

    def on_gpus(self, gpus: float) -> "ScriptedSettings":
        """These settings, for a replica without GPUs. Raises ValueError for one with some."""
        if gpus:
            raise ValueError("engine scripted computes nothing: its replicas take no GPU")
        return self


class ScriptedEngine:
    """Recites its script. Honours stop strings, max_tokens, the switch and the limit of thinking, and a structure's
    choices; other structures are the script's to keep."""

    def __init__(
        self,
        script: Script = Rules(),  # noqa: B008 - frozen
        *,
        tokens_per_second: float = 0.0,
        chunk_tokens: int = 1,
        max_model_len: int = 32768,
        model: str = "scripted",
    ) -> None:
        """Speed is per decode, whatever runs beside it; 0 never waits, it only lets others run between chunks."""
        self._script = script
        self._tokens_per_second = tokens_per_second
        self._chunk_tokens = chunk_tokens
        self._capabilities = Capabilities(
            name="scripted",
            model=model,
            max_model_len=max_model_len,
            structured_output=True,
            raw_prompts=True,
            served=Served(provider="scripted", model=model),
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def decode(self, request: DecodeRequest) -> AsyncGenerator[Chunk, None]:
        prompt_tokens = self._prompt_tokens(request)
        line = self._script(request)
        tokens, thoughts, finish = _recital(line, request, self._capabilities.max_model_len - prompt_tokens)
        recited = tokens[: line.after] if _breaks(line) else tokens
        calls = line.calls if request.decoding.tools is not None and finish is Finish.EOS else ()
        scheduled = time.time()
        for start in range(0, len(recited), self._chunk_tokens):
            piece = recited[start : start + self._chunk_tokens]
            await self._wait(len(piece))
            told = start + len(piece)
            last = told == len(tokens) and not calls and not _breaks(line)
            of_thought = max(0, min(thoughts - start, len(piece)))
            yield Chunk(
                text="".join(piece[of_thought:]),
                tokens=told,
                finish=finish if last else None,
                usage=Usage(
                    prompt_tokens=prompt_tokens,
                    completion_tokens=told,
                    reasoning_tokens=min(told, thoughts),
                ),
                thought="".join(piece[:of_thought]),
                reasoning_tokens=min(told, thoughts),
                scheduled=scheduled,
                logprobs=_logprobs(piece, start, line, request),
                token_ids=tuple(map(token_id, piece)) if request.decoding.keep_tokens else (),
                token_logprobs=(rounded(line.logprob or 0.0),) * len(piece)
                if request.decoding.keep_tokens
                else (),
            )
        _break(line)
        if calls or not tokens:
            called = sum(len(tokens_of(f"{call.name} {call.arguments}")) for call in calls)
            await self._wait(called)
            usage = Usage(
                prompt_tokens=prompt_tokens,
                completion_tokens=len(tokens) + called,
                reasoning_tokens=thoughts,
            )
            yield Chunk(
                text="",
                tokens=usage.completion_tokens,
                finish=finish,
                usage=usage,
                reasoning_tokens=thoughts,
                calls=calls,
            )

    async def count_tokens(self, text: str) -> int:
        return len(tokens_of(text))

    async def check_health(self) -> None:
        """A script never tires."""

    async def close(self) -> None:
        """Nothing to free."""

    async def _wait(self, tokens: int) -> None:
        await asyncio.sleep(tokens / self._tokens_per_second if self._tokens_per_second else 0)

    def _prompt_tokens(self, request: DecodeRequest) -> int:
        tokens = len(tokens_of(rendered(request.context)))
        limit = self._capabilities.max_model_len
        if tokens < limit:
            return tokens
        detail = f"the prompt has {tokens} tokens, and the model reads and writes {limit} in all"
        raise DecodeError(Fault(cause=Cause.PROMPT_TOO_LONG, detail=detail, retryable=False))


def _recital(line: Line, request: DecodeRequest, room: int) -> tuple[list[str], int, Finish]:
    """What of the line is decoded, how many of these tokens are thoughts, and why it ends there."""
    decoding = request.decoding
    text, thoughts = _chosen(line, request), _thoughts(line, request)
    if decoding.raw_thoughts and thoughts:
        written = Context((), text, "".join(thoughts))
        text, thoughts = Marks().written(written, opened=False), []
    end = _stop_in(text, decoding.stop)
    tokens = [*thoughts, *tokens_of(text if end is None else text[:end])]
    limit = min(decoding.max_tokens or room, room)
    if len(tokens) > limit:
        return tokens[:limit], min(len(thoughts), limit), Finish.LENGTH
    return tokens, len(thoughts), Finish.EOS if end is None else Finish.STOP


def _thoughts(line: Line, request: DecodeRequest) -> list[str]:
    """The tokens of the line's thought that are still to come."""
    decoding, context = request.decoding, request.context
    if context.continuation or decoding.thinking is Thinking.OFF:
        return []
    left = line.thought.removeprefix(context.thought)
    return tokens_of(left)[: decoding.thinking_tokens]


def _chosen(line: Line, request: DecodeRequest) -> str:
    """The line's text; where the decoding names choices and the line is none of them, one of them, by the context."""
    structure = request.decoding.structure
    if structure is None or not structure.choice or line.text in structure.choice:
        return line.text
    digest = hashlib.sha256(rendered(request.context).encode()).digest()
    return structure.choice[digest[0] % len(structure.choice)]


def _stop_in(text: str, stops: tuple[str, ...]) -> int | None:
    """Where the first stop string to be completed ends."""
    ends = [found + len(stop) for stop in stops if (found := text.find(stop)) >= 0]
    return min(ends, default=None)


def token_id(token: str) -> int:
    """This engine has no vocabulary: a number by the token's letters."""
    return crc32(token.encode(errors="surrogatepass"))


def _logprobs(tokens: list[str], start: int, line: Line, request: DecodeRequest) -> tuple[TokenLogprob, ...]:
    """As the line has them: at each place its token is the one that can come."""
    most_likely = request.decoding.logprobs
    if most_likely is None or (line.logprob is None and not line.confidence):
        return ()
    told = []
    for place, token in enumerate(tokens, start=start):
        sure = line.confidence[min(place, len(line.confidence) - 1)] if line.confidence else None
        logprob = rounded(line.logprob or 0.0)
        top = Likelihood(token=token, logprob=logprob if sure is None else rounded(-sure))
        told.append(TokenLogprob(token=token, logprob=logprob, top=(top,)[:most_likely]))
    return tuple(told)


def _breaks(line: Line) -> bool:
    return line.dies or line.fault is not None


def _break(line: Line) -> None:
    if line.dies:
        os._exit(1)
    if line.fault:
        raise DecodeError(line.fault)
