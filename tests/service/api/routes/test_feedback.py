"""Ratings of answers, and that they are rewards in exports for training."""

import json

import httpx
from tests.service.api.conftest import Organizer

DESIGN = {
    "title": "sums", "digest": "a" * 64, "arms": [{"label": "one", "policy": "sequential"}],
    "tasks": [{"id": "1", "question": "What is six times seven?", "answer": "42", "grader": "math"}],
}  # fmt: skip


async def test_an_author_has_one_rating_the_last(
    client: httpx.AsyncClient, job: str, organizer: Organizer
) -> None:
    early = await client.post(f"/v1/jobs/{job}/feedback", json={"score": 1.0})
    assert (early.status_code, early.json()["type"]) == (409, "urn:anabranch:not-ended")
    await organizer.answer(job)
    for told in ({"score": 1.0}, {"score": 0.0, "comment": "no"}, {"score": 0.5, "author": "Eve"}):
        assert (await client.post(f"/v1/jobs/{job}/feedback", json=told)).status_code == 200
    items = (await client.get(f"/v1/jobs/{job}/feedback")).json()["items"]
    assert [(one["author"], one["score"], one["comment"]) for one in items] == [
        ("Eve", 0.5, ""),
        ("client", 0.0, "no"),
    ]


async def test_what_is_no_rating_is_refused(client: httpx.AsyncClient, job: str) -> None:
    for wrong, path in (({"score": 1.5}, "score"), ({}, "score"), ({"score": 1.0, "author": " "}, "author")):
        refused = await client.post(f"/v1/jobs/{job}/feedback", json=wrong)
        assert [fault["path"] for fault in refused.json()["errors"]] == [path]
    nobody = "01900000-0000-7000-8000-000000000009"
    assert (await client.post(f"/v1/jobs/{nobody}/feedback", json={"score": 1.0})).status_code == 404
    assert (await client.get(f"/v1/jobs/{nobody}/feedback")).status_code == 404


async def test_verdicts_and_ratings_are_rewards(
    client: httpx.AsyncClient, job: str, organizer: Organizer
) -> None:
    await organizer.answer(job)
    await client.put("/v1/evaluations/sums-1", json=DESIGN)
    await client.post(
        "/v1/evaluations/sums-1/trials", json={"task": "1", "arm": "one", "job": job, "score": 1.0}
    )
    await client.post(f"/v1/jobs/{job}/feedback", json={"score": 0.5, "author": "Eve"})
    rollout = json.loads((await client.get(f"/v1/jobs/{job}/export?format=rl")).text)
    assert rollout["rewards"] == [{"by": "evaluation sums-1", "score": 1.0}, {"by": "Eve", "score": 0.5}]
    assert rollout["reward"] == 0.75
    lines = (await client.get(f"/v1/jobs/{job}/export?format=sft")).text.splitlines()
    assert [json.loads(line)["reward"] for line in lines] == [0.75, 0.75]
