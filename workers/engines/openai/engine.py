"""Decodes by any server that speaks OpenAI's chat completions: vLLM, a gateway, a hosted model.

A base URL is all it needs. `requests.py` writes what is asked, in the upstream's `dialect.py`. Its stream passes
`events.py` (bytes to events), `parts.py` (events of any form to parts) and `reading.py` (parts to chunks). What goes
wrong is read by `refusals.py` and judged by `faults.py`.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import httpx

from anabranch.dag.decoding import Fault, Finish, Thinking
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.openai.connections import CONNECT_SECONDS, Connections
from anabranch.workers.engines.openai.dialect import Dialect
from anabranch.workers.engines.openai.events import Done, Event, EventReader, Heard, NoStream, TooLong
from anabranch.workers.engines.openai.faults import denied, fault_of, http_errors_as_faults
from anabranch.workers.engines.openai.parts import read_parts
from anabranch.workers.engines.openai.reading import Reading, estimated_tokens
from anabranch.workers.engines.openai.refusals import read_body, start_of
from anabranch.workers.engines.openai.requests import chat_body, completion_body, form_for
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.openai.tokens import UpstreamTokenizer
from anabranch.workers.engines.openai.upstream import look_up, root_of, served_by
from anabranch.workers.engines.openai.waits import told_wait
from anabranch.workers.engines.protocol import Capabilities, Chunk
from anabranch.workers.engines.thoughts import Begin
from anabranch.workers.errors import DecodeError
from anabranch.workers.messages import DecodeRequest

logger = logging.getLogger(__name__)

LINGER_SECONDS = 5.0
"""How long an upstream that has told the end of the text may take for its count of tokens."""

NO_MARK = (
    "what was taken for a thought never ended; the next try reads it as text, unless a mark ends a thought"
)

READ_OUT_SECONDS = 0.05
"""How long the end of a response may take that has said its last word."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One request to the upstream, in our words."""

    path: str
    body: dict[str, Any]
    begin: Begin
    session: str = ""
    """Of the requests that share a prefix with this one."""
    guessed: bool = False
    """`begin` is what is likely: nobody has seen the prompt's end."""


