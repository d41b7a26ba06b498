"""Ratings of answers, and that they are rewards in exports for training."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy import insert, text
from tests.service.api.conftest import Organizer

from anabranch.dag.ids import JobId
from anabranch.service.store.evaluations.tables import feedback
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store

AS_JSON = {"Accept": "application/json"}

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


async def test_ratings_are_events_behind_the_end_of_the_journal_and_its_chain_covers_them(
    client: httpx.AsyncClient, job: str, organizer: Organizer, store: Store
) -> None:
    await organizer.answer(job)
    before = (await client.get(f"/v1/jobs/{job}")).json()
    rated = [{"author": "Eve", "score": 1.0}, {"author": "Eve", "score": 0.25, "comment": "after all"}]
    for told in (*rated, rated[1]):  # what was said last is not said twice
        assert (await client.post(f"/v1/jobs/{job}/feedback", json=told)).status_code == 200
    events = (await client.get(f"/v1/jobs/{job}/events", headers=AS_JSON)).json()["items"]
    assert [(event["kind"], event["payload"]) for event in events[-3:]] == [
        ("JobSucceeded", {}),
        ("JobRated", rated[0]),
        ("JobRated", rated[1]),
    ]
    after = (await client.get(f"/v1/jobs/{job}")).json()
    assert after["head_seq"] == before["head_seq"] + 2
    assert {**after, "head_seq": 0, "head_hash": ""} == {**before, "head_seq": 0, "head_hash": ""}
    assert (await store.maintenance.audit(JobId(job))).sound
    await store.database.write(
        lambda connection: connection.execute(
            text("UPDATE events SET payload = replace(payload, '0.25', '0.75') WHERE kind = 'JobRated'")
        )
    )
    broken = (await store.maintenance.audit(JobId(job))).broken
    assert broken is not None and broken.seq == after["head_seq"]


async def test_a_stream_of_a_rated_job_ends_behind_its_last_rating(
    client: httpx.AsyncClient, job: str, organizer: Organizer
) -> None:
    await organizer.answer(job)
    end = (await client.get(f"/v1/jobs/{job}")).json()["head_seq"]
    await client.post(f"/v1/jobs/{job}/feedback", json={"score": 1.0})
    told = await client.get(f"/v1/jobs/{job}/events")
    assert [line for line in told.text.splitlines() if line.startswith("event:")][-2:] == [
        "event: JobSucceeded",
        "event: JobRated",
    ]
    resumed = await client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(end)})
    assert [line for line in resumed.text.splitlines() if line.startswith("event:")] == ["event: JobRated"]
    done = await client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(end + 1)})
    assert done.status_code == 204


async def test_a_rated_journal_is_imported_with_its_ratings(
    client: httpx.AsyncClient, job: str, organizer: Organizer, store: Store, tmp_path: Path
) -> None:
    await organizer.answer(job)
    await client.post(f"/v1/jobs/{job}/feedback", json={"score": 0.5, "author": "Eve"})
    lines = (await client.get(f"/v1/jobs/{job}/export?format=jsonl")).text.splitlines()
    url = f"sqlite:///{tmp_path}/other.db"
    await schema.upgrade(url)
    async with Store(url) as other:
        await other.maintenance.import_journal(lines)
        assert [(row.author, row.score) for row in await other.feedback.list(JobId(job))] == [("Eve", 0.5)]
        assert (await other.maintenance.audit(JobId(job))).sound


async def test_ratings_of_a_release_that_did_not_journal_them_hold_until_their_author_rates_again(
    client: httpx.AsyncClient, job: str, organizer: Organizer, store: Store
) -> None:
    await organizer.answer(job)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    earlier = [
        {"job_id": job, "author": author, "score": 0.0, "comment": "", "at": at} for author in ("Eve", "Ida")
    ]
    await store.database.write(lambda connection: connection.execute(insert(feedback), earlier))
    await client.post(f"/v1/jobs/{job}/feedback", json={"score": 1.0, "author": "Eve"})
    items = (await client.get(f"/v1/jobs/{job}/feedback")).json()["items"]
    assert [(one["author"], one["score"]) for one in items] == [("Eve", 1.0), ("Ida", 0.0)]


async def test_ratings_at_the_same_time_are_all_kept(
    client: httpx.AsyncClient, job: str, organizer: Organizer, store: Store
) -> None:
    await organizer.answer(job)
    sent = (
        client.post(f"/v1/jobs/{job}/feedback", json={"score": place / 10, "author": f"reader {place}"})
        for place in range(10)
    )
    assert {reply.status_code for reply in await asyncio.gather(*sent)} == {200}
    assert len((await client.get(f"/v1/jobs/{job}/feedback")).json()["items"]) == 10
    assert (await store.maintenance.audit(JobId(job))).sound
