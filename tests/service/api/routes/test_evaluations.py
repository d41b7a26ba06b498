"""Evaluations over REST: what is compared is kept once, verdicts land on the jobs that they judge."""

from typing import Any

import httpx
import pytest
from tests.service.api.conftest import Organizer

from anabranch.dag import events as e
from anabranch.dag.events import Event
from anabranch.dag.ids import TRUNK, JobId

DESIGN: dict[str, Any] = {
    "title": "sums",
    "digest": "a" * 64,
    "tasks": [
        {"id": str(n), "question": f"What is {n} + 1?", "answer": str(n + 1), "grader": "math"}
        for n in (1, 2)
    ],
    "arms": [
        {"label": "one", "policy": "sequential"},
        {"label": "vote", "policy": "self-consistency", "params": {"n": 2}},
    ],
    "seed": 7,
}
METRICS = {
    "critical_path_tokens": 30, "total_tokens": 40, "parallelism": 4 / 3, "waste_tokens": 5,
    "critical_path_seconds": 1.0, "wall_seconds": 1.5, "queue_seconds": 0.1, "branches": 3,
}  # fmt: skip


@pytest.fixture
async def made(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.put("/v1/evaluations/sums-1", json=DESIGN)
    assert response.status_code == 201, response.text
    told: dict[str, Any] = response.json()
    return told


async def test_a_design_is_kept_once(client: httpx.AsyncClient, made: dict[str, Any]) -> None:
    assert (made["run"], made["tasks"], made["arms"], made["judged"]) == ("sums-1", 2, ["one", "vote"], 0)
    again = await client.put("/v1/evaluations/sums-1", json=DESIGN)
    assert (again.status_code, again.json()) == (200, made)
    other = await client.put("/v1/evaluations/sums-1", json=DESIGN | {"digest": "b" * 64})
    assert (other.status_code, other.json()["type"]) == (409, "urn:anabranch:evaluation-conflict")
    listed = (await client.get("/v1/evaluations")).json()
    assert listed == {"items": [made]}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"arms": [{"label": "x", "policy": "nobody's"}]}, "policy.name"),
        (
            {"arms": [{"label": "x", "policy": "self-consistency", "params": {"n": "many"}}]},
            "arms.0.params.n",
        ),
        ({"arms": []}, "arms"),
        ({"tasks": DESIGN["tasks"][:1] * 2}, "body"),
        ({"digest": "short"}, "digest"),
        ({"limits": {"tokens": 0}}, "limits.tokens"),
    ],
)
async def test_what_cannot_be_run_is_refused_whole(
    client: httpx.AsyncClient, wrong: dict[str, Any], path: str
) -> None:
    refused = await client.put("/v1/evaluations/sums-1", json=DESIGN | wrong)
    assert refused.status_code == 422, refused.text
    assert [fault["path"] for fault in refused.json()["errors"]] == [path]
    assert (await client.get("/v1/evaluations/sums-1")).status_code == 404


async def test_verdicts_make_the_table(
    client: httpx.AsyncClient, made: dict[str, Any], job: str, organizer: Organizer
) -> None:
    await organizer.answer(job)
    row = await organizer.store.jobs.get(JobId(job))
    verdict = {"task": "1", "arm": "vote", "job": job, "score": 0.5, "detail": "half"}
    assert (await client.post("/v1/evaluations/sums-1/trials", json=verdict)).status_code == 200
    told = await client.post("/v1/evaluations/sums-1/trials", json=verdict | {"score": 1.0, "detail": ""})
    assert told.json()["total_tokens"] == row.usage.completion_tokens == 20
    shown = (await client.get("/v1/evaluations/sums-1")).json()
    assert (shown["judged"], shown["trials"]) == (1, [told.json()])
    one, vote = shown["reports"]
    assert (one["trials"], vote["trials"], vote["right"], vote["accuracy"]) == (0, 1, 1, 1.0)
    assert vote["jobs"] == [job]
    assert shown["differences"][0]["pairs"] == 0
    assert shown["frontiers"]["total_tokens"] == ["vote"]
    assert shown["design"]["tasks"] == [{**task, "repeats": ""} for task in DESIGN["tasks"]]


async def test_a_verdict_needs_its_place_and_an_ended_job(
    client: httpx.AsyncClient, made: dict[str, Any], job: str
) -> None:
    verdict = {"task": "1", "arm": "vote", "job": job, "score": 1.0}
    early = await client.post("/v1/evaluations/sums-1/trials", json=verdict)
    assert (early.status_code, early.json()["type"]) == (409, "urn:anabranch:not-ended")
    for wrong, path in (({"task": "9"}, "task"), ({"arm": "nobody"}, "arm"), ({"score": 2.0}, "score")):
        refused = await client.post("/v1/evaluations/sums-1/trials", json=verdict | wrong)
        assert [fault["path"] for fault in refused.json()["errors"]] == [path]
    for url, body in (
        ("sums-2", verdict),
        ("sums-1", verdict | {"job": "01900000-0000-7000-8000-000000000009"}),
    ):
        assert (await client.post(f"/v1/evaluations/{url}/trials", json=body)).status_code == 404


async def test_costs_are_those_of_the_job(
    client: httpx.AsyncClient, made: dict[str, Any], job: str, organizer: Organizer
) -> None:
    await organizer.append(job, *_ended(), metrics=METRICS)
    verdict = {"task": "2", "arm": "one", "job": job, "score": 0.0}
    trial = (await client.post("/v1/evaluations/sums-1/trials", json=verdict)).json()
    assert (trial["critical_path_tokens"], trial["total_tokens"], trial["waste_tokens"]) == (30, 40, 5)
    assert (trial["status"], trial["wall_seconds"]) == ("cancelled", 1.5)


def _ended() -> list[Event]:
    return [e.BranchCancelled(branch=TRUNK, reason="asked for"), e.JobCancelled(reason="asked for")]
