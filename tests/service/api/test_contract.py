"""Whatever is sent, in whatever order, the answer is one that the OpenAPI document tells of, and never a fault of the
service; what is refused leaves nothing written."""

import asyncio
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance
from sqlalchemy import Connection, func, select
from tests.databases import BOTH, Databases
from tests.service.api.conftest import Organizer, answer, decode, fork, join

from anabranch.dag.ids import BranchId, JobId
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.api.server import serve_api
from anabranch.service.link.server import LinkServer
from anabranch.service.settings import Settings
from anabranch.service.store.batches.tables import batches, files
from anabranch.service.store.jobs.organizers import Presence
from anabranch.service.store.sql.database import Database
from anabranch.service.store.sql.tables import approvals, jobs, responses
from anabranch.service.store.store import Store
from anabranch.workers.pool.protocol import PoolLoad

STREAMS = ["/v1/stream"]
"""Answers without an end: only their beginning is looked at."""

# Some rules stand between fields, where a schema cannot tell them.
UNTOLD = [positive_data_acceptance]
EXAMPLES = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
WALKS = settings(EXAMPLES, max_examples=4, stateful_step_count=8)
JOBS, CHAT, RESPONSES = "/v1/jobs", "/v1/chat/completions", "/v1/responses"
MODEL, QUESTION = "anabranch/self-consistency", "What is six times seven?"
GOOD: dict[str, dict[str, Any]] = {
    JOBS: {"question": QUESTION},
    f"{JOBS}/{{job}}/replay": {"branch": "0.1", "output": "43"},
    CHAT: {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]},
    RESPONSES: {"model": MODEL, "input": QUESTION},
}
"""By path: what a walk sends, so that it gets somewhere; whatever else may be sent is tried one by one."""
ANSWERED = (
    *fork("0.1", "0.2"),
    *decode("0.1"),
    *decode("0.2"),
    *join("0.1", "0.2"),
    *answer("42", "0.1", "0.2"),
)
LINKED = {**dict.fromkeys(("job", "completion", "response"), "$response.body#/id"), "branch": "0.1"}
COUNTED = select(
    select(func.count()).select_from(jobs).scalar_subquery(),
    select(func.count(jobs.c.cancel_requested)).scalar_subquery(),
    select(func.count()).select_from(responses).scalar_subquery(),
    select(func.count(approvals.c.decision)).scalar_subquery(),
    select(func.count()).select_from(files).scalar_subquery(),
    select(func.count()).select_from(batches).scalar_subquery(),
)
"""All that a request writes."""


@schemathesis.serializer("application/jsonl")
def write_lines(_context: Any, lines: Any) -> bytes:
    return str(lines).encode(errors="surrogatepass")


class Idle:
    """Both ends of a link on which nothing happens; its pool has one replica."""

    def nudge(self, job: JobId | None = None) -> None:
        pass

    def load(self) -> PoolLoad:
        return PoolLoad(replicas=1, decoding=0, capacity=32)

    def count(self) -> int:
        return 1

    async def hear_load(self) -> PoolLoad | None:
        return self.load()

    def followed(self, job: JobId) -> None:
        pass

    def open_branches(self, job: JobId) -> Sequence[BranchId]:
        return ()

    def open_text(self, job: JobId, branch: BranchId) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Served:
    """The service under test."""

    url: str
    count: Callable[[], tuple[int, ...]]
    """Counts what requests have written."""

    def call(self, case: Any, key: str = "") -> Any:
        """Sends the case, its Idempotency-Key behind this one; checks that nothing is written if it is refused."""
        if case.query:
            case.query.pop("wait", None)
        if isinstance(own := case.headers.get("idempotency-key"), str):
            case.headers["idempotency-key"] = key + own
        before = self.count()
        response = case.call(base_url=self.url, timeout=20)
        if 400 <= response.status_code < 500:
            assert self.count() == before, f"refused with {response.status_code}, and something was written"
        return response

    def await_end(self, response: Any) -> None:
        """Waits for the end of the job that a request made."""
        made = response.headers.get("location") or response.headers.get("x-anabranch-job", [None])
        if response.status_code < 300 and made[0]:
            job = made[0].removeprefix(f"{JOBS}/")
            ended = httpx.get(f"{self.url}{JOBS}/{job}", params={"wait": 20}, timeout=30).json()
            assert ended["finished_at"] is not None


