"""Following jobs: on a real socket, across broken connections and servers that come and go."""

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId, JobId
from anabranch.service.api.server import CannotListen, serve_api
from anabranch.service.settings import Settings
from anabranch.service.store.errors import SchemaBehind
from anabranch.service.store.sql.tables import events
from anabranch.service.store.store import Store

Event = dict[str, Any]


@pytest.fixture
async def address(settings: Settings, store: Store) -> AsyncIterator[str]:
    """A server in a thread of its own, over the store that the test writes to."""
    server = serve_api(settings)
    url = await asyncio.to_thread(server.__enter__)
    yield url
    await asyncio.to_thread(server.__exit__, None, None, None)


@pytest.fixture
async def browser(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, timeout=30) as opened:
        yield opened


@pytest.fixture
async def job(browser: httpx.AsyncClient) -> str:
    response = await browser.post("/v1/jobs", json={"question": "What is six times seven?"})
    return str(response.json()["id"])


async def frames(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """Server-Sent Events as the specification parses them."""
    frame: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line and frame:
            yield frame
            frame = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            assert name not in frame, "one line per field"
            frame[name] = value


@asynccontextmanager
async def following(
    browser: httpx.AsyncClient, path: str, last: str | None = None
) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last is not None else {})
    async with browser.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield frames(response)


async def seqs(browser: httpx.AsyncClient, job: str, last: str | None = None) -> list[int]:
    async with following(browser, f"/v1/jobs/{job}/events", last) as stream:
        return [int(frame["id"]) async for frame in stream]


