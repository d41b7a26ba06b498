"""A call goes to the replica that its pool named, and the pool hears which replicas there are."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from anabranch.workers.pool.replica_registry import publish, subscribe, unsubscribe
from anabranch.workers.pool.request_router import AddressedRouter

A, B = (SimpleNamespace(replica_id=SimpleNamespace(unique_id=name)) for name in "ab")


@pytest.mark.parametrize(
    ("keywords", "chosen"),
    [({"replica": "b"}, [B]), ({"replica": "gone"}, [A, B]), ({}, [A, B]), (None, [A, B])],
    ids=["named", "gone", "not named", "no call"],
)
def test_the_replica_that_is_named_or_any(keywords: dict[str, str] | None, chosen: list[Any]) -> None:
    router = AddressedRouter.__new__(AddressedRouter)
    call: Any = SimpleNamespace(kwargs=keywords) if keywords is not None else None
    replicas: list[Any] = [A, B]
    assert asyncio.run(router.choose_replicas(replicas, call)) == [chosen]


def test_who_subscribes_hears_of_its_own_pool_until_it_has_enough() -> None:
    heard: list[tuple[Mapping[str, int], frozenset[str]]] = []

    def hear(places: Mapping[str, int], died: frozenset[str]) -> None:
        heard.append((places, died))

    subscribe("app/a", hear)
    publish("app/a", {"r1": 8}, frozenset({"r2"}))
    publish("app/b", {"r3": 8})
    unsubscribe("app/a", hear)
    publish("app/a", {})
    assert heard == [({"r1": 8}, frozenset({"r2"}))]
