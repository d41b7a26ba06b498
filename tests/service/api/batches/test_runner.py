"""What the runner does with the lines of a batch: within quotas, until the window is over, one wrong line at a time."""

import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.service.api.conftest import Organizer, Organizers

from anabranch.dag import events as e
from anabranch.service.api.batches import runner
from anabranch.service.api.batches.runner import BatchRunner
from anabranch.service.api.batches.uploads import OF_ONE, one_of_few
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.problems import Fault, bad_input
from anabranch.service.store.jobs.quotas import Quota
from anabranch.service.store.store import Store
from anabranch.service.tenants.callers import ANYBODY, Caller

JOB = {"question": "What is six times seven?"}
LINES = {"content-type": "application/jsonl"}


class Keyring:
    """Everybody is this caller, as long as anybody is."""

    def __init__(self, caller: Caller | None) -> None:
        self.caller = caller

    async def of_tenant(self, tenant: str) -> Caller | None:
        assert tenant == "default"
        return self.caller


@pytest.fixture
def deps(app: FastAPI) -> Dependencies:
    deps: Dependencies = app.state.deps
    return deps


@pytest.fixture
def running(deps: Dependencies) -> BatchRunner:
    return BatchRunner(deps, open_lines=3)


def with_keys(deps: Dependencies, keyring: Keyring) -> Dependencies:
    return replace(deps, keyring=keyring)  # type: ignore[arg-type]


async def submit(client: httpx.AsyncClient, lines: list[Any], **query: str) -> str:
    content = "\n".join(json.dumps(line) for line in lines)
    made = await client.post("/v1/batches", content=content, headers=LINES, params=query)
    assert made.status_code == 200, made.text
    return str(made.json()["id"])


async def drive(running: BatchRunner) -> None:
    """Until there is nothing left to do."""
    while await running.step():
        pass


async def told(client: httpx.AsyncClient, batch: str) -> list[Any]:
    results = await client.get(f"/v1/batches/{batch}/results")
    return [json.loads(line) for line in results.text.splitlines()]


async def open_jobs(store: Store) -> list[Any]:
    return [job for job in (await store.jobs.list_page(limit=200)).items if job.finished_at is None]


async def test_only_so_many_lines_are_under_way(
    client: httpx.AsyncClient,
    store: Store,
    running: BatchRunner,
    organizer: Organizer,
    organizers: Organizers,
) -> None:
    batch = await submit(client, [JOB] * 8)
    await drive(running)
    first = await open_jobs(store)
    assert len(first) == 3 and {job.id for job in first} == set(organizers.nudged)
    await organizer.answer(first[0].id)
    await drive(running)
    assert len(await open_jobs(store)) == 3
    while jobs := await open_jobs(store):
        for job in jobs:
            await organizer.answer(job.id)
        await drive(running)
    await running.step()
    ended = (await client.get(f"/v1/batches/{batch}")).json()
    assert ended["status"] == "completed"
    assert ended["request_counts"] == {"total": 8, "completed": 8, "failed": 0}
    assert [line["custom_id"] for line in await told(client, batch)] == [str(n) for n in range(1, 9)]


