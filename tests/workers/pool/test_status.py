"""What a person is told of the pool."""

import pytest

from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.pool.status import Found, Gpus, describe, start_in_words
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
