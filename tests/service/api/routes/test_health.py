"""What Prometheus is told while the store is away."""

import asyncio
from typing import Any

import httpx
import pytest

from anabranch.service.api.routes import health
from anabranch.service.store.errors import StoreAway, StoreRefuses
from anabranch.service.store.store import Store

GAUGE = 'anabranch_jobs{status="queued"}'


@pytest.mark.parametrize("fault", [StoreAway(OSError("no route")), StoreRefuses(OSError("no such login"))])
async def test_while_the_store_is_away_metrics_tell_what_this_process_counts(
    fault: StoreAway, client: httpx.AsyncClient, job: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or no alert could tell of the 5xx that are answered meanwhile."""

    async def refuse(_work: Any) -> Any:
        raise fault

    before = (await client.get("/metrics")).text
    assert "anabranch_store_up 1.0" in before
    assert f"{GAUGE} 1.0" in before
    with monkeypatch.context() as away:
        away.setattr(store.database, "read", refuse)
        away.setattr(store.database, "write", refuse)
        refused = await client.get(f"/v1/jobs/{job}")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        meanwhile = await client.get("/metrics")
    assert meanwhile.status_code == 200
    assert "anabranch_store_up 0.0" in meanwhile.text
    assert GAUGE not in meanwhile.text, "nobody knows how many there are"
    counted = 'anabranch_http_requests_total{method="GET",route="/v1/jobs/{job}",status="503"} 1.0'
    assert counted in meanwhile.text
    after = (await client.get("/metrics")).text
    assert "anabranch_store_up 1.0" in after
    assert f"{GAUGE} 1.0" in after


async def test_a_store_that_says_nothing_is_away(
    client: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def say_nothing() -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(health, "STORE_SECONDS", 0.01)
    monkeypatch.setattr(store.jobs, "count_live", say_nothing)
    told = await client.get("/metrics")
    assert told.status_code == 200
    assert "anabranch_store_up 0.0" in told.text
