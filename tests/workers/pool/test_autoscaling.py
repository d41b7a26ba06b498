"""How many replicas a pool has, by what organizers want of it: the policy as Serve runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy

from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.pool.autoscaling import pool_scaling, stat_of, teller_scaling, wanted_replicas
from anabranch.workers.settings import PoolSettings


@dataclass
class Told:
    """A value that a replica told, as Serve keeps it."""

    value: float


def deployment(
    name: str,
    config: AutoscalingConfig,
    target: int = 1,
    running: Sequence[str] = (),
    told: Mapping[str, Mapping[str, Sequence[Told]]] | None = None,
) -> Any:
    return AutoscalingContext(
        deployment_id=name,
        deployment_name=name,
        app_name="anabranch",
        current_num_replicas=target,
        target_num_replicas=target,
        running_replicas=list(running),
        total_num_requests=0.0,
        total_queued_requests=0.0,
        aggregated_metrics={},
        raw_metrics=lambda: told or {},
        capacity_adjusted_min_replicas=0,
        capacity_adjusted_max_replicas=8,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=None,
        config=config,
    )


def pool(name: str = "pool-a", *, running: int = 0) -> Any:
    settings = PoolSettings(engine=ScriptedSettings(), min_replicas=0, max_replicas=8, max_decodes=10)
    return deployment(name, pool_scaling(settings), running)


def organizers(*each: Mapping[str, float] | None) -> Any:
    """What each wants of each pool; None for one that has not said anything yet."""
    names = [f"organizer-{n}" for n in range(len(each))]
    told: dict[str, dict[str, Sequence[Told]]] = {}
    for name, wants in zip(names, each, strict=True):
        for of, decodes in (wants or {}).items():
            told.setdefault(stat_of(of), {})[name] = [Told(99.0), Told(98.0), Told(decodes)]
    return deployment("Organizer", teller_scaling(len(each)), len(each), names, told)


def decide(*deployments: Any) -> dict[str, int]:
    decided, state = wanted_replicas({each.deployment_name: each for each in deployments})
    assert state == {}
    return decided


@pytest.mark.parametrize(
    ("wanted", "replicas"), [(0, 0), (1, 1), (7, 1), (8, 2), (14, 2), (15, 3), (700, 100)]
)
def test_a_replica_is_there_for_each_seven_tenths_of_its_decodes(wanted: int, replicas: int) -> None:
    assert decide(pool(), organizers({"pool-a": wanted})) == {"pool-a": replicas}


def test_what_all_organizers_want_counts_together_and_each_pool_for_itself() -> None:
    told = organizers({"pool-a": 4, "pool-b": 0}, {"pool-a": 4, "pool-b": 1})
    assert decide(pool("pool-a"), pool("pool-b", running=3), told) == {"pool-a": 2, "pool-b": 1}


def test_while_an_organizer_has_told_nothing_no_pool_loses_a_replica_and_may_gain_one() -> None:
    assert decide(pool(running=5), organizers({"pool-a": 1}, None)) == {"pool-a": 5}
    assert decide(pool(running=1), organizers({"pool-a": 15}, None)) == {"pool-a": 3}


def test_of_what_nobody_told_nothing_is_decided() -> None:
    assert decide(pool(running=2), organizers(None)) == {}
    assert decide(pool(running=2)) == {}


def test_up_is_fast_and_down_is_slow() -> None:
    config = pool().config
    assert (config.min_replicas, config.max_replicas) == (0, 8)
    assert config.upscale_delay_s < 5 < config.downscale_delay_s == 600
    assert pool_scaling(PoolSettings(engine=ScriptedSettings(), replicas=3)) is None
    told = organizers(None, None).config
    assert told.min_replicas == told.max_replicas == 2


def test_serve_finds_the_policy_by_its_name() -> None:
    name = "anabranch.workers.pool.autoscaling:wanted_replicas"
    found = AutoscalingPolicy(policy_function=name).get_policy()
    contexts = {each.deployment_name: each for each in (pool(), organizers({"pool-a": 8}))}
    assert found(contexts) == ({"pool-a": 2}, {})
