"""Traces of ended jobs: the store always gets them, whatever the collector does."""

import asyncio
import http.server
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.service.organizer.conftest import House
from tests.service.store.scenes import answered, finished, started

from anabranch.dag.ids import TRUNK, JobId
from anabranch.service.organizer.traces import TOGETHER, Traces
from anabranch.service.store.errors import StoreAway
from anabranch.service.telemetry import sending
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest


class Collector(http.server.ThreadingHTTPServer):
    """Takes spans by OTLP; answers when its gate is open."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self.spans: set[str] = set()


class _Receiver(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.set()
        self.server.gate.wait()
        told = ExportTraceServiceRequest.FromString(body)
        self.server.spans |= {
            span.span_id.hex()
            for resource in told.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as listening:
        serving = threading.Thread(target=listening.serve_forever, daemon=True)
        serving.start()
        endpoint = f"http://127.0.0.1:{listening.server_address[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
        yield listening
        listening.gate.set()
        listening.shutdown()
        serving.join()


async def ended_jobs(house: House, count: int) -> list[JobId]:
    """Jobs whose journals have ended, and of which no trace is kept."""
    jobs = [await house.submit("sequential") for _ in range(count)]
    for claim in await house.store.queue.claim("test", 60, count):
        await house.store.journal.append(
            claim.job, claim.epoch, [started(TRUNK), finished(TRUNK), *answered()]
        )
    return jobs


async def kept(house: House, jobs: Sequence[JobId]) -> set[str]:
    """The ids of their spans. Each has some."""
    spans = [await house.store.spans.read(job) for job in jobs]
    assert all(spans)
    return {span.span_id for of_job in spans for span in of_job}


async def test_a_collector_that_says_nothing_holds_up_neither_the_stores_copies_nor_the_end(
    house: House, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "LAST_SECONDS", 0.01)
    collector.gate.clear()
    jobs = await ended_jobs(house, TOGETHER + 2)
    traces = Traces(house.store, "scripted")
    async with asyncio.timeout(60):
        for job in jobs:
            traces.add(job)
            await traces.keep_ended()
        assert await asyncio.to_thread(collector.asked.wait, 30)
        await kept(house, jobs)
        await traces.close()
    [told] = [each.getMessage() for each in caplog.records if "not sent" in each.getMessage()]
    assert told.startswith(f"{len(jobs)} traces")
    assert collector.spans == set()


async def test_an_organizer_ends_while_the_collector_says_nothing(house: House, collector: Collector) -> None:
    def answers(_request: DecodeRequest) -> Line:
        return Line(text="it is 42")

    collector.gate.clear()
    async with asyncio.timeout(60):
        async with house.organizer(answers):
            jobs = [await house.submit("sequential") for _ in range(3)]
            for job in jobs:
                await house.ended(job)
        await kept(house, jobs)


async def test_what_waits_for_the_collector_is_bounded_and_what_is_dropped_is_counted(
    house: House, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "MOST_WAITING", 1)
    monkeypatch.setattr(sending, "LAST_SECONDS", 60)
    collector.gate.clear()
    first, *rest = await ended_jobs(house, 4)
    traces = Traces(house.store, "scripted")
    await traces.keep([first, *rest])
    collector.gate.set()
    await traces.close()
    assert collector.spans == await kept(house, [first])
    assert "3 traces were not sent" in caplog.text
    await kept(house, rest)


async def test_a_collector_that_is_there_gets_all_spans(
    house: House, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "LAST_SECONDS", 60)
    jobs = await ended_jobs(house, 2 * TOGETHER + 1)
    traces = Traces(house.store, "scripted")
    for job in jobs:
        traces.add(job)
    await traces.keep_ended()
    await traces.close()
    assert collector.spans == await kept(house, jobs)
    assert "not sent" not in caplog.text


async def test_traces_wait_for_a_store_that_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_drawn: Any) -> None:
        raise StoreAway(OSError("no route"))

    jobs = await ended_jobs(house, 2)
    traces = Traces(house.store, "scripted")
    for job in jobs:
        traces.add(job)
    with monkeypatch.context() as outage:
        outage.setattr(house.store.spans, "save", away)
        with pytest.raises(StoreAway):
            await traces.keep_ended()
    await traces.keep_ended()
    await kept(house, jobs)