async def test_a_stream_gives_every_event_and_ends_with_the_job(
    browser: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    await organizer.answer(job)
    async with following(browser, f"/v1/jobs/{job}/events") as stream:
        got = [frame async for frame in stream]
    assert [int(frame["id"]) for frame in got] == list(range(1, len(got) + 1))
    assert (got[0]["event"], got[-1]["event"]) == ("JobSubmitted", "JobSucceeded")
    first = json.loads(got[0]["data"])
    assert set(first) == {"job", "seq", "epoch", "at", "kind", "branch", "payload"}
    assert (first["job"], first["seq"], first["kind"], first["branch"]) == (job, 1, "JobSubmitted", "0")


async def test_events_come_while_the_job_runs(browser: httpx.AsyncClient, organizer: Any, job: str) -> None:
    async with following(browser, f"/v1/jobs/{job}/events") as stream:
        assert (await anext(stream))["event"] == "JobSubmitted"
        await organizer.append(job, e.BranchForked(child=BranchId("0.1"), role="sample"))
        assert (await anext(stream))["event"] == "JobClaimed"
        assert (await anext(stream))["event"] == "BranchForked"


async def test_who_asks_for_what_is_far_ahead_leaves_others_their_events(
    browser: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    async with (
        following(browser, f"/v1/jobs/{job}/events?after=2000000000") as ahead,
        following(browser, f"/v1/jobs/{job}/events") as stream,
    ):
        assert (await anext(stream))["event"] == "JobSubmitted"
        for child in (1, 2):
            await organizer.append(job, e.BranchForked(child=BranchId(f"0.{child}"), role="sample"))
        async with asyncio.timeout(10):
            assert [(await anext(stream))["id"] for _ in range(3)] == ["2", "3", "4"]
            assert (await anext(ahead))["id"] == "2", "the next one there is"


@pytest.mark.parametrize("seen", range(1, 15))
async def test_a_stream_resumes_behind_any_event(
    seen: int, browser: httpx.AsyncClient, organizer: Any, job: str, store: Store
) -> None:
    await organizer.answer(job)
    head = (await store.jobs.get(JobId(job))).head_seq
    assert head > 14
    assert await seqs(browser, job, str(seen)) == list(range(seen + 1, head + 1))


async def test_broken_streams_resume_without_gap_or_repeat_while_events_come(
    browser: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    chance = random.Random(7)

    async def write() -> None:
        for child in range(1, 120):
            await organizer.append(job, e.BranchForked(child=BranchId(f"0.{child}"), role="sample"))
        cancelled = [
            e.BranchCancelled(branch=BranchId(f"0.{child}"), reason="enough") for child in range(1, 120)
        ]
        over = e.JobCancelled(reason="enough")
        await organizer.append(job, *cancelled, e.BranchCancelled(reason="enough"), over)

    async def read() -> list[int]:
        got: list[int] = []
        while True:
            last = str(got[-1]) if got else None
            async with following(browser, f"/v1/jobs/{job}/events", last) as stream:
                for _ in range(chance.randint(1, 40)):
                    frame = await anext(stream)
                    got.append(int(frame["id"]))
                    if frame["event"] == "JobCancelled":
                        return got

    writing = asyncio.create_task(write())
    readings = await asyncio.gather(read(), read(), read())
    await writing
    for got in readings:
        assert got == list(range(1, len(got) + 1))


async def test_a_stream_resumes_on_another_server(
    settings: Settings, browser: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    async with following(browser, f"/v1/jobs/{job}/events") as stream:
        last = (await anext(stream))["id"]
    await organizer.answer(job)
    second = serve_api(settings)
    url = await asyncio.to_thread(second.__enter__)
    async with httpx.AsyncClient(base_url=url) as other:
        got = await seqs(other, job, last)
    await asyncio.to_thread(second.__exit__, None, None, None)
    assert got[0] == int(last) + 1
    assert got == list(range(got[0], got[-1] + 1))


async def test_when_all_was_seen_nothing_follows(
    browser: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    await organizer.answer(job)
    last = (await seqs(browser, job))[-1]
    response = await browser.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(last)})
    assert response.status_code == 204


@pytest.mark.parametrize("last", ["-1", "1.5", "one", "999", "9" * 30, "²", ""])
async def test_a_last_event_id_that_was_never_given_out(
    last: str, browser: httpx.AsyncClient, job: str
) -> None:
    headers = {"Last-Event-ID": last.encode()}
    response = await browser.get(f"/v1/jobs/{job}/events", headers=headers)  # type: ignore[arg-type]
    assert response.status_code == 400
    assert response.json()["type"] == "urn:anabranch:bad-last-event-id"


async def test_pages_of_json(browser: httpx.AsyncClient, organizer: Any, job: str) -> None:
    await organizer.answer(job)
    got: list[int] = []
    after: int | None = 0
    while after is not None:
        query = {"after": after, "limit": 4}
        headers = {"Accept": "application/json"}
        page = (await browser.get(f"/v1/jobs/{job}/events", params=query, headers=headers)).json()
        got += [item["seq"] for item in page["items"]]
        after = page["next_after"]
    assert got == list(range(1, len(got) + 1))
    assert len(got) > 14


async def test_what_looks_like_a_line_end_breaks_no_frame(
    browser: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    odd = "a\nb\r\nc\u2028d\u2029e\x85f\x0bg\x1ch data: i"
    await organizer.answer(job, odd)
    async with following(browser, f"/v1/jobs/{job}/events") as stream:
        answers = [json.loads(frame["data"]) async for frame in stream if frame["event"] == "AnswerCommitted"]
    assert [answer["payload"]["text"] for answer in answers] == [odd]


class TestPageStream:
    """One stream for a whole page."""

    async def test_records_of_several_jobs_come_with_a_cursor_that_resumes_them_all(
        self, browser: httpx.AsyncClient, organizer: Any, job: str
    ) -> None:
        other = (await browser.post("/v1/jobs", json={"question": "And seven times eight?"})).json()["id"]
        seen: dict[str, list[int]] = {job: [], other: []}
        last = None
        writing = asyncio.gather(organizer.answer(job), organizer.answer(other))
        while sum(map(len, seen.values())) < 30:
            async with following(browser, f"/v1/stream?jobs={job}:0,{other}:0", last) as stream:
                left = 4
                async for frame in stream:
                    if frame["event"] == "record":
                        event = json.loads(frame["data"])
                        seen[event["job"]].append(event["seq"])
                        last = frame["id"]
                        left -= 1
                    if not left or sum(map(len, seen.values())) == 30:
                        break
        await writing
        assert seen == {job: list(range(1, 16)), other: list(range(1, 16))}

    async def test_a_job_without_a_place_is_told_from_now_on(
        self, browser: httpx.AsyncClient, organizer: Any, job: str
    ) -> None:
        await organizer.append(job, e.BranchForked(child=BranchId("0.1"), role="sample"))
        async with following(browser, f"/v1/stream?jobs={job}") as stream:
            assert (await anext(stream))["event"] == "load"
            await organizer.append(job, e.BranchForked(child=BranchId("0.2"), role="sample"))
            records = (frame async for frame in stream if frame["event"] == "record")
            assert json.loads((await anext(records))["data"])["payload"]["child"] == "0.2"

    async def test_the_list_tells_every_change(
        self, browser: httpx.AsyncClient, organizer: Any, job: str
    ) -> None:
        async with following(browser, "/v1/stream?list=1") as stream:
            assert (await anext(stream))["event"] == "load"
            await organizer.answer(job)
            summaries = (json.loads(frame["data"]) async for frame in stream if frame["event"] == "job")
            async for summary in summaries:
                assert summary["id"] == job
                if summary["status"] == "succeeded":
                    assert summary["answer"]["text"] == "42"
                    break

    async def test_the_load_is_told_when_it_changes(self, browser: httpx.AsyncClient, job: str) -> None:
        async with following(browser, "/v1/stream") as stream:
            first = json.loads((await anext(stream))["data"])
            assert first == {
                "queued": 1,
                "running": 0,
                "waiting": 0,
                "replicas": 0,
                "decoding": 0,
                "capacity": 0,
                "pools": {},
            }
            await browser.post("/v1/jobs", json={"question": "One more?"})
            assert json.loads((await anext(stream))["data"])["queued"] == 2

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("jobs=nobody", 404),
            ("jobs=:3", 400),
            ("jobs=a:b", 400),
            ("jobs=a:-1", 400),
            ("list=perhaps", 422),
        ],
    )
    async def test_bad_streams(self, query: str, status: int, browser: httpx.AsyncClient) -> None:
        assert (await browser.get(f"/v1/stream?{query}")).status_code == status

    async def test_more_jobs_than_a_page_shows(self, browser: httpx.AsyncClient) -> None:
        jobs = ",".join(map(str, range(33)))
        assert (await browser.get(f"/v1/stream?jobs={jobs}")).status_code == 400


class TestSocket:
    async def test_too_much_is_refused_while_it_is_sent(self, browser: httpx.AsyncClient) -> None:
        response = await browser.post("/v1/jobs", json={"question": "x" * 10_000_000})
        assert response.status_code == 413

    async def test_a_taken_port_is_told_with_what_to_do(self, settings: Settings, store: Store) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = taken.getsockname()[:2]
            with pytest.raises(CannotListen, match="--port"):
                await asyncio.to_thread(serve_api(settings, address=address).__enter__)

    async def test_a_schema_that_is_behind_is_not_served(self, settings: Settings) -> None:
        with pytest.raises(SchemaBehind, match="anabranch db upgrade"):
            await asyncio.to_thread(serve_api(settings).__enter__)


async def test_what_only_a_newer_release_can_read_is_passed_on_as_it_stands_in_the_journal(
    browser: httpx.AsyncClient, job: str, store: Store, organizer: Any
) -> None:
    """An organizer of a newer release works beside this server, on a job that is followed, and so is another's."""
    other = str((await browser.post("/v1/jobs", json={"question": "And seven?"})).json()["id"])
    await organizer.append(other, e.TextPosted(text="here"))
    await organizer.append(job, e.TextPosted(text="here"))
    payload = {"for": "a while"}

    def later(connection: Connection) -> None:
        third = (events.c.job_id == job) & (events.c.seq == 3)
        connection.execute(
            update(events).where(third).values(kind="BranchRested", payload=json.dumps(payload))
        )

    await store.database.write(later)
    async with following(browser, f"/v1/jobs/{job}/events") as told:
        read = [await anext(told) for _ in range(3)]
    assert (read[2]["event"], json.loads(read[2]["data"])["payload"]) == ("BranchRested", payload)
    page = (await browser.get(f"/v1/jobs/{job}/events", headers={"Accept": "application/json"})).json()
    assert [(one["kind"], one["payload"]) for one in page["items"]][2] == ("BranchRested", payload)
    for folded in ("graph", "branches/0", "export?format=jsonl"):
        refused = await browser.get(f"/v1/jobs/{job}/{folded}")
        assert (refused.status_code, refused.json()["type"]) == (501, "urn:anabranch:newer-journal")
    assert (await browser.get(f"/v1/jobs/{job}")).status_code == 200
    await organizer.answer(other)
    assert len(await seqs(browser, other)) > 3
