"""What a person is told of the pool."""

from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import serve

from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.pool.status import Found, Gpus, describe, pool_status, start_in_words
from anabranch.workers.settings import PoolSettings


@pytest.mark.parametrize(
    ("found", "gpus_each", "gpus", "words"),
    [
        (Found(running=5), 1, Gpus(free=0, all=5), "5 of 5 replicas running"),
        (Found(running=3), 0, Gpus(free=0, all=0), "3 of 5 replicas running, 2 starting"),
        (Found(running=3), 1, Gpus(free=2, all=5), "3 of 5 replicas running, 2 starting"),
        (
            Found(running=4),
            1,
            Gpus(free=0, all=4),
            (
                "4 of 5 replicas running, 1 waiting for a GPU: "
                "each replica takes 1, and of the cluster's 4 there are 0 free"
            ),
        ),
        (
            Found(running=4, stopping=1),
            1,
            Gpus(free=0, all=5),
            "4 of 5 replicas running, 1 waiting for an old one to end its decodes and stop",
        ),
        (
            Found(running=0, trouble="no such model"),
            0,
            Gpus(free=0, all=0),
            "0 of 5 replicas running, the others fail: no such model",
        ),
    ],
)
def test_it_says_what_runs_and_why_the_rest_does_not(
    found: Found, gpus_each: int, gpus: Gpus, words: str
) -> None:
    engine = ScriptedSettings()
    settings = PoolSettings(engine=engine, replicas=5, gpus_per_replica=gpus_each)
    assert describe(found, settings, gpus) == words


@pytest.mark.parametrize(
    ("found", "unplaced", "loading", "gpus", "words"),
    [
        (Found(running=0), 0, 0, 1, "asking for a replica"),
        (Found(running=0), 1, 0, 1, "waiting for a GPU"),
        (Found(running=0), 2, 0, 0, "waiting for a machine"),
        (Found(running=0, stopping=1), 1, 0, 1, "waiting for an old replica to end its decodes and stop"),
        (Found(running=0, stopping=1), 1, 1, 1, "starting a replica"),
        (Found(running=0, trouble="no such model"), 1, 1, 1, "its replicas fail: no such model"),
    ],
)
def test_who_waits_for_a_replica_is_told_what_is_missing(
    found: Found, unplaced: int, loading: int, gpus: float, words: str
) -> None:
    assert start_in_words(found, unplaced, loading, gpus) == words


def served(**deployments: Any) -> SimpleNamespace:
    """What Serve says of an application."""
    pools = {
        f"pool-{name}": SimpleNamespace(
            message="it broke" if told["status"] == "UNHEALTHY" else "all is well", **told
        )
        for name, told in deployments.items()
    }
    return SimpleNamespace(status="RUNNING", message="all is well", deployments=pools)


@pytest.mark.parametrize(
    ("application", "running", "failed", "words"),
    [
        (None, 0, False, "0 of 2 replicas running, 2 starting"),
        (served(), 0, False, "0 of 2 replicas running, 2 starting"),
        (
            SimpleNamespace(status="DEPLOY_FAILED", message="no such code", deployments={}),
            0,
            True,
            "0 of 2 replicas running, the others fail: no such code",
        ),
        (
            served(small={"status": "HEALTHY", "replica_states": {"RUNNING": 2}}),
            2,
            False,
            "2 of 2 replicas running",
        ),
        (
            served(small={"status": "UPDATING", "replica_states": {"RUNNING": 1, "STARTING": 1}}),
            1,
            False,
            "1 of 2 replicas running, 1 starting",
        ),
        (
            served(small={"status": "UPDATING", "replica_states": {"RUNNING": 1, "STOPPING": 1}}),
            1,
            False,
            "1 of 2 replicas running, 1 waiting for an old one to end its decodes and stop",
        ),
        (
            served(small={"status": "UNHEALTHY", "replica_states": {"STARTING": 1}}),
            0,
            True,
            "0 of 2 replicas running, the others fail: it broke",
        ),
        (
            served(small={"status": "UNHEALTHY", "replica_states": {"RUNNING": 2}}),
            2,
            False,
            "2 of 2 replicas running",
        ),
    ],
    ids=[
        "no application",
        "not deployed",
        "no application could be",
        "all run",
        "one starts",
        "one stops",
        "broken",
        "again",
    ],
)
def test_it_is_asked_of_serve(
    monkeypatch: pytest.MonkeyPatch, application: Any, running: int, failed: bool, words: str
) -> None:
    applications = {} if application is None else {"app": application}
    monkeypatch.setattr(serve, "status", lambda: SimpleNamespace(applications=applications))
    monkeypatch.setattr(ray, "available_resources", dict)
    monkeypatch.setattr(ray, "cluster_resources", dict)
    settings = PoolSettings(engine=ScriptedSettings(), name="small", replicas=2)
    told = pool_status(settings, app="app")
    assert (told.running, told.wanted, told.failed, told.words) == (running, 2, failed, words)


def test_a_cluster_without_gpus_has_none_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "status", lambda: SimpleNamespace(applications={}))
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 4})
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8})
    settings = PoolSettings(engine=ScriptedSettings(), replicas=1, gpus_per_replica=1)
    assert pool_status(settings, app="app").words.endswith("of the cluster's 0 there are 0 free")
