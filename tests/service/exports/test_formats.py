"""A journal in other tools' forms."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from anabranch.service import exports
from anabranch.service.exports.registry import ExportedJob, export_formats
from anabranch.service.telemetry import names
from anabranch.service.telemetry.capture import CONTENT
from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.service.telemetry.spans import spans_of

TRACE = "0af7651916cd43dd8448eb211c80319c"


def written(voted: Any, form: str) -> str:
    job = ExportedJob(records=voted.records, origin=TraceOrigin(TRACE), pool_model="tiny")
    return "".join(export_formats()[form].write(job))


def test_jsonl_is_the_journal_with_its_hashes(voted: Any) -> None:
    lines = [json.loads(line) for line in written(voted, "jsonl").splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(voted.records) + 1))
    assert set(lines[0]) == {"job", "seq", "epoch", "at", "kind", "branch", "payload", "prev_hash", "hash"}
    assert lines[0]["at"] == "2026-03-14T09:26:53.000000Z"


def test_samples_for_training_are_lines_of_json(voted: Any) -> None:
    calls = [json.loads(line) for line in written(voted, "sft").splitlines()]
    (rollout,) = (json.loads(line) for line in written(voted, "rl").splitlines())
    assert (
        [call["branch"] for call in calls] == [call["branch"] for call in rollout["calls"]] == ["0.1", "0.2"]
    )
    assert (rollout["answer"], rollout["reward"]) == ("42", None)


def trace_of(voted: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(written(voted, "perfetto"))["traceEvents"]
    return events


def test_perfetto_has_one_track_per_branch(voted: Any) -> None:
    names = {event["args"]["name"] for event in trace_of(voted) if event["name"] == "thread_name"}
    assert names == {"branch 0", "branch 0.1", "branch 0.2"}


def test_perfetto_slices_of_one_track_nest(voted: Any) -> None:
    slices = [event for event in trace_of(voted) if event["ph"] == "X"]
    for one in slices:
        for other in slices:
            if one["tid"] == other["tid"] and one["ts"] < other["ts"] < one["ts"] + one["dur"]:
                assert other["ts"] + other["dur"] <= one["ts"] + one["dur"], (one, other)


def test_perfetto_arrows_run_from_fork_to_child_and_from_child_to_join(voted: Any) -> None:
    events = trace_of(voted)
    tracks = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    arrows = {
        (end["name"], tracks[starts[end["id"]]["tid"]], tracks[end["tid"]])
        for end in events
        if end["ph"] == "f"
    }
    assert ("fork", "branch 0", "branch 0.1") in arrows
    assert ("join", "branch 0.2", "branch 0") in arrows
    assert len({event["id"] for event in events if event["ph"] == "f"}) == len(starts)


def test_otlp_is_what_the_protocol_says(voted: Any) -> None:
    spans = spans_of(voted.records, TraceOrigin(TRACE), "tiny")
    request = json.loads(written(voted, "otlp"))
    sent = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert [one["traceId"] for one in sent] == [TRACE] * len(spans)
    assert [one["spanId"] for one in sent] == [span.span_id for span in spans]
    assert request["resourceSpans"][0]["scopeSpans"][0]["schemaUrl"] == names.SCHEMA_URL
    parsed = ParseDict(request, ExportTraceServiceRequest())
    received = parsed.resource_spans[0].scope_spans[0].spans
    assert [(one.name, one.start_time_unix_nano) for one in received] == [
        (one.name, one.start_ns) for one in spans
    ]
    assert [len(one.links) for one in received if one.name == "join"] == [2]


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "anabranch"),
        ({"OTEL_SERVICE_NAME": "night shift"}, "night shift"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=lab,deployment.environment=test"}, "lab"),
        ({"OTEL_SERVICE_NAME": "night shift", "OTEL_RESOURCE_ATTRIBUTES": "service.name=lab"}, "night shift"),
    ],
)
def test_otlp_names_the_service_as_the_standard_variables_say(
    voted: Any, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    for variable in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    (resource,) = json.loads(written(voted, "otlp"))["resourceSpans"]
    told = {one["key"]: one["value"]["stringValue"] for one in resource["resource"]["attributes"]}
    assert told["service.name"] == name
    assert ("deployment.environment" in told) == ("deployment" in str(variables))


def test_otlp_holds_prompts_and_answers_only_where_they_are_asked_for(
    voted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "six times seven" not in written(voted, "otlp")
    monkeypatch.setenv(CONTENT, "SPAN_ONLY")
    assert "six times seven" in written(voted, "otlp")


def test_a_new_form_is_one_new_file(voted: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kinds.py").write_text(
        "from anabranch.service.exports.registry import ExportFormat\n"
        "KINDS = ExportFormat(name='kinds', title='Only kinds', media_type='text/plain',\n"
        "    write=lambda job: (type(record.event).__name__ for record in job.records))\n"
    )
    monkeypatch.setattr(exports, "__path__", [*exports.__path__, str(tmp_path)])
    export_formats.cache_clear()
    try:
        assert list(export_formats()) == ["jsonl", "kinds", "otlp", "perfetto", "rl", "sft", "trajectory"]
        assert written(voted, "kinds").startswith("JobSubmitted")
    finally:
        export_formats.cache_clear()
        sys.modules.pop("anabranch.service.exports.kinds")
