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


def test_nobody_tells_nothing() -> None:
    assert add_up([]) is None
