"""One trace per job, folded from its journal."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.ids import BranchId
from anabranch.dag.job import JobSpec
from anabranch.dag.policy import catalogue
from anabranch.dag.text import say
from anabranch.service.telemetry import ids, names
from anabranch.service.telemetry.ids import TraceOrigin, read_traceparent, traceparent
from anabranch.service.telemetry.span import Kind, Span, Status
from anabranch.service.telemetry.spans import spans_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
ORIGIN = TraceOrigin(TRACE)


def drawn(written: Any, origin: TraceOrigin = ORIGIN) -> dict[str, Span]:
    """The spans by the path of names from the root, with the branch where there is one."""
    spans = spans_of(written.records, origin, "tiny")
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans), "span ids are unique"

    def path(span: Span) -> str:
        parent = by_id.get(span.parent_span_id or "")
        branch = span.attributes.get(names.BRANCH, "")
        own = f"{span.name} {branch}".strip()
        return f"{path(parent)} > {own}" if parent else own

    return {path(span).rpartition(" > ")[2]: span for span in spans} | {path(span): span for span in spans}


def test_request_organizer_fork_branch_decode_and_join_hang_together(voted: Any) -> None:
    spans = drawn(voted)
    organizer = "invoke_workflow anabranch > organize > invoke_agent trunk 0"
    assert "invoke_workflow anabranch > POST /v1/jobs" in spans
    assert f"{organizer} > fork 0 > invoke_agent sample 0.1 > chat tiny 0.1" in spans
    assert f"{organizer} > fork 0 > invoke_agent sample 0.2 > chat tiny 0.2" in spans
    assert f"{organizer} > join 0" in spans
    assert {span.trace_id for span in spans.values()} == {TRACE}
    assert len(spans_of(voted.records, ORIGIN, "tiny")) == 10


def test_a_join_is_linked_to_each_branch_it_joined(voted: Any) -> None:
    join = drawn(voted)["join 0"]
    assert [link.span_id for link in join.links] == [
        ids.span_id_of(voted.job, "branch/0.1"),
        ids.span_id_of(voted.job, "branch/0.2"),
    ]
    assert {link.attributes[names.EDGE] for link in join.links} == {"join"}
    assert join.attributes[names.PARENTS] == ("branch/0.1", "branch/0.2")


def test_a_decode_says_who_decoded_what_it_cost_and_how_long_it_waited(voted: Any) -> None:
    chat = drawn(voted)["chat tiny 0.2"]
    assert chat.attributes[names.OPERATION] == "chat"
    assert chat.attributes[names.PROVIDER] == "scripted"
    assert chat.attributes[names.INPUT_TOKENS] == 20
    assert chat.attributes[names.CACHED_TOKENS] == 16
    assert chat.attributes[names.OUTPUT_TOKENS] == 30
    assert chat.attributes[names.REQUEST_SEED] == 11
    assert chat.attributes[names.FINISH_REASONS] == ("stop",)
    assert chat.attributes[names.FINISH] == "eos"
    assert chat.attributes[names.QUEUE_SECONDS] == pytest.approx(0.02, abs=1e-6)
    assert chat.attributes[names.TIME_TO_FIRST_CHUNK] == pytest.approx(0.04, abs=1e-6)
    assert chat.end_ns - chat.start_ns == pytest.approx(90_000_000, abs=1000)
    assert chat.kind is Kind.INTERNAL


def test_span_kinds_for_viewers_that_know_only_openinference(voted: Any) -> None:
    kinds = {span.name: span.attributes.get(names.SPAN_KIND) for span in drawn(voted).values()}
    assert kinds == {
        "invoke_workflow anabranch": "CHAIN",
        "POST /v1/jobs": None,
        "organize": "CHAIN",
        "invoke_agent trunk": "AGENT",
        "invoke_agent sample": "AGENT",
        "fork": "CHAIN",
        "join": "CHAIN",
        "chat tiny": "LLM",
    }


def test_a_fork_lasts_until_its_last_child_has_ended(voted: Any) -> None:
    spans = drawn(voted)
    assert spans["fork 0"].end_ns == spans["invoke_agent sample 0.2"].end_ns


def test_segments_of_one_stream_are_one_decode(writing: Callable[[], Any]) -> None:
    written = writing().submit().claim().start("0", grammar="async-think")
    written.finish("0", "<FORK-1>", open=True, tokens=5)
    written.start("0", segment=2, continues=True).finish("0", "done", segment=2, tokens=7)
    chat = drawn(written)["chat tiny 0"]
    assert chat.attributes[names.SEGMENTS] == 2
    assert chat.attributes[names.OUTPUT_TOKENS] == 12
    assert chat.attributes[names.GRAMMAR] == "async-think"
    assert chat.status is Status.OK


def test_structured_decoding_shows(writing: Callable[[], Any]) -> None:
    written = writing().submit().claim().start("0", structured=True).finish("0")
    assert drawn(written)["chat tiny 0"].attributes[names.STRUCTURED] is True


def test_a_failed_decode_and_its_retry_are_two_spans(writing: Callable[[], Any]) -> None:
    written = writing().submit().claim().start("0").finish("0", fault="replica-died")
    written.add(e.BranchRetried(attempt=2, cause="replica-died"))
    written.start("0", segment=2, attempt=2).finish("0", segment=2)
    chats = [span for span in spans_of(written.records, ORIGIN, "tiny") if span.name == "chat tiny"]
    assert [chat.status for chat in chats] == [Status.ERROR, Status.OK]
    assert chats[0].attributes[names.ERROR_TYPE] == "replica-died"
    assert [chat.attributes[names.ATTEMPT] for chat in chats] == [1, 2]


@pytest.mark.parametrize("winner", [0, 1])
def test_a_late_decode_and_its_second_are_two_spans_and_the_loser_is_marked(
    writing: Callable[[], Any], winner: int
) -> None:
    written = writing().submit().claim().start("0")
    written.add(e.SegmentHedged(segment=1, attempt=1, seconds=3.0, usual=1.0))
    won = Decoded(text="42", finish=Finish.EOS, usage=Usage(completion_tokens=7), replica="a")
    wasted = Decoded(text="4", finish=Finish.ABORT, usage=Usage(completion_tokens=90), replica="b")
    written.add(e.SegmentFinished(segment=1, attempt=1, decoded=won, copy=winner))
    written.add(
        e.HedgeLost(segment=1, attempt=1, decoded=replace(wasted, usage_at_least=True), copy=1 - winner)
    )
    chats = {
        s.attributes[names.NODE]: s for s in spans_of(written.records, ORIGIN, "tiny") if "chat" in s.name
    }
    nodes = ("decode/0/1", "decode/0/1h")
    assert set(chats) == set(nodes)
    counts, lost = chats[nodes[winner]].attributes, chats[nodes[1 - winner]].attributes
    assert (counts[names.OUTPUT_TOKENS], counts[names.REPLICA]) == (7, "a")
    assert names.LOST not in counts and names.AT_LEAST not in counts
    assert (lost[names.OUTPUT_TOKENS], lost[names.REPLICA]) == (90, "b")
    assert (lost[names.LOST], lost[names.AT_LEAST], lost[names.FINISH]) == (True, True, "abort")


def test_a_takeover_is_a_second_organizer_in_the_same_trace(writing: Callable[[], Any]) -> None:
    written = writing().submit().claim("first").claim("second")
    organizers = [span for span in spans_of(written.records, ORIGIN, "tiny") if span.name == "organize"]
    assert [span.attributes[names.OWNER] for span in organizers] == ["first", "second"]
    assert names.UNFINISHED not in organizers[0].attributes


def test_branches_that_wait_for_others_are_linked_to_them(writing: Callable[[], Any]) -> None:
    written = writing().submit().claim().fork("0.1").fork("0.2", after=("0.1",))
    (link,) = drawn(written)["invoke_agent sample 0.2"].links
    assert link.span_id == ids.span_id_of(written.job, "branch/0.1")
    assert link.attributes[names.EDGE] == "depends"


def test_of_a_running_job_open_spans_end_where_the_journal_does(writing: Callable[[], Any]) -> None:
    written = writing().submit().claim().fork("0.1")
    job = drawn(written)["invoke_workflow anabranch"]
    assert job.attributes[names.UNFINISHED] is True
    assert job.end_ns == int(written.records[-1].at.timestamp() * 1000) * 1_000_000


def test_a_failed_job_is_an_error(writing: Callable[[], Any]) -> None:
    written = writing().submit().claim()
    written.add(e.BranchFailed(cause="refused"), e.JobFailed(type="refused", title="The engine refused"))
    job = drawn(written)["invoke_workflow anabranch"]
    assert job.status is Status.ERROR
    assert job.attributes[names.ERROR_TYPE] == "refused"


def test_asked_to_wind_up_is_told_apart_from_a_budget_that_ran_out(writing: Callable[[], Any]) -> None:
    written = writing().submit().claim()
    written.add(e.WindUpRequested(resource=e.Resource.SECONDS, limit=60, spent=48))
    root = drawn(written)["invoke_workflow anabranch"]
    assert (root.attributes.get(names.WIND_UP), root.attributes.get(names.EXCEEDED)) == ("seconds", None)
    written.add(e.BudgetExceeded(resource=e.Resource.TOKENS, limit=100, spent=104))
    root = drawn(written)["invoke_workflow anabranch"]
    assert (root.attributes[names.WIND_UP], root.attributes[names.EXCEEDED]) == ("seconds", ("tokens",))


def test_a_job_cancelled_in_the_queue_has_a_trace_too(writing: Callable[[], Any]) -> None:
    written = writing().submit()
    written.add(e.BranchCancelled(reason="asked", by=e.CancelledBy.CLIENT), e.JobCancelled(reason="asked"))
    assert drawn(written)["invoke_workflow anabranch"].attributes[names.REASON] == "asked"


def test_equal_journals_give_equal_spans(voted: Any) -> None:
    assert spans_of(voted.records, ORIGIN, "tiny") == spans_of(voted.records, ORIGIN, "tiny")


def test_a_callers_traceparent_is_the_roots_parent(voted: Any) -> None:
    origin = read_traceparent(traceparent(TRACE, "b7ad6b7169203331"))
    assert origin == TraceOrigin(TRACE, "b7ad6b7169203331")
    assert drawn(voted, origin)["invoke_workflow anabranch"].parent_span_id == "b7ad6b7169203331"


@pytest.mark.parametrize(
    "header",
    [None, "", "garbage", f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}"],
)
def test_without_a_valid_traceparent_a_new_trace_begins(header: str | None) -> None:
    first, second = read_traceparent(header), read_traceparent(header)
    assert first.span_id is None
    assert first.trace_id != second.trace_id
    assert len(first.trace_id) == 32


def test_the_id_a_decode_carries_is_the_id_of_its_span(voted: Any) -> None:
    carried = ids.span_id_of(voted.job, ids.decode_node(BranchId("0.2"), 1))
    assert drawn(voted)["chat tiny 0.2"].span_id == carried


def test_help_that_a_policy_gives_its_model_shows(writing: Callable[[], Any]) -> None:
    info = catalogue()["async-think"]
    spec = JobSpec(messages=(say("user", "?"),), policy="async-think", params={"c": 2})
    written = writing().add(e.JobSubmitted(spec=spec, policy_version=info.version))
    params = json.loads(str(drawn(written)["invoke_workflow anabranch"].attributes[names.PARAMS]))
    assert params["c"] == 2
    assert params["assist"] == "few-shot"


def test_defaults_of_another_version_are_not_made_up(writing: Callable[[], Any]) -> None:
    spec = JobSpec(messages=(say("user", "?"),), policy="async-think", params={"c": 2})
    written = writing().add(e.JobSubmitted(spec=spec, policy_version="another"))
    assert drawn(written)["invoke_workflow anabranch"].attributes[names.PARAMS] == '{"c":2}'


def test_the_critical_path_is_lit_once_there_is_an_answer(voted: Any) -> None:
    lit = {name for name, span in drawn(voted).items() if span.attributes.get(names.CRITICAL)}
    assert {name for name in lit if " > " not in name} == {"chat tiny 0.2"}
    voted.records = voted.records[:-3]
    assert not any(names.CRITICAL in span.attributes for span in drawn(voted).values())
