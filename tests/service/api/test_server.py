"""The socket that REST is served on."""

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, JobId
from anabranch.service import app
from anabranch.service.api import server
from anabranch.service.api.batches.runner import BatchRunner
from anabranch.service.api.live.feed import Feed
from anabranch.service.api.live.follower import Follower
from anabranch.service.api.server import CannotListen, bind, serve_api
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.workers.cluster import environment

MODEL, QUESTION = "anabranch/plan", "What is six times seven?"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_accepted_connections_send_small_answers_at_once(host: str) -> None:
    """asyncio turns Nagle's algorithm off where it knows that a socket is TCP."""
    accepted: asyncio.Queue[socket.socket] = asyncio.Queue()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait(writer.get_extra_info("socket"))
        writer.close()

    with bind((host, 0)) as bound:
        async with await asyncio.start_server(serve, sock=bound):
            _, writer = await asyncio.open_connection(*bound.getsockname()[:2])
            server_side = await accepted.get()
            assert server_side.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when somebody waits for a job."""
    event, follow = threading.Event(), Feed.follow

    def follow_and_tell(self: Feed, *asked: Any, **more: Any) -> Follower:
        event.set()
        return follow(self, *asked, **more)

    monkeypatch.setattr(Feed, "follow", follow_and_tell)
    return event


@pytest.fixture
def settings(tmp_path: Path, empty_database: Path) -> Settings:
    shutil.copy(empty_database, tmp_path)
    return Settings(state=tmp_path, stop_seconds=0)


def test_a_wait_ends_with_the_job_as_it_is_when_the_service_stops(
    settings: Settings, followed: threading.Event
) -> None:
    with ThreadPoolExecutor() as apart:
        with serve_api(settings) as url:
            job = httpx.post(f"{url}/v1/jobs", json={"question": QUESTION}).json()["id"]
            waiting = apart.submit(httpx.get, f"{url}/v1/jobs/{job}", params={"wait": 60}, timeout=60)
            assert followed.wait(30)
        told = waiting.result()
    assert (told.status_code, told.json()["status"]) == (200, "queued")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}),
        ("responses", {"model": MODEL, "input": QUESTION}),
    ],
    ids=["a completion", "a response"],
)
def test_who_waits_for_an_answer_when_the_service_stops_is_told_of_the_job(
    path: str, asked: dict[str, Any], settings: Settings, followed: threading.Event
) -> None:
    with ThreadPoolExecutor() as apart:
        with serve_api(settings) as url:
            waiting = apart.submit(httpx.post, f"{url}/v1/{path}", json=asked, timeout=60)
            assert followed.wait(30)
            (job,) = httpx.get(f"{url}/v1/jobs").json()["items"]
        told = waiting.result()
    assert (told.status_code, told.json()["error"]["code"]) == (503, "stopping")
    assert job["id"] in told.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "asked", "last"),
    [
        ("GET", "jobs/{job}/events", None, "event: JobSubmitted"),
        ("GET", "stream", None, "event: "),
        ("GET", "chat/completions/{job}?stream=true", None, '"code": "stopping"'),
        ("POST", "responses", {"model": MODEL, "input": QUESTION, "stream": True}, '"code": "stopping"'),
    ],
    ids=["events", "a page", "a completion", "a response"],
)
def test_a_stream_comes_to_its_end_when_the_service_stops(
    method: str, path: str, asked: dict[str, Any] | None, last: str, settings: Settings
) -> None:
    """Cut in the midst it would look like a fault; a completion that merely ended, like a whole one."""
    with ThreadPoolExecutor() as apart, ExitStack() as serving:
        url = serving.enter_context(serve_api(settings))
        job = httpx.post(f"{url}/v1/jobs", json={"question": QUESTION}).json()["id"]
        with httpx.stream(method, f"{url}/v1/{path.format(job=job)}", json=asked, timeout=60) as response:
            told = response.iter_text()
            first = next(told)
            stopping = apart.submit(serving.close)
            assert last in first + "".join(told)
        stopping.result()


def test_what_is_being_answered_goes_on_for_a_while_when_the_service_stops(
    settings: Settings, followed: threading.Event
) -> None:
    patient = settings.model_copy(update={"stop_seconds": 60})
    with ThreadPoolExecutor() as apart, ExitStack() as serving:
        url = serving.enter_context(serve_api(patient))
        job = httpx.post(f"{url}/v1/jobs", json={"question": QUESTION}).json()["id"]
        reading = apart.submit(httpx.get, f"{url}/v1/jobs/{job}/events", timeout=60)
        assert followed.wait(30)
        stopping = apart.submit(serving.close)
        while accepts(url):
            pass
        asyncio.run(cancel(settings, JobId(job)))
        assert "event: JobCancelled" in reading.result().text
        stopping.result()


def accepts(url: str) -> bool:
    """Whether a connection is answered. One that comes while the listener closes is refused or reset."""
    try:
        httpx.get(f"{url}/healthz")
    except httpx.TransportError:
        return False
    return True


async def cancel(settings: Settings, job: JobId) -> None:
    async with Store(settings.database) as store:
        (claim,) = await store.queue.claim("organizer-1", 60, 1)
        ended = (
            e.BranchCancelled(branch=TRUNK, reason="asked", by=e.CancelledBy.CLIENT),
            e.JobCancelled(reason="asked"),
        )
        await store.journal.append(job, claim.epoch, [e.JobClaimed(owner="organizer-1", attempt=1), *ended])


def test_a_work_beside_answering_that_breaks_is_told_and_begun_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It breaks once more as it is stopped, and is not begun again for that."""
    begun: list[int] = []
    again = threading.Event()

    async def breaks(_runner: BatchRunner) -> None:
        begun.append(len(begun))
        try:
            if len(begun) > 1:
                again.set()
                await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError

    monkeypatch.setattr(server, "BEGIN_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(BatchRunner, "run", breaks)
    with serve_api(settings):
        assert again.wait(30)
    assert begun == [0, 1]
    assert caplog.text.count("work beside answering broke (batches)") == 2


def test_a_port_that_is_taken_is_noticed_before_ray_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def started() -> Iterator[None]:
        pytest.fail("Ray was started")
        yield

    monkeypatch.setattr(environment, "local_ray", started)
    with bind(("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port} .*--port"),
            app.run_service(settings.model_copy(update={"port": port})),
        ):
            pass