def count_written(connection: Connection) -> tuple[int, ...]:
    return tuple(connection.execute(COUNTED).one())


def described(folder: Path) -> Any:
    """The OpenAPI document; nothing is opened for it."""
    chosen = Settings(state=folder)
    store = Store(chosen.database)
    deps = Dependencies(settings=chosen, store=store, feed=Feed(store.journal), organizers=Idle())
    return create_app(deps).openapi()


def linked(document: Any) -> Any:
    """The document with links from what a POST made to all that can be asked for it."""
    for made_at, status in ((JOBS, "202"), (CHAT, "200"), (RESPONSES, "200")):
        document["paths"][made_at]["post"]["responses"][status]["links"] = {
            operation["operationId"]: {
                "operationId": operation["operationId"],
                "parameters": {name: LINKED[name] for name in re.findall(r"{(\w+)}", path)},
            }
            for path, operations in document["paths"].items()
            if path.startswith(made_at + "/")
            for operation in operations.values()
        }
    return document


SCHEMA = schemathesis.openapi.from_dict(linked(described(Path("nowhere"))))
SCHEMA.config.phases.stateful.inference.algorithms = []


@contextmanager
def answering(url: str) -> Iterator[Callable[[], tuple[int, ...]]]:
    """Answers every job that comes in, from a thread of its own; gives what counts the rows of requests."""
    stopped = threading.Event()
    loop = asyncio.new_event_loop()
    database = Database(url)

    async def answer_all() -> None:
        async with Store(url) as store:
            organizer = Organizer(store)
            link = LinkServer(Idle())
            port = await link.open("127.0.0.1", 0)
            await store.queue.heartbeat("organizer-1", 600, Presence(address=f"ws://127.0.0.1:{port}/link"))
            while not stopped.is_set():
                for row in (await store.jobs.list_page(status="queued")).items:
                    await organizer.append(row.id, *ANSWERED)
                    link.reached(row.id, (await store.jobs.get(row.id)).head_seq, over=True)
                await asyncio.sleep(0.02)
            await link.close()
        await database.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(answer_all()), name="organizer")
    thread.start()
    try:
        yield lambda: asyncio.run_coroutine_threadsafe(database.read(count_written), loop).result()
    finally:
        stopped.set()
        thread.join()
        loop.close()


@pytest.fixture(scope="module", params=BOTH)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("state")
    databases = Databases(folder)
    chosen = Settings(state=folder, database=databases.new(request.param), max_request_bytes=4_000_000)
    with answering(chosen.database) as count, serve_api(chosen) as address:
        yield Served(address, count)
    databases.close()


@SCHEMA.exclude(path=STREAMS).parametrize()
@EXAMPLES
def test_every_answer_is_documented(case: Any, served: Served) -> None:
    case.validate_response(served.call(case), excluded_checks=UNTOLD)


@pytest.mark.parametrize("made_at", [JOBS, CHAT, RESPONSES])
def test_what_one_request_made_the_next_may_use(made_at: str, served: Served) -> None:
    # Hypothesis walks a way again, and goes on from there: so no walk meets another's keys, and none outruns the
    # organizer.
    class Walk(SCHEMA.include(path_regex=f"^{made_at}(/|$)").as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            self.key = secrets.token_hex(8)
            self.earlier: dict[str, Any] = {}

        def call(self, case: Any, **_: Any) -> Any:
            if case.path in GOOD and case.meta.generation.mode.is_positive:
                case.body = GOOD[case.path] | self.earlier
            response = served.call(case, self.key)
            served.await_end(response)
            if case.path == RESPONSES and response.status_code == 200:
                self.earlier = {"previous_response_id": response.json()["id"]}
            return response

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, excluded_checks=UNTOLD, recorder=self.recorder)

    Walk.run(settings=WALKS)


@SCHEMA.include(path=STREAMS).parametrize()
@EXAMPLES
def test_no_stream_begins_with_a_fault(case: Any, served: Served) -> None:
    sent = case.as_transport_kwargs(base_url=served.url)
    asked = {name: sent[name] for name in ("method", "url", "headers", "params") if sent.get(name)}
    with httpx.stream(**asked, timeout=20) as response:
        assert response.status_code < 500
