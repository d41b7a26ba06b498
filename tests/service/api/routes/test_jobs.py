"""Submitting, listing, looking at and cancelling jobs."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from anabranch.dag.answers.citations import Citation
from anabranch.dag.events import AnswerCommitted, BranchReturned, JobSubmitted, JobSucceeded
from anabranch.dag.ids import BranchId, JobId
from anabranch.service.settings import Price
from anabranch.service.store.store import Store

QUESTION = {"question": "What is six times seven?"}
IN_NO_YEAR = ("9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+14:00")
"""Moments that have no name in UTC."""


async def submitted(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    response = await client.post("/v1/jobs", json=QUESTION | more)
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    return job


async def test_a_job_is_durable_before_the_202(
    client: httpx.AsyncClient, store: Store, organizers: Any
) -> None:
    response = await client.post("/v1/jobs", json=QUESTION)
    job = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (await store.jobs.get(job["id"])).spec.question == QUESTION["question"]
    assert organizers.nudged == [job["id"]]


async def test_what_was_asked_is_what_is_shown(client: httpx.AsyncClient) -> None:
    asked: dict[str, Any] = {
        "policy": {"name": "self-consistency", "params": {"n": 3}},
        "budget": {"tokens": 20000, "seconds": 60, "branches": 64, "depth": 3, "cost": 0.05},
        "priority": 2,
        "seed": 7,
        "sampling": {
            "temperature": 0.5,
            "max_tokens": 99,
            "thinking": "on",
            "thinking_tokens": 64,
            "top_k": 40,
            "presence_penalty": -0.5,
        },
        "approvals": ["fork", "answer"],
        "metadata": {"any": ["json", None, 1.5]},
    }
    job = await submitted(client, **asked)
    assert job["policy"] == asked["policy"]
    assert job["budget"] == {**asked["budget"], "branch_seconds": None}
    assert (job["priority"], job["seed"], job["metadata"]) == (2, 7, asked["metadata"])
    said = {name: value for name, value in job["sampling"].items() if value is not None}
    assert said == {**asked["sampling"], "keep_tokens": False}
    assert {"top_p", "min_p", "frequency_penalty", "repetition_penalty"} < job["sampling"].keys()
    assert job["approvals"] == ["fork", "answer"]
    assert (job["status"], job["answer"], job["error"], job["attempt"]) == ("queued", None, None, 1)
    assert job["created_at"].endswith("Z")
    assert len(job["created_at"]) == len("2026-03-14T09:26:53.589793Z")


async def test_a_conversation_may_be_given_instead(client: httpx.AsyncClient) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Six times seven?"}]
    response = await client.post("/v1/jobs", json={"messages": messages})
    assert response.json()["messages"] == messages
    assert response.json()["question"] == "Six times seven?"


async def test_the_answer_may_be_begun(client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "Six times seven?"}, {"role": "assistant", "content": "It is"}]
    job = (await client.post("/v1/jobs", json={"messages": messages})).json()
    assert (job["messages"], job["question"], job["prompt"]) == (messages, "Six times seven?", None)


async def test_a_raw_prompt_may_be_given_instead(client: httpx.AsyncClient, store: Store) -> None:
    prompt = "Moving to Node #0\nCurrent State: "
    job = (await client.post("/v1/jobs", json={"prompt": prompt})).json()
    assert (job["messages"], job["question"], job["prompt"]) == ([], prompt, prompt)
    assert (await store.jobs.get(job["id"])).spec.raw


async def test_a_seed_that_was_not_given_is_drawn_and_recorded(client: httpx.AsyncClient) -> None:
    seeds = {(await submitted(client))["seed"] for _ in range(5)}
    assert len(seeds) == 5


async def test_the_same_key_and_body_give_the_same_job(client: httpx.AsyncClient, organizer: Any) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await client.post("/v1/jobs", json=QUESTION | {"priority": 3}, headers=headers)
    again = await client.post("/v1/jobs", json={"priority": 3} | QUESTION, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["location"] == first.headers["location"]


async def test_the_same_key_with_another_body_is_a_conflict(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "once"}
    await client.post("/v1/jobs", json=QUESTION, headers=headers)
    other = await client.post("/v1/jobs", json={"question": "Another?"}, headers=headers)
    assert other.status_code == 409
    assert other.json()["type"] == "urn:anabranch:idempotency-conflict"


async def test_a_key_sent_ten_times_is_accepted_once_and_answered_ten_times(
    client: httpx.AsyncClient,
) -> None:
    """Whether it holds between processes is the store's to test: tests/service/store/jobs/test_submissions.py."""
    headers = {"Idempotency-Key": "race"}
    answers = await asyncio.gather(
        *(client.post("/v1/jobs", json=QUESTION, headers=headers) for _ in range(10))
    )
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [202]