async def test_a_job_that_failed_is_an_error_of_its_line(
    client: httpx.AsyncClient, store: Store, running: BatchRunner, organizer: Organizer
) -> None:
    body = {"model": "anabranch/sequential", "messages": [{"role": "user", "content": "?"}]}
    lines = [
        {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body} for name in "ab"
    ]
    batch = await submit(client, lines)
    await drive(running)
    b, a = await open_jobs(store)
    await organizer.append(
        a.id, e.BranchFailed(cause="prompt-too-long"), e.JobFailed(type="prompt-too-long", title="t")
    )
    await organizer.answer(b.id)
    await drive(running)
    ended = (await client.get(f"/v1/batches/{batch}")).json()
    assert ended["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    failed, succeeded = await told(client, batch)
    assert failed["response"]["status_code"] == 400
    assert failed["response"]["body"]["error"]["code"] == "context_length_exceeded"
    assert succeeded["response"]["body"]["choices"][0]["message"]["content"] == "42"
    errors = (await client.get(f"/v1/files/{ended['error_file_id']}/content")).text
    assert [json.loads(line) for line in errors.splitlines()] == [failed]


async def test_a_batch_waits_for_its_tenants_quota_and_goes_on(
    client: httpx.AsyncClient, store: Store, deps: Dependencies, organizer: Organizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(runner, "LOOK_AGAIN_SECONDS", 0.0)
    batch = await submit(client, [JOB | {"budget": {"tokens": tokens}} for tokens in (60, 60, 1000)])
    limited = Keyring(Caller(quota=Quota(tokens=100)))
    running = BatchRunner(with_keys(deps, limited))
    await drive(running)
    (job,) = await open_jobs(store)
    await organizer.answer(job.id)  # which took 20 of its 60
    await drive(running)
    (job,) = await open_jobs(store)
    await organizer.answer(job.id)
    await drive(running)
    *answered, refused = await told(client, batch)
    assert [line["response"]["status_code"] for line in answered] == [200, 200]
    assert refused["response"]["status_code"] == 429
    assert refused["response"]["body"]["error"]["code"] == "rate_limit_exceeded"
    assert (await client.get(f"/v1/batches/{batch}")).json()["status"] == "completed"


async def test_a_batch_of_a_tenant_without_keys_stands_still(
    client: httpx.AsyncClient, store: Store, deps: Dependencies
) -> None:
    await submit(client, [JOB])
    keyring = Keyring(None)
    running = BatchRunner(with_keys(deps, keyring))
    await drive(running)
    assert not await open_jobs(store)
    keyring.caller = Caller()
    await drive(running)
    assert len(await open_jobs(store)) == 1


async def test_lines_without_an_answer_when_the_window_is_over_expire(
    client: httpx.AsyncClient, store: Store, running: BatchRunner, organizer: Organizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    batch = await submit(client, [JOB] * 5, completion_window="2h")
    await drive(running)
    answered, *others = sorted(await open_jobs(store), key=lambda job: str(job.spec.metadata["custom_id"]))
    await organizer.answer(answered.id)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(hours=2)

    monkeypatch.setattr(runner, "datetime", Later)
    await drive(running)
    assert (await client.get(f"/v1/batches/{batch}")).json()["status"] == "finalizing"
    for job in others:
        assert (await store.jobs.get(job.id)).cancel_requested
        await organizer.append(job.id, e.BranchCancelled(reason="late"), e.JobCancelled(reason="late"))
    await drive(running)
    ended = (await client.get(f"/v1/batches/{batch}")).json()
    assert ended["status"] == "expired" and ended["expired_at"]
    assert ended["request_counts"] == {"total": 5, "completed": 1, "failed": 4}
    codes = [(line["error"] or {}).get("code") for line in await told(client, batch)]
    assert codes == [None, *["batch_expired"] * 4]


async def test_a_line_that_is_refused_by_now_fails_alone(
    client: httpx.AsyncClient, store: Store, deps: Dependencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = await submit(client, [JOB, JOB | {"model": "gone"}, JOB])

    class Served:
        async def check_spec(self, spec: Any, _where: str) -> None:
            if spec.model == "gone":
                raise bad_input([Fault(path="model", message="no pool serves it")])

    running = BatchRunner(replace(deps, served=Served()))  # type: ignore[arg-type]
    await drive(running)
    assert len(await open_jobs(store)) == 2
    (refused,) = await told(client, batch)
    assert (refused["custom_id"], refused["response"]["status_code"]) == ("2", 422)


async def test_a_batch_that_breaks_here_keeps_no_other_from_going_on(
    client: httpx.AsyncClient, store: Store, running: BatchRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = [await submit(client, [JOB]) for _ in range(2)]
    count_open = store.batches.count_open

    async def count(batch: str) -> int:
        if batch == broken:
            raise ZeroDivisionError
        return await count_open(batch)

    monkeypatch.setattr(store.batches, "count_open", count)
    await drive(running)
    (job,) = await open_jobs(store)
    assert job.spec.metadata["batch"] == other
    monkeypatch.undo()
    await drive(running)
    assert len(await open_jobs(store)) == 2


async def test_what_runs_is_taken_up_by_another_process(
    client: httpx.AsyncClient, store: Store, deps: Dependencies, organizer: Organizer
) -> None:
    batch = await submit(client, [JOB] * 50)
    for _ in range(2):  # killed in between: nothing of the first is known to the second
        await BatchRunner(deps).step()
    while jobs := await open_jobs(store):
        for job in jobs:
            await organizer.answer(job.id)
        await drive(BatchRunner(deps))
    await BatchRunner(deps).step()
    counts = (await client.get(f"/v1/batches/{batch}")).json()["request_counts"]
    assert counts == {"total": 50, "completed": 50, "failed": 0}
    everything = (await store.jobs.list_page(limit=200)).items
    assert sorted(int(str(job.spec.metadata["custom_id"])) for job in everything) == list(range(1, 51))


async def test_only_so_many_uploads_are_taken_at_once(client: httpx.AsyncClient) -> None:
    async def batch() -> httpx.Response:
        return await client.post("/v1/batches", content=json.dumps(JOB), headers=LINES)

    async with AsyncExitStack() as places:
        for _ in range(OF_ONE):
            await places.enter_async_context(one_of_few(ANYBODY))
        file = await client.post("/v1/files", files={"file": b"{}"}, data={"purpose": "batch"})
        for told in (await batch(), file):
            assert (told.status_code, told.headers["retry-after"]) == (429, "5")
        await places.enter_async_context(one_of_few(replace(ANYBODY, tenant="acme")))
    assert (await batch()).status_code == 200
