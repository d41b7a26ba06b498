"""All that is told, held against what the GenAI conventions publish; and what is not told unless somebody asks."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.service.telemetry.conventions import TYPES, faults_of, faults_of_messages

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Served, Usage
from anabranch.dag.decoding.tools import Call
from anabranch.dag.ids import BranchId
from anabranch.dag.job import JobSpec
from anabranch.dag.text import Base, Message, Reading, say
from anabranch.service.telemetry import names
from anabranch.service.telemetry.capture import CONTENT, EVENTS, Capture, read_capture
from anabranch.service.telemetry.export import AT_ONCE, batches
from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.service.telemetry.messages import Content, written
from anabranch.service.telemetry.span import Event, Span
from anabranch.service.telemetry.spans import Trace, spans_of

ORIGIN = TraceOrigin("0af7651916cd43dd8448eb211c80319c")
ALL = Capture(on_spans=True, on_events=True, events=True)
THOUGHT = "They want one number."


def organization(writing: Callable[[], Any]) -> Any:
    """A journal with all that a trace tells: a plan, a thought, a call, a score, a tool, a failed decode."""
    written = writing()
    asked = (say("system", "Be brief."), say("user", "What is six times seven?"))
    spec = JobSpec(messages=asked, policy="plan", params={"width": 2}, seed=7)
    written.add(e.JobSubmitted(spec=spec, policy_version="v1")).claim()
    written.fork("0.1", role="planner")
    written.start("0.1", structured=True, output_type="json", top_p=1, temperature=0)
    written.finish("0.1", '{"subtasks": []}', thought=THOUGHT)
    written.add(e.BranchReturned(branch=BranchId("0.1"), value='{"subtasks": []}'))
    forked = e.BranchForked(branch=BranchId("0"), child=BranchId("0.2"), role="tool", tool="multiply")
    written.add(forked, e.BranchReturned(branch=BranchId("0.2"), value="42"))
    written.fork("0.3").start("0.3").finish("0.3", fault="replica-died")
    written.add(e.BranchRetried(branch=BranchId("0.3"), attempt=2, cause="replica-died"))
    written.start("0.3", segment=2, attempt=2)
    call = Call(name="lookup", arguments='{"of": "6*7"}', id="call-1")
    served = Served(provider="openai", host="api.openai.com", port=443, model="gpt-x-2026-11-01")
    decoded = Decoded(
        text="", thought=THOUGHT, finish=Finish.EOS, calls=(call,), engine="openai", served=served,
        usage=Usage(prompt_tokens=20, completion_tokens=12, reasoning_tokens=8),
    )  # fmt: skip
    written.add(e.SegmentFinished(branch=BranchId("0.3"), segment=2, attempt=2, decoded=decoded))
    written.add(e.BranchReturned(branch=BranchId("0.3"), value="", calls=(call,)))
    details = {BranchId("0.3"): "it calls the right one"}
    for score in (0, 0.75):
        written.add(e.BranchScored(scores={BranchId("0.3"): score}, by="judge", details=details))
    return written.join("0.1", "0.3").answer("42", "0.3")


def traced(written: Any, capture: Capture = ALL) -> Trace:
    trace = Trace(written.job, "tiny", capture)
    for record in written.records:
        trace.add(record)
    return trace


def spans_by_name(written: Any, capture: Capture = ALL) -> dict[str, Span]:
    return {span.name: span for span in spans_of(written.records, ORIGIN, "tiny", capture)}


def kind_of(span: Span) -> str:
    return str(span.attributes.get(names.OPERATION, ""))


def test_every_attribute_of_every_span_is_as_the_conventions_have_it(writing: Callable[[], Any]) -> None:
    spans = spans_of(organization(writing).records, ORIGIN, "tiny", ALL)
    faults = {span.name: faults_of(span.attributes, kind_of(span)) for span in spans}
    assert {name: told for name, told in faults.items() if told} == {}
    assert {kind_of(span) for span in spans} >= {
        "chat",
        "execute_tool",
        "invoke_agent",
        "invoke_workflow",
        "plan",
    }
    for span in spans:
        operation, of = kind_of(span), span.attributes
        assert (of.get("gen_ai.conversation.id") is not None) == bool(operation)


def test_every_attribute_of_every_event_is_as_the_conventions_have_it(writing: Callable[[], Any]) -> None:
    events = traced(organization(writing)).events(ORIGIN)
    assert {event.name for event in events} == {names.DETAILS_EVENT, names.EVALUATION_EVENT}
    assert [
        fault for event in events for fault in faults_of(event.attributes, event.name, structured=True)
    ] == []


def test_every_published_name_in_the_list_is_emitted(writing: Callable[[], Any]) -> None:
    written = organization(writing)
    told = {name for span in spans_of(written.records, ORIGIN, "tiny", ALL) for name in span.attributes}
    told |= {name for event in traced(written).events(ORIGIN) for name in event.attributes}
    assert set(TYPES) - told == set()


def test_a_job_is_a_workflow_by_its_new_name_and_by_its_old_one(voted: Any) -> None:
    job = spans_by_name(voted)["invoke_workflow anabranch"].attributes
    assert job["gen_ai.agent.name"] == job["gen_ai.workflow.name"] == "anabranch"
    assert job["gen_ai.conversation.id"] == voted.job


def test_a_planner_plans_and_its_decode_is_below_it(writing: Callable[[], Any]) -> None:
    spans = spans_of(organization(writing).records, ORIGIN, "tiny")
    (plan,) = [span for span in spans if span.name == "plan planner"]
    (decode,) = [span for span in spans if span.parent_span_id == plan.span_id]
    assert decode.name == "chat tiny"
    assert decode.attributes["gen_ai.output.type"] == "json"
    assert decode.attributes["gen_ai.request.top_p"] == 1.0


def test_nobody_is_called_openai_who_is_not(writing: Callable[[], Any]) -> None:
    def provider(**told: Any) -> Any:
        written = writing().submit().claim().start("0").finish("0")
        last = written.records[-1]
        decoded = replace(last.event.decoded, **told)
        written.records[-1] = replace(last, event=replace(last.event, decoded=decoded))
        return spans_by_name(written)["chat tiny"].attributes["gen_ai.provider.name"]

    assert provider(engine="openai") == "_OTHER"
    assert provider(engine="openai", served=Served(provider="gateway.example")) == "gateway.example"
    assert provider(engine="openai", served=Served(provider="openai")) == "openai"
    assert provider(engine="vllm") == "vllm"


def test_a_decode_tells_who_answered_and_what_was_thought(writing: Callable[[], Any]) -> None:
    spans = spans_of(organization(writing).records, ORIGIN, "tiny")
    (chat,) = [span for span in spans if span.attributes.get(names.PROVIDER) == "openai"]
    assert chat.kind == "client"
    assert chat.attributes["gen_ai.response.model"] == "gpt-x-2026-11-01"
    assert chat.attributes["gen_ai.usage.reasoning.output_tokens"] == 8
    assert (chat.attributes["server.address"], chat.attributes["server.port"]) == ("api.openai.com", 443)
    assert chat.attributes["gen_ai.response.finish_reasons"] == ("tool_call",)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "stop"), ("eos", "stop"), ("tag", "stop"), ("length", "length"), ("abort", "error")],
)
def test_why_a_decode_ended_is_told_in_the_conventions_words(
    writing: Callable[[], Any], finish: str, reason: str
) -> None:
    written = writing().submit().claim().start("0").finish("0")
    last = written.records[-1]
    ended = replace(last.event, decoded=replace(last.event.decoded, finish=Finish(finish)))
    written.records[-1] = replace(last, event=ended)
    told = spans_by_name(written)["chat tiny"].attributes
    assert (told["gen_ai.response.finish_reasons"], told["anabranch.finish"]) == ((reason,), finish)


# -- scores


def test_a_branchs_span_has_its_last_score_and_events_have_all(writing: Callable[[], Any]) -> None:
    written = organization(writing)
    branch = spans_by_name(written)["invoke_agent sample"]
    assert branch.attributes["gen_ai.evaluation.name"] == "judge"
    assert branch.attributes["gen_ai.evaluation.score.value"] == 0.75
    scores = [event for event in traced(written).events(ORIGIN) if event.name == names.EVALUATION_EVENT]
    assert [event.attributes["gen_ai.evaluation.score.value"] for event in scores] == [0.0, 0.75]
    assert {event.span_id for event in scores} == {branch.span_id}


# -- content


def texts_told(spans: list[Span]) -> str:
    return json.dumps([dict(span.attributes) for span in spans])


def test_without_being_asked_no_text_is_told(writing: Callable[[], Any]) -> None:
    written = organization(writing)
    told = texts_told(spans_of(written.records, ORIGIN, "tiny"))
    assert not any(text in told for text in ("six times seven", "Be brief", THOUGHT, "subtasks", "right one"))
    assert traced(written, Capture()).events(ORIGIN) == []


def test_events_without_content_tell_all_but_the_texts(writing: Callable[[], Any]) -> None:
    events = traced(organization(writing), Capture(events=True)).events(ORIGIN)
    assert len(events) == 5
    assert not any(
        "messages" in name or "explanation" in name for event in events for name in event.attributes
    )


def test_content_on_events_only_leaves_the_spans_bare(writing: Callable[[], Any]) -> None:
    written = organization(writing)
    only_events = Capture(on_events=True, events=True)
    assert "six times seven" not in texts_told(spans_of(written.records, ORIGIN, "tiny", only_events))
    (first, *_) = traced(written, only_events).events(ORIGIN)
    assert first.attributes["gen_ai.input.messages"] == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "What is six times seven?"}]},
    ]


def test_thoughts_texts_and_calls_are_parts_of_what_was_written(writing: Callable[[], Any]) -> None:
    spans = spans_of(organization(writing).records, ORIGIN, "tiny", ALL)
    (chat,) = [span for span in spans if span.attributes.get(names.PROVIDER) == "openai"]
    messages = json.loads(str(chat.attributes["gen_ai.output.messages"]))
    assert messages == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": THOUGHT},
                {"type": "tool_call", "id": "call-1", "name": "lookup", "arguments": {"of": "6*7"}},
            ],
            "finish_reason": "tool_call",
        }
    ]


@pytest.mark.parametrize("value", ['"\\ud800"', str(10**30), "NaN", "[" * 200 + "]" * 200])
def test_arguments_that_no_collector_takes_are_told_as_they_were_written(value: str) -> None:
    call = Call(name="lookup", arguments=f'{{"of": {value}}}')
    ((message,), plain) = (
        written(Content([], calls=(each,), ended=True), "tool_call")
        for each in (call, replace(call, arguments='{"of": 1}'))
    )
    assert message["parts"][0]["arguments"] == call.arguments
    assert plain[0]["parts"][0]["arguments"] == {"of": 1}


def test_every_message_has_the_published_form(writing: Callable[[], Any]) -> None:
    spans = spans_of(organization(writing).records, ORIGIN, "tiny", ALL)
    texts = [
        span.attributes[name] for span in spans for name in span.attributes if name.endswith(".messages")
    ]
    assert len(texts) > 8
    assert [fault for text in texts for fault in faults_of_messages(json.loads(str(text)))] == []


def test_a_job_shows_its_question_and_its_answer_in_any_viewer(voted: Any) -> None:
    job = spans_by_name(voted)["invoke_workflow anabranch"].attributes
    assert (job["input.value"], job["input.mime_type"]) == ("What is six times seven?", "text/plain")
    assert (job["output.value"], job["output.mime_type"]) == ("42", "text/plain")


def test_a_tool_shows_what_it_gave(writing: Callable[[], Any]) -> None:
    tool = spans_by_name(organization(writing))["execute_tool multiply"].attributes
    assert (tool["gen_ai.tool.call.result"], tool["output.value"]) == ("42", "42")


def test_a_conversation_with_tools_is_told_with_calls_and_results(writing: Callable[[], Any]) -> None:
    call = Call(name="lookup", arguments="not JSON", id="c1")
    asked = (
        say("user", "How warm is it?"),
        Message("assistant", (), calls=(call,)),
        Message("tool", ("21 degrees",), result_of="c1"),
    )
    spec = JobSpec(messages=asked, policy="sequential")
    written = writing().add(e.JobSubmitted(spec=spec, policy_version="v1")).claim().start("0").finish("0")
    for span in spans_of(written.records, ORIGIN, "tiny", ALL):
        if span.name in ("chat tiny", "invoke_workflow anabranch"):
            _, called, result = json.loads(str(span.attributes["gen_ai.input.messages"]))
            (part,) = called["parts"]
            assert (part["type"], part["name"], part["arguments"]) == ("tool_call", "lookup", "not JSON")
            assert result["role"] == "tool"
            assert result["parts"] == [{"type": "tool_call_response", "id": "c1", "response": "21 degrees"}]


def test_a_turn_that_a_decode_goes_on_with_is_its_last_message(writing: Callable[[], Any]) -> None:
    written = writing().submit().claim()
    reading = Reading(base=Base.PROBLEM, opening=("Six sevens ",))
    written.add(e.BranchForked(branch=BranchId("0"), child=BranchId("0.1"), role="sample", reading=reading))
    written.start("0.1").finish("0.1", "are 42")
    sent = json.loads(str(spans_by_name(written)["chat tiny"].attributes["gen_ai.input.messages"]))
    assert sent[-1] == {"role": "assistant", "parts": [{"type": "text", "content": "Six sevens "}]}


@pytest.mark.parametrize(
    ("content", "events", "expected"),
    [
        ("", "", Capture()),
        ("NO_CONTENT", "", Capture()),
        ("span_only", "", Capture(on_spans=True)),
        ("EVENT_ONLY", "", Capture(on_events=True, events=True)),
        ("SPAN_AND_EVENT", "", ALL),
        ("SPAN_AND_EVENT", "false", Capture(on_spans=True)),
        ("SPAN_ONLY", "true", Capture(on_spans=True, events=True)),
        ("everything", "", Capture()),
    ],
)
def test_the_standard_variables_say_what_is_captured(content: str, events: str, expected: Capture) -> None:
    assert read_capture({CONTENT: content, EVENTS: events}) == expected


def test_a_value_that_means_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    read_capture({CONTENT: "true"})
    assert "SPAN_ONLY" in caplog.text


# -- requests


def event_of(length: int) -> Event:
    return Event(trace_id="", span_id="", name="", at_ns=0, attributes={"told": [{"content": "x" * length}]})


def test_what_a_collector_would_refuse_for_its_size_goes_in_several_requests() -> None:
    many = [event_of(1)] * (2 * AT_ONCE + 1)
    assert [len(batch) for batch in batches(many)] == [AT_ONCE, AT_ONCE, 1]
    large = [event_of(1_500_000), event_of(400_000), event_of(400_000), event_of(5_000_000), event_of(1)]
    assert [len(batch) for batch in batches(large)] == [2, 1, 1, 1]
