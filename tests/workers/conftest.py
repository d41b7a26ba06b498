"""Requests, a tiny tag grammar, and a listener: what the tests of the worker pool start from."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from tests.workers.engines.upstream import Upstream, serving
from tests.workers.vllm_server import vllm_server

from anabranch.dag.decoding import Decoded, Decoding, Fault, Tag, Usage
from anabranch.dag.grammars.grammar import Cut
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.text import Context
from anabranch.workers.engines.openai.engine import OpenAIEngine
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.vllm.engine import VllmEngine
from anabranch.workers.engines.vllm.settings import VllmSettings
from anabranch.workers.messages import DecodeRequest, Key, Message, SegmentDone, TextPiece


class TinyParser:
    """`<go>body</go>` ends a segment and decoding goes on; `<halt>` stops it."""

    TAG = re.compile(r"<go>(?P<body>[^<]*)</go>|<halt>")

    def __init__(self) -> None:
        self._text = ""
        self._read = 0

    def feed(self, text: str) -> tuple[Cut, ...]:
        self._text += text
        return tuple(self._cuts())

    def close(self) -> Tag | None:
        unclosed = self._text.find("<go>", self._read) >= 0
        return Tag(kind="go", problem="never closed") if unclosed else None

    def _cuts(self) -> Iterator[Cut]:
        while found := self.TAG.search(self._text, self._read):
            self._read = found.end()
            stops = found["body"] is None
            tag = Tag(kind="halt" if stops else "go", body=found["body"] or "")
            yield Cut(offset=found.end(), tag=tag, stops=stops)
            if stops:
                return


@dataclass
class Listener:
    """Hears a pool's messages and knows when all decodes have ended."""

    heard: list[Message] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, message: Message) -> None:
        self.heard.append(message)
        self.changed.set()

    def segments(self, key: Key | None = None) -> list[SegmentDone]:
        return [m for m in self.heard if isinstance(m, SegmentDone) and key in (None, m.key)]

    def text(self, key: Key) -> str:
        return "".join(m.text for m in self.heard if isinstance(m, TextPiece) and m.key == key)

    def ends(self) -> dict[Key, SegmentDone]:
        """The last SegmentDone of each decode; two for one decode are an error."""
        ends = [m for m in self.segments() if not m.decoded.open]
        assert len({m.key for m in ends}) == len(ends), "a decode ended twice"
        return {m.key: m for m in ends}

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(150):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def all_end(self, requests: list[DecodeRequest]) -> dict[Key, SegmentDone]:
        await self.until(lambda: len(self.ends()) == len(requests))
        return self.ends()


def usage_of(chunk: Chunk) -> Usage:
    """The engine's counts, on a chunk that must have them."""
    assert chunk.usage is not None
    return chunk.usage


def fault_in(decoded: Decoded) -> Fault:
    assert decoded.fault is not None
    return decoded.fault


def tag_in(decoded: Decoded) -> Tag:
    assert decoded.tag is not None
    return decoded.tag


RequestFor = Callable[..., DecodeRequest]


def make_request(
    branch: str = "0",
    *,
    prompt: str = "hello",
    segment: int = 0,
    max_tokens: int | None = 512,
    **rest: object,
) -> DecodeRequest:
    own = {name: rest.pop(name) for name in ("priority", "affinity", "submitted", "model") if name in rest}
    return DecodeRequest(
        key=Key(job=JobId("job"), branch=BranchId(branch), segment=segment),
        context=Context((("user", prompt),)),
        decoding=Decoding(max_tokens=max_tokens, **rest),  # type: ignore[arg-type]
        seed=0,
        **own,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def request_for() -> RequestFor:
    """Makes a request; keywords that it does not know itself go into its `Decoding`."""
    return make_request


@pytest.fixture
def tiny_parser() -> type[TinyParser]:
    return TinyParser


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vllm_engine() -> AsyncIterator[VllmEngine]:
    """The one real engine of the session: SmolLM2 with 1 GiB of keys and values. It lives on the session's event loop,
    so its tests are marked `asyncio(loop_scope="session")`."""
    engine = VllmEngine(VllmSettings(model="smollm2-135m", max_model_len=2048, kv_cache_gib=1))
    yield engine
    await engine.close()


@pytest.fixture(scope="session")
def reciting_upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of the one real vLLM server of the session; see `reciting_model` for what it says."""
    from tests.workers.reciting_model import write_reciting_model

    folder = tmp_path_factory.mktemp("reciting")
    write_reciting_model(folder, max_model_len=512)
    with vllm_server(folder, "reciting") as url:
        yield f"{url}/v1"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tagged_engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VllmEngine]:
    """vLLM with a checkpoint that knows the published tags, the other real engine of the session."""
    from tests.workers.tagged_model import write_tagged_model

    folder = tmp_path_factory.mktemp("tagged")
    write_tagged_model(folder)
    engine = VllmEngine(
        VllmSettings(model=str(folder), kv_cache_gib=0.25, dtype="float32", extra={"max_num_seqs": 16})
    )
    yield engine
    await engine.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    with serving(upstream):
        yield upstream


Connect = Callable[..., OpenAIEngine]


@pytest.fixture
async def connect(upstream: Upstream) -> AsyncIterator[Connect]:
    """Makes an engine when the test has said what the upstream does."""
    engines: list[OpenAIEngine] = []

    def make(**settings: Any) -> OpenAIEngine:
        engines.append(OpenAIEngine(OpenAISettings(base_url=upstream.url, **settings)))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.close()
