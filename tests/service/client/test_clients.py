"""Both clients against a real service: what they are told, and what they hold on to while the line breaks."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.scripted_service import serve_scripted
from tests.service.client.conftest import KINDS, Asked

from anabranch.client import AsyncClient, BadInput, BadJson, Client, Conflict, NotFound, ServiceAway, Text
from anabranch.dag.status import JobStatus
from anabranch.service.settings import Settings
from anabranch.workers.engines.script import script_of
from anabranch.workers.engines.scripted import ScriptedEngine

VOTE: Any = {"name": "self-consistency", "params": {"n": 3}}


async def test_a_job_from_its_question_to_its_answer(asked: Asked) -> None:
    job = await asked("submit", "What is six times seven?", policy=VOTE, metadata={"from": "a test"})
    assert (job.status, job.policy.params["n"], job.metadata) == (JobStatus.QUEUED, 3, {"from": "a test"})
    ended = await asked("wait", job.id)
    assert ended.ended
    assert ended.answer.text
    assert ended == await asked("get", job.id)
    assert ended.as_json()["id"] == job.id
    assert (await asked("audit", job.id)).ok


async def test_its_events_are_followed_and_read(asked: Asked) -> None:
    job = await asked("submit", "What is six times seven?", policy=VOTE)
    followed = await asked.all("follow", job.id)
    assert [event.seq for event in followed] == list(range(1, len(followed) + 1))
    assert [event.last for event in followed] == [False] * (len(followed) - 1) + [True]
    assert followed == await asked.all("events", job.id)
    assert followed[4:] == await asked.all("follow", job.id, after=4)
    assert await asked.all("follow", job.id, after=len(followed)) == []


def told(items: list[Any]) -> dict[str, str]:
    """The text of each branch, put together from its pieces."""
    texts: dict[str, str] = {}
    for piece in (item for item in items if isinstance(item, Text)):
        assert piece.at == len(texts.get(piece.branch, ""))
        texts[piece.branch] = texts.get(piece.branch, "") + piece.text
    return texts


async def test_its_text_is_read_as_it_is_decoded(asked: Asked) -> None:
    job = await asked("submit", "What is six times seven?", policy=VOTE)
    texts = told(await asked.all("follow", job.id, text="all"))
    assert texts == {name: (await asked("branch", job.id, name)).text for name in ("0.1", "0.2", "0.3")}
    alone = await asked("submit", "What is six times seven?", policy="sequential")
    pieces = await asked.all("text", alone.id)
    assert {piece.final for piece in pieces} == {True}
    assert told(pieces) == {"0": (await asked("branch", alone.id, "0")).text}


async def test_its_graph_is_a_graph(asked: Asked) -> None:
    job = await asked("submit", "What is six times seven?", policy=VOTE)
    await asked("wait", job.id)
    graph = (await asked("graph", job.id)).as_networkx()
    assert {"start", "0.1/1", "0.2/1", "0.3/1", "answer"} <= set(graph)
    assert graph.nodes["0.1/1"]["tokens"] > 0
    assert graph.edges["start", "0.1/1"]["kind"] == "fork"
    branch = await asked("branch", job.id, "0.1")
    assert branch.output in branch.text
    assert branch.context.messages[-1]["content"]


async def test_it_is_exported_edited_and_listed(asked: Asked) -> None:
    job = await asked("submit", "What is it, listed once?", policy=VOTE)
    await asked("wait", job.id)
    exported = "".join(await asked.all("export", job.id, "jsonl"))
    assert len(exported.splitlines()) >= (await asked("get", job.id)).head_seq
    edited = await asked("replay", job.id, branch="0.1", output="\\boxed{7}")
    assert edited.lineage.branch == "0.1"
    await asked("wait", edited.id)
    listed = await asked.all("list", q="listed once", limit=2)
    assert [one.id for one in listed] == [edited.id, job.id]
    assert "sequential" in {policy.name for policy in await asked("policies")}


async def test_a_person_decides(asked: Asked) -> None:
    job = await asked("submit", "What is six times seven?", policy="sequential", approvals=["answer"])
    while not (waiting := [one for one in await asked("approvals") if one.job == job.id]):
        await asyncio.sleep(0.02)
    decided = await asked("decide", waiting[0].id, "edit", edit="42", reason="It is.")
    assert (decided.decision, decided.edit) == ("edit", "42")
    with pytest.raises(Conflict):
        await asked("decide", waiting[0].id, "reject")
    assert (await asked("wait", job.id)).answer.text == "42"
    assert waiting[0].id in {one.id for one in await asked("approvals", status="decided")}


async def test_a_job_is_cancelled_once_and_again(asked: Asked) -> None:
    job = await asked("submit", "What?", policy="sequential", approvals=["answer"])
    await asked("cancel", job.id)
    assert (await asked("wait", job.id)).status is JobStatus.CANCELLED
    assert (await asked("cancel", job.id)).status is JobStatus.CANCELLED


async def test_what_is_wrong_is_told_with_its_place(asked: Asked) -> None:
    with pytest.raises(BadInput) as told:
        await asked("submit", "What?", policy="no-such-policy")
    assert [fault.path for fault in told.value.problem.errors] == ["policy.name"]
    with pytest.raises(NotFound):
        await asked("get", "01900000-0000-7000-8000-000000000001")
    with pytest.raises(BadJson):
        await asked("submit", "What?", metadata={"nan": float("nan")})


async def test_a_key_makes_one_job(asked: Asked) -> None:
    key = f"{type(asked.client).__name__}-{time.monotonic_ns()}"
    first = await asked("submit", "What?", idempotency_key=key)
    assert (await asked("submit", "What?", idempotency_key=key)).id == first.id
    with pytest.raises(Conflict):
        await asked("submit", "What else?", idempotency_key=key)


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_is_there(kind: Any) -> None:
    asked = Asked(kind("http://127.0.0.1:9"))
    assert not await asked("ready")
    with pytest.raises(ServiceAway, match="start one with `anabranch up`"):
        await asked("submit", "What?")
    with pytest.raises(ServiceAway):
        await asked.all("follow", "01900000-0000-7000-8000-000000000001")
    await asked("close")


async def test_they_close_behind_themselves(url: str) -> None:
    async with AsyncClient(url) as client:
        assert await client.ready()
        async for _ in client.follow((await client.submit("What?")).id):
            break
    with Client(url) as blocking:
        assert await asyncio.to_thread(blocking.ready)


@asynccontextmanager
async def cutting(url: str, chance: random.Random) -> AsyncIterator[str]:
    """A line to the service that breaks after a few bytes of each reply, or more, or not at all."""
    host, port = url.removeprefix("http://").split(":")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(host, int(port))

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: int) -> None:
            while most > 0 and (piece := await source.read(min(most, 700))):
                sink.write(piece)
                await sink.drain()
                most -= len(piece)
            writer.close()
            up_writer.close()

        most = chance.choice([40, 300, 900, 2_000, 5_000, 1_000_000])
        carried.append(asyncio.current_task())
        await asyncio.gather(
            pump(reader, up_writer, 1_000_000), pump(up_reader, writer, most), return_exceptions=True
        )

    carried: list[Any] = []
    async with await asyncio.start_server(carry, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        await asyncio.gather(*carried)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
async def test_a_line_that_breaks_loses_and_repeats_nothing(
    kind: Any, seed: int, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anabranch.service.client.tries.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("anabranch.service.client.tries.LONGEST_PAUSE", 0.01)
    question = f"What, over a line that breaks ({kind.__name__} {seed})?"
    async with cutting(url, random.Random(seed)) as broken:
        asked = Asked(kind(broken))
        while not await asked("ready"):
            pass
        job = await asked("submit", question, policy={"name": "self-consistency", "params": {"n": 8}})
        events = await asked.all("follow", job.id)
        assert [event.seq for event in events] == list(range(1, events[-1].seq + 1))
        assert events[-1].last
        items = await asked.all("follow", job.id, text="all")
        assert [item.seq for item in items if not isinstance(item, Text)] == [event.seq for event in events]
        assert len(told(items)) == 8
        assert (await asked("wait", job.id)).answer.text
        assert [one.id for one in await asked.all("list", q=question)] == [job.id]
        await asked("close")


SLOW = {"rules": [{"text": "so it goes " * 40}]}


async def test_a_service_that_starts_again_is_followed_on(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anabranch.service.client.tries.LONGEST_PAUSE", 0.1)
    settings = Settings(state=tmp_path, port=0)

    def serve(port: int) -> Any:
        chosen = settings.model_copy(update={"port": port})
        return serve_scripted(chosen, lambda: ScriptedEngine(script_of(SLOW), tokens_per_second=20))

    first = serve(0)
    url = await asyncio.to_thread(first.__enter__)
    both = [Asked(kind(url)) for kind in KINDS]
    job = await both[0]("submit", "How does it go?", policy="sequential")
    following = asyncio.gather(*(asked.all("follow", job.id) for asked in both))
    waiting = asyncio.gather(*(asked("wait", job.id) for asked in both))
    while "SegmentStarted" not in [event.kind for event in await both[1].all("events", job.id)]:
        await asyncio.sleep(0.05)
    await asyncio.to_thread(first.__exit__, None, None, None)
    again = serve(int(url.rpartition(":")[2]))
    await asyncio.to_thread(again.__enter__)
    for events in await following:
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert events[-1].kind == "JobSucceeded"
        assert len([event for event in events if event.kind == "JobClaimed"]) == 2
    for ended in await waiting:
        assert ended.answer.text.startswith("so it goes")
    for asked in both:
        await asked("close")
    await asyncio.to_thread(again.__exit__, None, None, None)


HEAVY = (
    "ray",
    "vllm",
    "torch",
    "sqlalchemy",
    "alembic",
    "fastapi",
    "starlette",
    "networkx",
    "typer",
    "math_verify",
)


def test_it_is_light() -> None:
    """A program that asks a service loads none of what the service is made of."""
    asking = f"import sys, anabranch.client; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
