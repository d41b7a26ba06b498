"""A pool tells how much it decodes for whomever, and how long a step takes: what branches that wait are admitted by."""

import asyncio

from tests.workers.conftest import RequestFor
from tests.workers.pool.scenes import PLACES, Scene, play
from tests.workers.pool.test_pools import NAMES, AwayPool, says

from anabranch.dag.room import NOTHING_LEARNED, StepFit, Streams
from anabranch.workers.pool.pools import Pools
from anabranch.workers.pool.replica_loads import AGAIN_SECONDS, ReplicaLoads
from anabranch.workers.replica.replica import Batch

FAST = StepFit(fixed=0.01, per_stream=0.001, known=8.0)
SLOW = StepFit(fixed=0.05, per_stream=0.001, known=4.0)


def none(_replica: str) -> int:
    return 0


def test_what_others_decode_is_what_a_replica_has_beyond_ones_own() -> None:
    loads = ReplicaLoads()
    loads.note(Batch("a", [], 7, FAST), lambda replica: {"a": 3}[replica], 0.0)
    loads.note(Batch("b", [], 2, SLOW), lambda _: 5, 0.0)
    assert loads.others == 4
    assert loads.step == SLOW


def test_a_replica_is_not_counted_anew_for_each_of_its_batches() -> None:
    loads = ReplicaLoads()
    loads.note(Batch("a", [], 7, FAST), none, 0.0)
    loads.note(Batch("a", [], 9, FAST), none, AGAIN_SECONDS / 2)
    assert loads.others == 7
    loads.note(Batch("a", [], 9, FAST), none, AGAIN_SECONDS)
    assert loads.others == 9


def test_a_replica_that_has_left_is_forgotten() -> None:
    loads = ReplicaLoads()
    loads.note(Batch("a", [], 7, FAST), none, 0.0)
    loads.keep_only({"b"})
    assert (loads.others, loads.step) == (0, NOTHING_LEARNED)


def test_a_pool_on_serve_counts_its_own_decodes_and_those_of_other_organizers(
    request_for: RequestFor,
) -> None:
    async def story(scene: Scene) -> None:
        places = sum(PLACES.values())
        assert scene.pool.streams(None) == (Streams(streams=0, capacity=places, replicas=2), NOTHING_LEARNED)
        scene.start()
        await asyncio.sleep(0)
        [stream] = scene.serve.streams
        await asyncio.sleep(AGAIN_SECONDS)
        stream.tell(Batch(stream.replica, [], 6, FAST))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert scene.pool.streams(None) == (Streams(streams=6, capacity=places, replicas=2), FAST)

    play(request_for, story)


async def test_of_several_pools_the_one_of_the_model_is_asked(request_for: RequestFor) -> None:
    gone = AwayPool()
    pools = Pools({"small": says("small"), "large": says("large"), "gone": gone}, NAMES)
    gone.start([request_for("0.1")], lambda _message: None)
    assert pools.streams("g-1")[0] == Streams(streams=1, capacity=0, replicas=0)
    assert pools.streams("large")[0].streams == 0
    assert pools.streams("of nobody") == (Streams(streams=0, capacity=1), NOTHING_LEARNED)
    await pools.close()
