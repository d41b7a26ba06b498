"""What a pool asks of Serve; a replica that starts before what it needs."""

from typing import Any

import pytest

from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.pool import deployment
from anabranch.workers.pool.deployment import (
    CPU_SHARE,
    LAST_SECONDS,
    STAY_SECONDS,
    await_upstream,
    threads_of,
    worker_pool,
)
from anabranch.workers.settings import PoolSettings


def test_an_upstream_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve gives a replica up, for good, that fails three times."""
    engine: Any = object()
    outcomes: list[Any] = [*(ModelUnavailable("no answer") for _ in range(4)), engine]

    def build(_: object) -> Any:
        if isinstance(found := outcomes.pop(0), Exception):
            raise found
        return found

    monkeypatch.setattr(deployment, "build_engine", build)
    assert await_upstream(OpenAISettings(base_url="http://upstream/v1"), pause=0.0) is engine


def test_a_model_that_cannot_be_loaded_here_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_: object) -> Any:
        raise ModelUnavailable("no such model")

    monkeypatch.setattr(deployment, "build_engine", build)
    with pytest.raises(ModelUnavailable):
        await_upstream(ScriptedSettings(), pause=0.0)


SCALING = PoolSettings(
    engine=ScriptedSettings(), replicas=3, min_replicas=1, max_replicas=5, gpus_per_replica=2
)


def deployed(settings: PoolSettings, **how: bool) -> Any:
    """What Serve is asked for."""
    return worker_pool(settings, lambda: settings, app="a", **how)._bound_deployment


def test_a_pool_that_has_its_machine_keeps_its_replicas_and_asks_for_no_cpu() -> None:
    asked = deployed(SCALING, private=True)
    assert (asked.num_replicas, asked._deployment_config.autoscaling_config) == (3, None)
    assert asked.ray_actor_options == {"num_cpus": 0, "num_gpus": 2, "resources": {}}
    assert asked._deployment_config.graceful_shutdown_wait_loop_s == LAST_SECONDS
    assert asked.init_kwargs == {"sharing": True}


def test_a_pool_of_a_cluster_scales_and_may_have_its_place() -> None:
    asked = deployed(SCALING, private=False, placed=True)
    scaling = asked._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 5)
    assert asked.ray_actor_options == {
        "num_cpus": CPU_SHARE,
        "num_gpus": 2,
        "resources": {"pool-default": 1},
    }
    assert asked._deployment_config.graceful_shutdown_wait_loop_s == STAY_SECONDS
    assert asked.init_kwargs == {"sharing": False}
    fixed = deployed(PoolSettings(engine=ScriptedSettings(), replicas=2), private=False)
    assert (fixed.num_replicas, fixed._deployment_config.autoscaling_config) == (2, None)


@pytest.mark.parametrize(
    ("cores", "replicas", "threads"),
    [(1, 1, 1), (2, 1, 1), (9, 1, 8), (9, 2, 4), (10, 4, 2), (4, 8, 1)],
)
def test_replicas_share_the_cores_but_one(cores: int, replicas: int, threads: int) -> None:
    assert threads_of(cores, replicas) == threads