async def test_the_callers_trace_is_the_jobs(client: httpx.AsyncClient, store: Store) -> None:
    header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    response = await client.post("/v1/jobs", json=QUESTION, headers={"traceparent": header})
    assert response.json()["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert (await store.jobs.get(response.json()["id"])).traceparent == header


async def test_the_models_price_is_the_jobs(client: httpx.AsyncClient, store: Store, app: FastAPI) -> None:
    prices = {"*": Price(prompt=1, completion=2), "large": Price(prompt=10, completion=30)}
    deps = app.state.deps
    app.state.deps = replace(deps, settings=deps.settings.model_copy(update={"prices": prices}))
    limits = {}
    for model in (None, "large", "other"):
        job = await submitted(client, model=model)
        (first,) = await store.journal.read(JobId(job["id"]))
        assert isinstance(first.event, JobSubmitted)
        limits[model] = (first.event.limits.prompt_price, first.event.limits.completion_price)
    assert limits == {None: (1e-6, 2e-6), "large": (1e-5, 3e-5), "other": (1e-6, 2e-6)}


async def test_an_answered_job_tells_all(client: httpx.AsyncClient, organizer: Any, job: str) -> None:
    await organizer.answer(job)
    shown = (await client.get(f"/v1/jobs/{job}")).json()
    assert shown["status"] == "succeeded"
    assert shown["answer"] == {
        "text": "42",
        "sources": ["0.1", "0.2"],
        "forced": False,
        "truncated": False,
        "calls": [],
        "citations": [],
    }
    assert shown["usage"]["completion_tokens"] == 20
    assert shown["started_at"] <= shown["finished_at"]


async def test_an_answer_tells_what_it_cites(client: httpx.AsyncClient, organizer: Any, job: str) -> None:
    """By number: which tool gave the passage, in which branch, and where it stands."""
    lease = Citation(
        number=1, source="files", branch=BranchId("0.1.1"), title="Lease", url="a.pdf", text="Rent"
    )
    committed = AnswerCommitted(text="On Monday [1].", citations=(lease,))
    await organizer.append(job, committed, BranchReturned(value="On Monday [1]."), JobSucceeded())
    told = (await client.get(f"/v1/jobs/{job}")).json()["answer"]["citations"]
    assert told == [
        {"number": 1, "source": "files", "branch": "0.1.1", "title": "Lease", "url": "a.pdf", "text": "Rent"}
    ]


async def test_waiting_for_a_job_ends_with_the_job(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    waiting = asyncio.create_task(client.get(f"/v1/jobs/{job}?wait=60"))
    await organizer.append(job)
    assert not waiting.done()
    await organizer.answer(job)
    assert (await waiting).json()["status"] == "succeeded"


async def test_waiting_ends_when_the_time_is_over(client: httpx.AsyncClient, job: str) -> None:
    assert (await client.get(f"/v1/jobs/{job}?wait=0.05")).json()["status"] == "queued"


async def test_lists_are_newest_first_and_pages_stay_put(client: httpx.AsyncClient) -> None:
    made = [(await submitted(client, metadata={"n": n}))["id"] for n in range(5)]
    first = (await client.get("/v1/jobs?limit=2")).json()
    await submitted(client)
    second = (await client.get("/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    third = (await client.get("/v1/jobs", params={"limit": 2, "cursor": second["next_cursor"]})).json()
    listed = [one["id"] for page in (first, second, third) for one in page["items"]]
    assert listed == list(reversed(made))
    assert third["next_cursor"] is None


async def test_lists_are_filtered(client: httpx.AsyncClient, organizer: Any) -> None:
    done = (await submitted(client, policy={"name": "sequential"}))["id"]
    await organizer.answer(done)
    open_ = (await client.post("/v1/jobs", json={"question": "100% sure?"})).json()["id"]

    async def ids(**query: str) -> list[str]:
        return [one["id"] for one in (await client.get("/v1/jobs", params=query)).json()["items"]]

    assert await ids(status="succeeded") == [done]
    assert await ids(policy="sequential") == [done]
    assert await ids(q="100%") == [open_]


async def test_cancelling_is_asked_for_and_may_be_asked_again(
    client: httpx.AsyncClient, store: Store, job: str, organizers: Any
) -> None:
    for _ in range(2):
        response = await client.post(f"/v1/jobs/{job}/cancel")
        assert response.status_code == 202
        assert response.json()["cancel_requested"] is True
    assert (await store.jobs.get(JobId(job))).cancel_requested
    assert organizers.nudged[-1] == job


async def test_cancelling_a_finished_job_changes_nothing(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    await organizer.answer(job)
    before = (await client.get(f"/v1/jobs/{job}")).json()
    response = await client.post(f"/v1/jobs/{job}/cancel")
    assert response.status_code == 202
    assert response.json() == before


async def test_an_edited_rerun_is_a_new_job_with_lineage(
    client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    await organizer.answer(job)
    response = await client.post(f"/v1/jobs/{job}/replay", json={"branch": "0.2", "output": "43"})
    rerun = response.json()
    assert response.status_code == 202
    assert rerun["id"] != job
    assert rerun["lineage"] == {"job": job, "branch": "0.2", "output": "43"}
    assert rerun["question"] == QUESTION["question"]


@pytest.mark.parametrize(("branch", "status"), [("0.9", 404), ("0", 422), ("one", 422), ("0.2; DROP", 422)])
async def test_only_a_branch_that_exists_can_be_edited(
    branch: str, status: int, client: httpx.AsyncClient, organizer: Any, job: str
) -> None:
    await organizer.answer(job)
    response = await client.post(f"/v1/jobs/{job}/replay", json={"branch": branch, "output": ""})
    assert response.status_code == status


async def test_a_running_job_is_not_rerun(client: httpx.AsyncClient, job: str) -> None:
    response = await client.post(f"/v1/jobs/{job}/replay", json={"branch": "0.1", "output": ""})
    assert response.status_code == 409


async def test_lists_are_filtered_by_what_was_asked_and_said(
    client: httpx.AsyncClient, organizer: Any
) -> None:
    ours = await submitted(client, metadata={"team": "search", "note": "a=b"}, seed=7)
    await submitted(client, metadata={"team": "ads"}, seed=8)

    async def found(**wanted: Any) -> list[str]:
        response = await client.get("/v1/jobs", params=wanted)
        assert response.status_code == 200, response.text
        return [job["id"] for job in response.json()["items"]]

    assert await found(metadata=["team=search", "note=a=b"]) == [ours["id"]]
    assert await found(metadata=["team=search", "note=a"]) == []
    assert await found(seed=7, said="SIX times", param=[], budget=[]) == [ours["id"]]
    assert await found(said="nowhere") == []


@pytest.mark.parametrize("wanted", [{"metadata": "team"}, {"param": "=4"}, {"budget": ""}, {"seed": "x"}])
async def test_a_filter_that_says_nothing_is_refused(
    client: httpx.AsyncClient, wanted: dict[str, str]
) -> None:
    response = await client.get("/v1/jobs", params=wanted)
    assert response.status_code == 422
    assert response.json()["errors"][0]["path"].endswith(next(iter(wanted)))


async def test_ended_jobs_are_sorted_by_the_service_and_errors_are_counted(
    client: httpx.AsyncClient, organizer: Any
) -> None:
    done = (await submitted(client))["id"]
    await organizer.answer(done)
    await submitted(client)
    page = (await client.get("/v1/jobs", params={"sort": "cost", "limit": 1})).json()
    assert [one["id"] for one in page["items"]] == [done]
    assert (await client.get("/v1/jobs?sort=age")).status_code == 422
    assert (await client.get("/v1/jobs?sort=cost&cursor=W10=")).status_code == 400
    later = (await client.get("/v1/jobs", params={"since": "2999-01-01T00:00:00Z"})).json()
    assert later["items"] == []
    for wrong in ("0.5", "1700000000", "2026-01-01T00:00:00", "yesterday", *IN_NO_YEAR):
        for path in ("/v1/jobs", "/v1/jobs/errors"):
            refused = await client.get(path, params={"since": wrong})
            assert refused.status_code == 422, wrong
            assert refused.json()["errors"][0]["path"] == "since"
    for right in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00"):
        assert (await client.get("/v1/jobs", params={"since": right})).status_code == 200, right
    errors = (await client.get("/v1/jobs/errors", params={"policy": "sequential"})).json()
    assert errors == {"items": [], "complete": True}