class OpenAIEngine:
    """An `Engine` whose tokens come from elsewhere.

    A vLLM upstream is asked for all that the protocol lacks: raw prompts, turns that go on to the letter, regex and
    choice, tags that are special tokens. Of others: a turn that was begun is sent as a last assistant message; raw
    prompts are refused, and so are a regex and a choice that the job's owner asked for, while a policy's own are left
    out; and a stop string is put back where the upstream names it, else the text ends before it and the finish is EOS.
    """

    def __init__(self, settings: OpenAISettings) -> None:
        """Asks the upstream what it serves, which blocks. Raises ModelUnavailable when it is away or serves nothing."""
        headers = {"Authorization": f"Bearer {settings.api_key or 'none'}", "User-Agent": "anabranch"}
        patience = httpx.Timeout(settings.silence, connect=CONNECT_SECONDS)
        with httpx.Client(headers=headers, timeout=patience, follow_redirects=True) as client:
            self._upstream = look_up(client, settings)
        self._connections = Connections(headers, settings.silence)
        self._session_header = settings.session_header
        self._adapters = settings.adapters
        self._key = settings.api_key or ""
        self._base_url = settings.base_url.rstrip("/")
        self._served = served_by(settings.base_url, vllm=self._upstream.vllm)
        self._tokenizer = UpstreamTokenizer(self._connections, root_of(settings.base_url))
        self._known_dialect = Dialect(settings.parameters)
        self._dialects: dict[str, Dialect] = {}
        self._begins: dict[str, Begin] = {}
        """By model, where its turns were found to begin: INSIDE a thought; UNKNOWN once more, where one did
        not: such a thought was none, and is not given back."""
        self._thinkers: set[str] = set()
        """Models of which a turn that was begun INSIDE went on behind its thought: one that a limit cuts is one."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name="openai",
            model=self._upstream.model,
            max_model_len=self._upstream.max_model_len,
            structured_output=True,
            raw_prompts=self._upstream.tokenizes,
            served=self._served,
        )

    async def decode(self, request: DecodeRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.decode`. Until the last chunk, whose usage is the upstream's own count, `tokens` is estimated by
        the pieces of text, unless the upstream counts all along as vLLM does."""
        with http_errors_as_faults(self._key):
            call = await self._call(request)
            async with self._answer(
                call
            ) as response:  # left early, it closes the connection: the upstream stops
                decoding = request.decoding
                reading = Reading(
                    stops=decoding.stop,
                    calling=decoding.tools is not None,
                    begin=call.begin,
                    logprobs=decoding.logprobs,
                    raw_thoughts=decoding.raw_thoughts,
                )
                async with aclosing(_told(response, reading)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                last = reading.last_chunk()
                self._learn(call, reading, last)
                yield last

    async def count_tokens(self, text: str) -> int:
        """By the upstream where it tokenizes; elsewhere an estimate."""
        if not self._upstream.tokenizes:
            return estimated_tokens(text)
        with http_errors_as_faults(self._key):
            return len(await self._tokenizer.tokens(text, self._upstream.model))

    async def check_health(self) -> None:
        """Never raises: an upstream that is away is not brought back by replacing this process."""

    async def close(self) -> None:
        await self._connections.close()

    async def _call(self, request: DecodeRequest) -> _Call:
        upstream = self._upstream
        model = self._adapters.get(request.model or "", request.model) or upstream.model
        room = upstream.max_model_len
        if self._begins.get(model) is Begin.UNKNOWN and not request.context.continuation:
            request = replace(request, context=replace(request.context, thought=""))
        with_tools = request.decoding.tools is not None or bool(request.context.turns)
        if with_tools or not upstream.tokenizes:  # tokens know no tools: only a chat endpoint does
            body = chat_body(request, model=model, max_model_len=room, vllm=upstream.vllm)
            return _Call(
                "chat/completions", body, self._begin(request, model), request.affinity, guessed=True
            )
        prompt, begin = await self._tokenizer.prompt(request.context, request.decoding, model)
        if len(prompt) >= room:
            detail = f"the prompt has {len(prompt)} tokens; {room} fit, the answer included"
            raise DecodeError(Fault(cause=Cause.PROMPT_TOO_LONG, detail=detail, retryable=False))
        body = completion_body(request, prompt, model=model, max_model_len=room)
        return _Call("completions", body, begin, request.affinity)

    def _learn(self, call: _Call, reading: Reading, last: Chunk) -> None:
        """Where turns of this model begin. Raises DecodeError where this one began elsewhere: the next try knows."""
        model = call.body["model"]
        if reading.recast:
            self._begins[model] = Begin.INSIDE
        elif call.guessed and reading.thought_ended:
            self._thinkers.add(model)
        elif call.guessed and reading.is_all_thought:
            found_once = self._begins.get(model) is Begin.INSIDE and model not in self._thinkers
            if found_once or last.finish is Finish.EOS:
                self._begins[model] = Begin.UNKNOWN
                self._thinkers.discard(model)
                raise DecodeError(Fault(cause=Cause.ENGINE_ERROR, detail=NO_MARK))

    def _hints(self, call: _Call) -> dict[str, str]:
        """For a router behind the URL: which requests want the same engine. A digest, and no id of ours."""
        if not self._session_header or not call.session:
            return {}
        return {self._session_header: hashlib.sha256(call.session.encode()).hexdigest()[:32]}

    def _begin(self, request: DecodeRequest, model: str) -> Begin:
        """Where the first token comes, as far as is known of an upstream whose prompts nobody sees."""
        context, decoding = request.context, request.decoding
        known = self._begins.get(model)
        if context.continuation:
            return Begin.OUTSIDE
        if context.thought:
            return Begin.INSIDE
        if decoding.thinking is Thinking.OFF or form_for(decoding, vllm=self._upstream.vllm) is not None:
            return Begin.UNKNOWN if known is Begin.INSIDE else Begin.OUTSIDE
        return known or Begin.UNKNOWN

    @asynccontextmanager
    async def _answer(self, call: _Call) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response that holds the answer. Asks again, at once, in the words that a refusal taught."""
        model = call.body["model"]
        while True:
            dialect = self._dialects.get(model, self._known_dialect)
            url = f"{self._base_url}/{call.path}"
            async with self._connections.post(url, dialect.put(call.body), self._hints(call)) as response:
                if response.status == 200:
                    yield response
                    return
                refusal = read_body(await response.read(), response.status)
            learned = dialect.learn(refusal, call.body)
            if learned is None:
                headers = {name.lower(): value for name, value in response.headers.items()}
                wait = told_wait(headers, refusal.message, time.time())
                raise DecodeError(fault_of(refusal, wait))
            logger.warning("%s asked with other parameters from now on: %s", model, refusal.message)
            self._dialects[model] = learned


async def _told(response: aiohttp.ClientResponse, reading: Reading) -> AsyncGenerator[Chunk, None]:
    """The chunks of a response, one for all events that come at once: the later a busy process reads, the less a token
    costs it. Once the end of the text is told, whatever breaks is its end."""
    events, received = EventReader(), aiter(response.content.iter_any())
    while (data := await _next(received, reading)) is not None:
        fault, done = _take(events.feed(data), events, reading)
        for chunk in reading.told():
            yield chunk
        if fault is not None:
            raise fault
        if done:
            await _read_out(received)
            return
    if not reading.ended:
        fault, _ = _take(events.close(), events, reading)
        for chunk in reading.told():
            yield chunk
        if fault is not None:
            raise fault
    if not reading.recognised and events.start.strip() and not events.is_stream:
        raise denied(f"the upstream's answer is no completion: {_shown(events)}")


def _take(
    all_heard: Iterator[Heard], events: EventReader, reading: Reading
) -> tuple[DecodeError | TooLong | None, bool]:
    """Reads what was heard; gives what broke it, and whether the upstream is done."""
    try:
        for heard in all_heard:
            if isinstance(heard, Done):
                reading.done()
                return None, True
            event = _event(heard, events, reading)
            for part in read_parts(event.data, event.name):
                reading.take(part)
    except (DecodeError, TooLong) as broken:
        return broken, False
    return None, False


async def _next(received: AsyncIterator[bytes], reading: Reading) -> bytes | None:
    if not reading.ended:
        return await anext(received, None)
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            return await anext(received, None)
    except (aiohttp.ClientError, TimeoutError):
        return None


async def _read_out(received: AsyncIterator[bytes]) -> None:
    """Leaves the connection fit for the next request, where the upstream ends its response behind its last word."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(READ_OUT_SECONDS):
            async for _ in received:
                pass


def _event(heard: Event | NoStream, events: EventReader, reading: Reading) -> Event:
    """The event. Raises DecodeError for what is none: for good, unless it broke into a stream."""
    match heard:
        case Event():
            return heard
        case NoStream() if reading.recognised:
            raise DecodeError(
                Fault(cause=Cause.ENGINE_ERROR, detail="the stream ended in something else than a stream")
            )
        case NoStream():
            raise denied(f"the upstream does not answer with a stream, but with: {_shown(events)}")


def _shown(events: EventReader) -> str:
    return start_of(events.start.decode(errors="replace"))
