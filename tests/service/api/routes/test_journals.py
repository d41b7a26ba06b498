"""What is derived from a journal: graph, branches, audit, exports; and the gates where people decide."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.journal.chain import Link, verify
from anabranch.dag.policy import catalogue
from anabranch.service.settings import Settings


async def get(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


async def test_the_graph_has_segments_joins_and_a_critical_path(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    await organizer.answer(job)
    graph = await get(client, f"/v1/jobs/{job}/graph")
    kinds = {node["id"]: node["kind"] for node in graph["nodes"]}
    assert kinds == {
        "start": "start",
        "0.1/1": "segment",
        "0.2/1": "segment",
        "0/j1": "join",
        "answer": "answer",
    }
    edges = {(edge["source"], edge["target"], edge["kind"]) for edge in graph["edges"]}
    assert {("start", "0.1/1", "fork"), ("0.2/1", "0/j1", "join"), ("0/j1", "answer", "next")} <= edges
    critical = [node["id"] for node in graph["nodes"] if node["critical"]]
    assert critical[0] == "start"
    assert critical[-1] == "answer"
    assert len(critical) == 4
    assert all(node["started_at"].endswith("Z") for node in graph["nodes"])


async def test_the_graph_of_a_queued_job_is_its_start(client: httpx.AsyncClient, job: str) -> None:
    graph = await get(client, f"/v1/jobs/{job}/graph")
    assert [node["id"] for node in graph["nodes"]] == ["start"]
    assert graph["edges"] == []


async def test_a_branch_tells_what_it_read_wrote_and_gave(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    await organizer.answer(job, "forty-two")
    branch = await get(client, f"/v1/jobs/{job}/branches/0.1")
    assert branch["parent"] == "0"
    assert branch["role"] == "sample"
    assert branch["status"] == "returned"
    assert branch["context"] == {
        "messages": [{"role": "user", "content": "What is six times seven?"}],
        "thought": "",
        "continuation": "",
        "raw": False,
    }
    assert branch["output"] == "forty-two"
    assert branch["finish_reason"] == "eos"
    assert branch["usage"] == {
        "prompt_tokens": 20,
        "cached_tokens": 0,
        "completion_tokens": 10,
        "reasoning_tokens": 0,
    }
    assert branch["consumed_by"] == [
        {"kind": "join", "branch": "0", "join": 1},
        {"kind": "answer", "branch": "0"},
    ]
    assert [segment["text"] for segment in branch["segments"]] == ["forty-two"]


async def test_a_branch_tells_the_context_of_any_segment(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    decoded = Decoded(text="Forty", finish=Finish.LENGTH)
    await organizer.append(
        job,
        e.SegmentStarted(segment=1, max_tokens=4),
        e.SegmentFinished(segment=1, attempt=1, decoded=decoded),
        e.SegmentStarted(segment=2, max_tokens=4, inserted="-"),
    )
    first = await get(client, f"/v1/jobs/{job}/branches/0")
    second = await get(client, f"/v1/jobs/{job}/branches/0?segment=2")
    assert first["context"]["continuation"] == ""
    assert second["context"]["continuation"] == "Forty-"


async def test_a_branch_tells_what_it_thought_beside_what_it_wrote(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    """A thought that was interrupted and went on is one; it is counted, and no part of what the branch gave."""
    usage = Usage(completion_tokens=3, reasoning_tokens=3)
    thinking = Decoded(text="", thought="six times ", finish=Finish.INTERRUPTED, usage=usage)
    said = Decoded(text="42", thought="seven", finish=Finish.EOS, usage=replace(usage, completion_tokens=4))
    await organizer.append(
        job,
        e.SegmentStarted(segment=1),
        e.SegmentFinished(segment=1, attempt=1, decoded=thinking),
        e.SegmentStarted(segment=2),
        e.SegmentFinished(segment=2, attempt=1, decoded=said),
    )
    branch = await get(client, f"/v1/jobs/{job}/branches/0?segment=2")
    assert (branch["thought"], branch["text"], branch["output"]) == ("six times seven", "42", "42")
    assert (branch["context"]["thought"], branch["context"]["continuation"]) == ("six times ", "")
    assert [(segment["thought"], segment["text"]) for segment in branch["segments"]] == [
        ("six times ", ""),
        ("seven", "42"),
    ]
    assert [segment["reasoning_tokens"] for segment in branch["segments"]] == [3, 3]
    assert branch["usage"]["reasoning_tokens"] == 6
    assert (await get(client, f"/v1/jobs/{job}"))["usage"]["reasoning_tokens"] == 6
    page = await client.get(f"/v1/jobs/{job}/events", headers={"accept": "application/json"})
    ends = [
        event["payload"]["decoded"] for event in page.json()["items"] if event["kind"] == "SegmentFinished"
    ]
    assert [end["thought"] for end in ends] == ["six times ", "seven"]


async def test_a_branch_tells_which_tokens_nobody_counted_to_the_end(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    usage = Usage(completion_tokens=3)
    lost = Decoded(text="Forty", finish=Finish.INTERRUPTED, usage=usage, usage_at_least=True)
    silent = Decoded(text="-two", finish=Finish.EOS, usage=usage, usage_estimated=True)
    for segment, decoded in enumerate((lost, silent), start=1):
        await organizer.append(
            job,
            e.SegmentStarted(segment=segment),
            e.SegmentFinished(segment=segment, attempt=1, decoded=decoded),
        )
    branch = await get(client, f"/v1/jobs/{job}/branches/0")
    told = [(segment["usage_at_least"], segment["usage_estimated"]) for segment in branch["segments"]]
    assert told == [(True, False), (False, True)]


async def test_a_branch_of_a_raw_job_tells_the_raw_text_it_was_sent(
    client: httpx.AsyncClient, organizer: Any
) -> None:
    job = (await client.post("/v1/jobs", json={"prompt": "1 2 3"})).json()["id"]
    await organizer.append(job, e.SegmentStarted(segment=1, max_tokens=4))
    branch = await get(client, f"/v1/jobs/{job}/branches/0")
    assert branch["context"] == {"messages": [], "thought": "", "continuation": "1 2 3", "raw": True}


async def test_a_branch_tells_its_scores(client: httpx.AsyncClient, organizer: Any, job: str) -> None:
    await organizer.append(job, e.BranchForked(child=BranchId("0.1"), role="sample"))
    scored = e.BranchScored(scores={BranchId("0.1"): 0.5}, by="math", details={BranchId("0.1"): "half right"})
    await organizer.append(job, scored)
    branch = await get(client, f"/v1/jobs/{job}/branches/0.1")
    assert branch["scores"] == [{"score": 0.5, "by": "math", "detail": "half right"}]
    assert branch["context"] is None


async def test_a_branch_that_is_not_there(client: httpx.AsyncClient, job: str) -> None:
    assert (await client.get(f"/v1/jobs/{job}/branches/0.7")).status_code == 404


async def test_an_untouched_journal_passes_its_audit(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    await organizer.answer(job)
    audit = await get(client, f"/v1/jobs/{job}/audit")
    assert audit["ok"] is True
    assert audit["broken"] is None
    assert audit["differences"] == []


async def test_a_changed_record_fails_the_audit_by_its_seq(
    client: httpx.AsyncClient, organizer: Any, job: str, settings: Settings
) -> None:
    await organizer.answer(job)
    with closing(sqlite3.connect(settings.database.removeprefix("sqlite:///"))) as database:
        database.execute("UPDATE events SET branch = '0.9' WHERE seq = 3")
        database.commit()
    audit = await get(client, f"/v1/jobs/{job}/audit")
    assert audit["ok"] is False
    assert audit["broken"] == {"seq": 3, "reason": "changed"}


async def test_an_exported_journal_can_be_verified_without_us(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    await organizer.answer(job)
    response = await client.get(f"/v1/jobs/{job}/export?format=jsonl")
    lines = [json.loads(line) for line in response.text.splitlines()]
    links = [
        Link(
            **{name: line[name] for name in ("job", "seq", "epoch", "kind", "branch", "prev_hash", "hash")},
            at=datetime.fromisoformat(line["at"]),
            payload=json.dumps(line["payload"], separators=(",", ":"), ensure_ascii=False),
        )
        for line in lines
    ]
    assert verify(links) is None


@pytest.mark.parametrize("form", ["perfetto", "otlp"])
async def test_exports_are_files(form: str, client: httpx.AsyncClient, organizer: Any, job: str) -> None:
    await organizer.answer(job)
    response = await client.get(f"/v1/jobs/{job}/export?format={form}")
    assert response.json()
    assert response.headers["content-disposition"] == f'attachment; filename="{job}.{form}"'


async def test_an_unknown_format_is_answered_with_the_known(client: httpx.AsyncClient, job: str) -> None:
    response = await client.get(f"/v1/jobs/{job}/export?format=pdf")
    assert response.status_code == 422
    assert "perfetto" in response.text


async def test_policies_tell_their_source_and_parameters(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    items = (await get(client, "/v1/policies"))["items"]
    assert [item["name"] for item in items] == sorted(catalogue())
    for item in items:
        assert item["title"]
        assert item["paper"]
        assert item["params"]["type"] == "object"
    assert [item["name"] for item in items if item["default"]] == ["plan"]


async def test_presets_are_shown_with_all_their_words_to_be_copied(client: httpx.AsyncClient) -> None:
    items = {item["name"]: item for item in (await get(client, "/v1/policies"))["items"]}
    tree, graph = items["tree-of-thoughts"], items["graph-of-thoughts"]
    [choices] = [each for each in tree["params"]["properties"]["preset"]["anyOf"] if "enum" in each]
    assert choices["enum"] == list(tree["presets"]) == ["game-of-24", "creative-writing"]
    preset = tree["presets"]["game-of-24"]
    assert preset["about"]
    body = {"question": "4 9 10 13", "policy": {"name": "tree-of-thoughts", "params": preset["params"]}}
    assert (await client.post("/v1/jobs", json=body)).status_code == 202
    operation = graph["params"]["properties"]["operations"]["items"]
    assert operation["properties"]["op"]["enum"][0] == "generate"


class TestApprovals:
    @pytest.fixture
    async def gate(self, client: httpx.AsyncClient, organizer: Any, job: str) -> dict[str, Any]:
        asked = e.ApprovalRequested(approval=1, gate="answer", subject="42", timeout=60.0, branch=TRUNK)
        await organizer.append(job, asked)
        (waiting,) = (await get(client, "/v1/approvals"))["items"]
        return dict(waiting)

    async def test_a_waiting_gate_is_listed(
        self, gate: dict[str, Any], client: httpx.AsyncClient, job: str
    ) -> None:
        assert (gate["job"], gate["approval"], gate["gate"], gate["subject"]) == (job, 1, "answer", "42")
        assert gate["question"] == "What is six times seven?"
        assert (gate["timeout"], gate["default"], gate["decision"]) == (60.0, "reject", None)
        assert (await get(client, f"/v1/jobs/{job}"))["status"] == "waiting"

    async def test_a_decision_is_recorded_and_the_job_woken(
        self, gate: dict[str, Any], client: httpx.AsyncClient, organizers: Any, job: str
    ) -> None:
        body = {"decision": "edit", "edit": "43", "reason": "off by one"}
        response = await client.post(f"/v1/approvals/{gate['id']}", json=body)
        assert response.status_code == 200
        assert (response.json()["decision"], response.json()["edit"]) == ("edit", "43")
        assert organizers.nudged[-1] == job
        assert (await get(client, "/v1/approvals"))["items"] == []
        assert len((await get(client, "/v1/approvals?status=decided"))["items"]) == 1

    async def test_the_first_decision_stands(self, gate: dict[str, Any], client: httpx.AsyncClient) -> None:
        first = await client.post(f"/v1/approvals/{gate['id']}", json={"decision": "approve"})
        second = await client.post(f"/v1/approvals/{gate['id']}", json={"decision": "reject"})
        assert (first.status_code, second.status_code) == (200, 409)
        assert second.json()["type"] == "urn:anabranch:already-decided"
