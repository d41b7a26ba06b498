"""Every door where JSON comes in refuses the same: 422, by its place, and nothing is written."""

import json
from typing import Any

import httpx
import pytest

from anabranch.dag.job import JobSpec
from anabranch.dag.text import say
from anabranch.service.bounded_json import CUT
from anabranch.service.store.rows import NewJob
from anabranch.service.store.store import Store

Q = "What is six times seven?"
CHAT = {"model": "anabranch/self-consistency", "messages": [{"role": "user", "content": Q}]}
HOLE = "HOLE"
DOORS = [
    ("/v1/jobs", {"question": Q, "metadata": HOLE}, "metadata"),
    ("/v1/jobs", {"question": Q, "policy": {"name": "plan", "params": HOLE}}, "policy.params"),
    ("/v1/jobs", {"question": Q, "no_such_field": HOLE}, "no_such_field"),
    ("/v1/chat/completions", {**CHAT, "anabranch": {"metadata": HOLE}}, "anabranch.metadata"),
    ("/v1/chat/completions", {**CHAT, "anabranch": {"params": HOLE}}, "anabranch.params"),
    ("/v1/chat/completions", {**CHAT, "metadata": HOLE}, "metadata"),
    ("/v1/approvals/any", {"decision": "edit", "edit": HOLE}, "edit"),
    ("/v1/jobs/JOB/replay", {"branch": "0.1", "output": HOLE}, "output"),
]
BAD = {
    "deep": '{"a": ' + "[" * 300 + "]" * 300 + "}",
    "bottomless": '{"a": ' + "[" * 4_000 + "]" * 4_000 + "}",
    "nul": '{"a": "\\u0000"}',
    "surrogate": '{"a": "\\udc00"}',
    "infinite": '{"a": -1e999}',
    "no-number": '{"a": NaN}',
    "huge": '{"a": ' + "9" * 5_000 + "}",
    "twice": '{"a": 1, "a": 2}',
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize(("path", "body", "where"), DOORS, ids=[f"{door[0]}:{door[2]}" for door in DOORS])
async def test_no_door_lets_it_in(
    path: str, body: dict[str, Any], where: str, bad: str, client: httpx.AsyncClient, store: Store, job: str
) -> None:
    content = json.dumps(body).replace(f'"{HOLE}"', bad)
    headers = {"Content-Type": "application/json"}
    response = await client.post(path.replace("JOB", job), content=content, headers=headers)
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["path"].startswith(f"{where}.a")
    assert [row.id for row in (await store.jobs.list_page()).items] == [job]


async def test_text_that_will_be_read_as_json_is_bounded_too(client: httpx.AsyncClient, job: str) -> None:
    deep = "[" * 300 + "]" * 300
    for path, body, where in (
        ("/v1/approvals/any", {"decision": "edit", "edit": deep}, "edit"),
        (f"/v1/jobs/{job}/replay", {"branch": "0.1", "output": deep}, "output"),
    ):
        response = await client.post(path, json=body)
        assert response.status_code == 422
        assert response.json()["errors"][0]["path"] == where


async def test_the_text_of_an_escape_is_no_escape(client: httpx.AsyncClient) -> None:
    metadata = {"pattern": r"\u0000", "emoji": "😀"}
    response = await client.post("/v1/jobs", json={"question": Q, "metadata": metadata})
    assert response.status_code == 202
    assert response.json()["metadata"] == metadata


async def test_a_job_that_an_earlier_release_let_in_fails_no_list(
    client: httpx.AsyncClient, store: Store, job: str
) -> None:
    deep: Any = "bottom"
    for _ in range(300):
        deep = [deep]
    spec = JobSpec(messages=(say("user", Q),), policy="plan", metadata={"kept": 1, "deep": deep})
    row = (await store.jobs.submit(NewJob(spec=spec, policy_version="v0", trace_id="0" * 32))).job
    page = (await client.get("/v1/jobs")).json()["items"]
    assert [one["id"] for one in page] == [row.id, job]
    assert page[0]["metadata"]["kept"] == 1
    assert CUT in json.dumps(page[0]["metadata"]["deep"])
    assert (await client.get(f"/v1/jobs/{row.id}")).json() == page[0]


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/jobs", {"question": Q, "budget": {"seconds": 1e300}}, "budget.seconds"),
        ("/v1/jobs", {"question": Q, "budget": {"branch_seconds": 1e300}}, "budget.branch_seconds"),
        ("/v1/jobs", {"question": Q, "budget": {"tokens": 10**30}}, "budget.tokens"),
        ("/v1/jobs", {"question": Q, "budget": {"branches": 10**30}}, "budget.branches"),
        ("/v1/jobs", {"question": Q, "budget": {"depth": 10**30}}, "budget.depth"),
        ("/v1/jobs", {"question": Q, "seed": 10**30}, "seed"),
        ("/v1/jobs", {"question": Q, "sampling": {"max_tokens": 10**30}}, "sampling.max_tokens"),
        ("/v1/jobs", {"question": Q, "sampling": {"temperature": 5}}, "sampling.temperature"),
        ("/v1/chat/completions", {**CHAT, "temperature": 5}, "temperature"),
        ("/v1/chat/completions", {**CHAT, "seed": 10**30}, "seed"),
        ("/v1/chat/completions", {**CHAT, "max_tokens": 10**30}, "max_tokens"),
        ("/v1/chat/completions", {**CHAT, "max_completion_tokens": 10**30}, "max_completion_tokens"),
    ],
)
async def test_numbers_that_no_table_holds(
    path: str, body: dict[str, Any], where: str, client: httpx.AsyncClient, store: Store
) -> None:
    response = await client.post(path, json=body)
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["path"] == where
    assert (await store.jobs.list_page()).items == ()


async def test_places_that_no_journal_has(client: httpx.AsyncClient, job: str) -> None:
    headers = {"Accept": "application/json"}
    response = await client.get(f"/v1/jobs/{job}/events?after={10**30}", headers=headers)
    assert response.status_code == 422
