"""What Prometheus is told of ended jobs, and the Grafana dashboard that is drawn from it."""

import asyncio
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from tests.service.api.conftest import Organizer, answer, decode, fork, join

from anabranch.dag import events as e
from anabranch.dag.decoding import Timing
from anabranch.dag.ids import BranchId
from anabranch.service.api.metrics.jobs import EndedJobs
from anabranch.service.store.store import Store

GRAFANA = Path(__file__).parents[4] / "deploy/components/monitoring/grafana.json"

Samples = dict[tuple[str, str], float]


async def scraped(client: httpx.AsyncClient) -> Samples:
    """Samples by name and what tells them apart within a policy."""
    text = (await client.get("/metrics")).text
    families = text_string_to_metric_families(text)
    samples = (sample for family in families for sample in family.samples)
    apart = ("kind", "outcome", "le", "status")
    return {
        (
            sample.name,
            next((sample.labels[name] for name in apart if name in sample.labels), ""),
        ): sample.value
        for sample in samples
    }


async def test_ended_jobs_are_counted_once_and_exactly(
    client: httpx.AsyncClient, job: str, organizer: Organizer
) -> None:
    before = await scraped(client)
    assert ("anabranch_tokens_total", "completion") not in before
    await organizer.answer(job)
    usage = (await client.get(f"/v1/jobs/{job}")).json()["usage"]
    for _ in range(2):
        after = await scraped(client)
        for kind in ("prompt", "cached", "completion"):
            assert after["anabranch_tokens_total", kind] == usage[f"{kind}_tokens"]
        assert usage["completion_tokens"] == 20
        assert after["anabranch_branches_total", "returned"] == 3
        assert after["anabranch_jobs_ended_total", "succeeded"] == 1
        assert after["anabranch_job_seconds_count", ""] == 1


def slow_decode(branch: str, seconds: float) -> list[e.Event]:
    """A branch whose first token comes so long from now."""
    started, finished, *_ = decode(branch)
    assert isinstance(finished, e.SegmentFinished)
    timing = Timing(first_token=time.time() + seconds)
    return [started, replace(finished, decoded=replace(finished.decoded, timing=timing))]


async def fork_and_join_slowly(organizer: Organizer, job: str) -> None:
    await organizer.append(job, *fork("0.1", "0.2"))
    for branch in ("0.1", "0.2"):
        returned = e.BranchReturned(branch=BranchId(branch), value="42")
        await organizer.append(job, *slow_decode(branch, 45), returned)
    await organizer.append(job, *join("0.1", "0.2"))
    metrics = {"waste_tokens": 7, "critical_path_seconds": 155.0, "queue_seconds": 0.5}
    await organizer.append(job, *slow_decode("0", 110), *answer("42", "0.1", "0.2"), metrics=metrics)


async def test_forks_and_joins_are_timed_until_the_first_token_behind_them(
    client: httpx.AsyncClient, job: str, organizer: Organizer
) -> None:
    await fork_and_join_slowly(organizer, job)
    after = await scraped(client)
    assert after["anabranch_waste_tokens_total", ""] == 7
    assert after["anabranch_critical_path_seconds_sum", ""] == 155
    assert after["anabranch_queue_seconds_count", ""] == 1
    assert after["anabranch_fork_seconds_count", ""] == 2
    assert after["anabranch_join_seconds_count", ""] == 1
    assert after["anabranch_fork_seconds_sum", ""] == pytest.approx(90, abs=30)
    assert after["anabranch_join_seconds_sum", ""] == pytest.approx(110, abs=30)


async def test_every_metric_that_the_grafana_dashboard_draws_exists(client: httpx.AsyncClient) -> None:
    text = (await client.get("/metrics")).text
    names = set(re.findall(r"# TYPE (\w+)", text))
    panels = json.loads(GRAFANA.read_text(encoding="utf-8"))["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    drawn = {name for expression in expressions for name in re.findall(r"anabranch_\w+", expression)}
    assert len(drawn) > 10
    assert {name.removesuffix("_bucket") for name in drawn} <= names
    assert len({panel["id"] for panel in panels}) == len(panels)


async def test_several_processes_behind_one_database_can_be_summed(
    store: Store, job: str, organizer: Organizer
) -> None:
    registries = [CollectorRegistry() for _ in range(3)]
    processes = [EndedJobs(registry) for registry in registries]
    await organizer.answer(job)
    for _ in range(2):
        await asyncio.gather(*(process.count(store) for process in processes))
    found = [
        sample.value
        for registry in registries
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "anabranch_jobs_ended_total"
    ]
    assert found == [1]
