"""Waiting for the pool: a field of its status says that it failed, and no word does."""

from collections.abc import Iterator

import pytest

from anabranch.service import cluster
from anabranch.service.readiness import NotReady
from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.pool.status import PoolStatus
from anabranch.workers.settings import PoolSettings

POOL = PoolSettings(engine=ScriptedSettings())


def status(words: str, *, running: int = 0, failed: bool = False) -> PoolStatus:
    return PoolStatus(running=running, wanted=1, words=words, failed=failed)


@pytest.fixture
def will_be(monkeypatch: pytest.MonkeyPatch) -> list[PoolStatus]:
    """What is found at each look, in turn."""
    looks: list[PoolStatus] = []
    found: Iterator[PoolStatus] = iter(looks)
    monkeypatch.setattr(cluster, "pool_status", lambda *_, **__: next(found))
    monkeypatch.setattr(cluster, "POLL_SECONDS", 0.0)
    return looks


def test_a_word_in_a_message_is_no_failure(will_be: list[PoolStatus]) -> None:
    told: list[str] = []
    will_be += [status("loading failsafe-7b"), status("loading failsafe-7b"), status("1 of 1", running=1)]
    cluster.wait_for_pool(POOL, told.append, 60.0)
    assert told == ["loading failsafe-7b", "1 of 1"]


def test_a_pool_that_serve_has_given_up_on_is_not_waited_for(will_be: list[PoolStatus]) -> None:
    will_be += [status("0 of 1"), status("no such model", failed=True)]
    with pytest.raises(NotReady, match="no such model"):
        cluster.wait_for_pool(POOL, lambda _: None, 60.0)


def test_the_patience_ends(will_be: list[PoolStatus]) -> None:
    will_be += [status("0 of 1 replicas running, 1 starting")]
    with pytest.raises(NotReady, match="1 starting"):
        cluster.wait_for_pool(POOL, lambda _: None, -1.0)
