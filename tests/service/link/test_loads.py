"""What organizers tell of their pools, added up."""

from anabranch.service.link.loads import add_up
from anabranch.workers.pool.protocol import PoolLoad


def test_organizers_of_one_generation_share_replicas_and_count_their_own_decodes() -> None:
    told = [
        (1, PoolLoad(replicas=2, decoding=3, capacity=64)),
        (1, PoolLoad(replicas=2, decoding=4, capacity=64)),
    ]
    assert add_up(told) == PoolLoad(replicas=2, decoding=7, capacity=64)


def test_generations_have_replicas_of_their_own() -> None:
    told = [
        (1, PoolLoad(replicas=2, decoding=3, capacity=64)),
        (2, PoolLoad(replicas=1, decoding=0, capacity=32)),
    ]
    assert add_up(told) == PoolLoad(replicas=3, decoding=3, capacity=96)


def test_clusters_of_one_generation_have_replicas_of_their_own() -> None:
    told = [
        (1, PoolLoad(replicas=2, decoding=3, capacity=64, cluster="a")),
        (1, PoolLoad(replicas=2, decoding=1, capacity=64, cluster="a")),
        (1, PoolLoad(replicas=1, decoding=4, capacity=32, cluster="b")),
    ]
    assert add_up(told) == PoolLoad(replicas=3, decoding=8, capacity=96)


def test_pools_are_added_up_by_name() -> None:
    def of(replicas: int, waiting: int) -> PoolLoad:
        return PoolLoad(replicas=replicas, decoding=waiting, capacity=8 * replicas, waiting=waiting)

    first = PoolLoad(replicas=1, decoding=2, capacity=8, waiting=2, pools={"a": of(1, 0), "b": of(0, 2)})
    second = PoolLoad(replicas=1, decoding=1, capacity=8, waiting=1, pools={"a": of(1, 0), "b": of(0, 1)})
    newer = PoolLoad(replicas=2, decoding=0, capacity=16, pools={"a": of(2, 0), "c": of(0, 0)})
    assert add_up([(1, first), (1, second), (2, newer)]) == PoolLoad(
        replicas=3,
        decoding=3,
        capacity=24,
        waiting=3,
        pools={"a": of(3, 0), "b": of(0, 3), "c": of(0, 0)},
    )


def test_nobody_tells_nothing() -> None:
    assert add_up([]) is None


def test_whoever_knows_what_a_replica_is_waited_for_tells_it() -> None:
    def of(state: str) -> PoolLoad:
        big = PoolLoad(replicas=0, decoding=1, capacity=0, waiting=1, state=state)
        return PoolLoad(replicas=0, decoding=1, capacity=0, waiting=1, pools={"big": big})

    told = add_up([(1, of("")), (1, of("waiting for a GPU")), (2, of(""))])
    assert told is not None and told.pools["big"].state == "waiting for a GPU"
