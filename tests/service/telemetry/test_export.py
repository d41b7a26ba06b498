"""What a real OpenTelemetry collector receives. The collector is Rotel, which prints every span it is sent."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import pytest
from tests.service.store.scenes import answered, claimed, finished, started

from anabranch.dag.ids import TRUNK
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.store import Store
from anabranch.service.telemetry import ids, names, sending
from anabranch.service.telemetry.capture import CONTENT, Capture
from anabranch.service.telemetry.export import Exporter, wanted
from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.service.telemetry.spans import Trace, spans_of

TRACE = "0af7651916cd43dd8448eb211c80319c"


def agent() -> Path:
    try:
        listed = files("rotel") or []
    except PackageNotFoundError:
        pytest.skip("the rotel wheel is not installed")
    return next(Path(str(path.locate())) for path in listed if path.name == "rotel-agent")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Collector:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.log = folder / "rotel.log"
        environment = {
            "PATH": os.environ["PATH"],
            "ROTEL_OTLP_GRPC_ENDPOINT": f"127.0.0.1:{free_port()}",
            "ROTEL_OTLP_HTTP_ENDPOINT": f"127.0.0.1:{self.port}",
        }
        command: list[str | Path] = [
            agent(),
            "start",
            "--exporter",
            "blackhole",
            "--debug-log",
            "traces",
            "--debug-log",
            "logs",
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--debug-log-verbosity", "detailed"],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=folder,
            )

    def await_ready(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail(f"the collector did not start: {self.log.read_text()}")

    def told(self, mark: str) -> str:
        """Its log, once `mark` is in it."""
        deadline = time.monotonic() + 20
        while mark not in (text := self.log.read_text()):
            if time.monotonic() > deadline:
                pytest.fail(f"{mark} never arrived: {text}")
            time.sleep(0.05)
        return text


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    started = Collector(tmp_path)
    try:
        started.await_ready()
        yield started
    finally:
        started.process.terminate()
        started.process.wait(timeout=10)


async def test_a_collector_gets_names_parents_links_and_genai_attributes(
    collector: Collector, voted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    spans = spans_of(voted.records, TraceOrigin(TRACE), "tiny")
    exporter = Exporter()

    assert await exporter.export(spans)
    await exporter.close()

    received = parsed(collector.told(f"ID             : {spans[-1].span_id}"))
    assert {one["ID"] for one in received} == {span.span_id for span in spans}
    for one, span in zip(received, spans, strict=True):
        assert (one["Trace ID"], one["Parent ID"], one["Name"]) == (
            TRACE,
            span.parent_span_id or "",
            span.name,
        )
    by_name = {one["Name"]: one for one in received}
    assert by_name["chat tiny"]["gen_ai.provider.name"] == "Str(scripted)"
    assert by_name["chat tiny"]["gen_ai.usage.output_tokens"] == "Int(30)"
    assert by_name["invoke_agent sample"]["openinference.span.kind"] == "Str(AGENT)"
    assert by_name["join"]["links"] == " ".join(ids.span_id_of(voted.job, f"branch/0.{n}") for n in (1, 2))
    assert "deployment.environment: Str(test)" in collector.log.read_text()
    assert f"ScopeSpans SchemaURL: {names.SCHEMA_URL}" in collector.log.read_text()


async def test_a_collector_gets_events_within_their_spans_and_with_structured_messages(
    collector: Collector, voted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
    trace = Trace(voted.job, "tiny", Capture(on_events=True, events=True))
    for record in voted.records:
        trace.add(record)
    events = trace.events(TraceOrigin(TRACE))
    exporter = Exporter()

    assert await exporter.export_events(events)
    await exporter.close()

    log = collector.told(f"Span ID        : {events[-1].span_id}")
    assert log.count("EventName: gen_ai.client.inference.operation.details") == len(events) == 2
    question = "Map(type:Str(text), content:Str(What is six times seven?))"
    assert f"gen_ai.input.messages: Slice(Map(role:Str(user), parts:Slice({question})))" in log
    assert f"ScopeLogs SchemaURL: {names.SCHEMA_URL}" in log


async def test_an_ended_jobs_trace_goes_out_with_texts_and_is_kept_without(
    collector: Collector, empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
    monkeypatch.setenv(CONTENT, "SPAN_AND_EVENT")
    monkeypatch.setattr(sending, "LAST_SECONDS", 20)  # this machine may be busy
    shutil.copy(empty_database, tmp_path / "own.db")
    async with Store(f"sqlite:///{tmp_path}/own.db") as store:
        claim = await claimed(store)
        await store.journal.append(claim.job, claim.epoch, [started(TRUNK), finished(TRUNK), *answered()])
        traces = Traces(store, "tiny")
        await traces.keep([claim.job])
        await traces.close()
        kept = await store.spans.read(claim.job)

    log = collector.told("EventName: gen_ai.client.inference.operation.details")
    assert "output.value: Str(So it is 42.)" in log
    assert "Map(type:Str(text), content:Str(So it is 42.))" in log
    assert [span.name for span in kept if span.name.startswith("chat")] == ["chat tiny"]
    assert not any("messages" in name or "value" in name for span in kept for name in span.attributes)


def parsed(log: str) -> list[dict[str, str]]:
    """Rotel's print-out, span by span: fields, attributes, and the span ids of its links."""
    found = []
    for block in re.split(r"^Span #\d+$", log, flags=re.MULTILINE)[1:]:
        own, _, links = block.partition("\nLinks:")
        fields = dict(re.findall(r"^[ >-]*([\w. ]+?)\s*: (.*)$", own, flags=re.MULTILINE))
        found.append(fields | {"links": " ".join(re.findall(r"-> ID: (\w+)", links))})
    return found


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_spans_are_exported_where_the_standard_variables_say(
    environment: dict[str, str], expected: bool
) -> None:
    assert wanted(environment) is expected
