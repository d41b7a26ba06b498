"""A pool without a replica keeps its own decodes, and everybody who looks is told so."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Served
from anabranch.dag.ids import BranchId
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.load import Load
from anabranch.service.settings import PoolDeclaration, Settings
from anabranch.workers.pool.protocol import PoolLoad

POOLS = {
    "small": PoolDeclaration(engine="scripted", model="s-1"),
    "big": PoolDeclaration(engine="scripted", model="b-1", adapters=["law"]),
}
HERE, AWAY = (
    PoolLoad(replicas=1, decoding=1, capacity=8),
    PoolLoad(replicas=0, decoding=2, capacity=0, waiting=2),
)
LOAD = PoolLoad(replicas=1, decoding=3, capacity=8, waiting=2, pools={"small": HERE, "big": AWAY})
WAITS = "queued: waiting for pool big (no replica runs)"


@pytest.fixture
async def deps(app: FastAPI, settings: Settings, organizers: Any) -> Dependencies:
    organizers.pool = LOAD
    deps: Dependencies = app.state.deps
    return replace(deps, settings=settings.model_copy(update={"engine": "vllm", "pools": POOLS}))


@pytest.fixture
async def of_pools(deps: Dependencies) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(deps))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
async def job(of_pools: httpx.AsyncClient, organizer: Any) -> str:
    """A job whose trunk decodes on the small pool, and one branch of which waits for the big one."""
    job: str = (await of_pools.post("/v1/jobs", json={"question": "?"})).json()["id"]
    await organizer.append(
        job,
        e.JobClaimed(owner="o", attempt=1),
        e.SegmentStarted(segment=1),
        e.BranchForked(child=BranchId("0.1"), role="judge", model="law"),
        e.SegmentStarted(branch=BranchId("0.1"), segment=1, model="law"),
    )
    return job


async def test_a_branch_that_waits_for_its_pool_says_so_and_the_others_do_not(
    of_pools: httpx.AsyncClient, job: str
) -> None:
    told = (await of_pools.get(f"/v1/jobs/{job}/branches/0.1")).json()
    assert (told["status"], told["model"], told["waiting_for"]) == ("decoding", "law", WAITS)
    told = (await of_pools.get(f"/v1/jobs/{job}/branches/0")).json()
    assert (told["model"], told["waiting_for"]) == (None, None)


async def test_a_job_says_what_its_branches_wait_for_alone_and_in_a_list(
    of_pools: httpx.AsyncClient, job: str, organizers: Any
) -> None:
    other = (await of_pools.post("/v1/jobs", json={"question": "another"})).json()["id"]
    assert (await of_pools.get(f"/v1/jobs/{job}")).json()["waiting_for"] == WAITS
    listed = {each["id"]: each["waiting_for"] for each in (await of_pools.get("/v1/jobs")).json()["items"]}
    assert listed == {job: WAITS, other: None}
    organizers.pool = replace(LOAD, pools={"small": HERE, "big": HERE})
    assert (await of_pools.get(f"/v1/jobs/{job}")).json()["waiting_for"] is None


async def test_it_waits_no_more_once_its_segment_has_ended(
    of_pools: httpx.AsyncClient, job: str, organizer: Any
) -> None:
    decoded = Decoded(text="so", finish=Finish.EOS, served=Served(model="b-1/law"), cost=0.5)
    await organizer.append(
        job, e.SegmentFinished(branch=BranchId("0.1"), segment=1, attempt=1, decoded=decoded)
    )
    assert (await of_pools.get(f"/v1/jobs/{job}")).json()["waiting_for"] is None
    told = (await of_pools.get(f"/v1/jobs/{job}/branches/0.1")).json()
    assert (told["waiting_for"], told["model"], told["served_model"]) == (None, "law", "b-1/law")
    (segment,) = told["segments"]
    assert (segment["model"], segment["served_model"], segment["cost"]) == ("law", "b-1/law", 0.5)


async def test_readiness_metrics_and_the_load_tell_of_each_pool(
    of_pools: httpx.AsyncClient, deps: Dependencies
) -> None:
    ready = (await of_pools.get("/readyz")).json()
    assert {name: pool["state"] for name, pool in ready["pools"].items()} == {"small": "ready", "big": WAITS}
    assert ready["pools"]["big"]["waiting"] == 2
    metrics = (await of_pools.get("/metrics")).text
    assert 'anabranch_pools_waiting{pool="big"} 2.0' in metrics
    assert 'anabranch_pools_replicas{pool="small"} 1.0' in metrics
    told = json.loads(await Load(deps, None).as_json())
    assert told["pools"]["big"] == {
        "replicas": 0,
        "decoding": 2,
        "capacity": 0,
        "waiting": 2,
        "state": WAITS,
    }


async def test_while_no_organizer_tells_nothing_is_said_to_wait(
    of_pools: httpx.AsyncClient, job: str, organizers: Any
) -> None:
    organizers.pool = None
    assert (await of_pools.get(f"/v1/jobs/{job}")).json()["waiting_for"] is None
    assert (await of_pools.get("/readyz")).json()["pools"] == {}


async def test_what_a_replica_is_waited_for_is_told_where_it_is_known(
    of_pools: httpx.AsyncClient, job: str, organizers: Any
) -> None:
    starting = replace(AWAY, state="waiting for a GPU")
    organizers.pool = replace(LOAD, pools={"small": HERE, "big": starting})
    told = "queued: waiting for a GPU (pool big)"
    assert (await of_pools.get(f"/v1/jobs/{job}")).json()["waiting_for"] == told
    assert (await of_pools.get(f"/v1/jobs/{job}/branches/0.1")).json()["waiting_for"] == told
    assert (await of_pools.get("/readyz")).json()["pools"]["big"]["state"] == told


async def test_of_a_pool_that_sleeps_and_is_not_asked_nothing_is_queued(
    of_pools: httpx.AsyncClient, organizers: Any
) -> None:
    asleep = PoolLoad(replicas=0, decoding=0, capacity=0)
    organizers.pool = replace(LOAD, pools={"small": HERE, "big": asleep})
    assert (await of_pools.get("/readyz")).json()["pools"]["big"]["state"] == "no replica runs"
