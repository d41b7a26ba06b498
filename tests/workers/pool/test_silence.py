"""A call that falls silent ends: in virtual time, with replicas that say what a test wants, when it wants it."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from tests.chaos.virtual import run_virtually
from tests.workers.conftest import RequestFor
from tests.workers.pool.scenes import PLACES, Scene, play

from anabranch.dag.decoding import Decoded, Finish
from anabranch.workers.messages import SegmentDone, TextPiece
from anabranch.workers.pool.replica_call import LEFT_SECONDS
from anabranch.workers.pool.serve import SILENCE_SECONDS
from anabranch.workers.replica.batcher import SIGN_SECONDS, Batcher


def test_a_silent_call_ends_after_five_seconds_with_the_text_that_had_come(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        request = scene.start()
        await asyncio.sleep(0)
        [stream] = scene.serve.streams
        stream.say(TextPiece(key=request.key, segment=0, offset=0, text="half", tokens=1))
        await asyncio.sleep(SILENCE_SECONDS - 0.1)
        assert scene.faults == []
        await asyncio.sleep(LEFT_SECONDS)
        [end] = scene.listener.ends().values()
        assert (end.decoded.text, end.decoded.finish) == ("half", Finish.ERROR)
        assert scene.faults == [f"replica {stream.replica} gave no sign of life for 5 s"]
        assert stream.cancelled

    play(request_for, story)


def test_signs_of_life_alone_keep_a_call(request_for: RequestFor) -> None:
    """A prompt of a million tokens says nothing for long."""

    async def story(scene: Scene) -> None:
        scene.start()
        await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(SIGN_SECONDS)
            scene.serve.streams[0].say()
        assert scene.faults == []

    play(request_for, story)


def test_a_replica_that_died_ends_its_calls_at_once(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        scene.start()
        died = scene.serve.streams[0].replica if scene.serve.streams else None
        for replica in PLACES:
            scene.pool._learn({}, frozenset({replica}))
        await asyncio.sleep(0.01)
        assert died is None  # its call had not even departed
        assert len(scene.faults) == 1
        assert scene.faults[0].endswith("died")

    play(request_for, story)


def test_a_silent_replica_that_leaves_the_pool_ends_its_calls_at_once(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        scene.start()
        await asyncio.sleep(LEFT_SECONDS + 0.1)
        scene.pool._learn({})
        await asyncio.sleep(0.01)
        assert [fault.endswith("has left the pool") for fault in scene.faults] == [True]

    play(request_for, story)


def test_a_replica_that_is_being_replaced_finishes_what_it_decodes(request_for: RequestFor) -> None:
    """A rolling upgrade: it has left the pool, and still gives a sign of life each second."""

    async def story(scene: Scene) -> None:
        request = scene.start()
        await asyncio.sleep(0)
        scene.pool._learn({})
        [stream] = scene.serve.streams
        for _ in range(20):
            await asyncio.sleep(SIGN_SECONDS)
            stream.say()
        decoded = Decoded(text="42", finish=Finish.EOS)
        stream.say(SegmentDone(key=request.key, segment=0, decoded=decoded))
        await asyncio.sleep(0.01)
        [end] = scene.listener.ends().values()
        assert end.decoded.text == "42"

    play(request_for, story)


def test_nothing_new_goes_to_a_silent_replica_until_it_answers(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        scene.start("0.1", affinity="prefix")
        await asyncio.sleep(0)
        silent = scene.serve.streams[0].replica
        scene.serve.well.discard(silent)
        await asyncio.sleep(SILENCE_SECONDS + LEFT_SECONDS)
        for number in range(2, 12):
            scene.start(f"0.{number}", affinity="prefix")
        await asyncio.sleep(0)
        assert {stream.replica for stream in scene.serve.streams[1:]} == PLACES.keys() - {silent}
        for stream in scene.serve.streams[1:]:
            for request in stream.requests:
                decoded = Decoded(text="42", finish=Finish.EOS)
                stream.say(SegmentDone(key=request.key, segment=0, decoded=decoded))
        scene.serve.well.add(silent)
        await asyncio.sleep(SILENCE_SECONDS + SIGN_SECONDS)
        for number in range(20, 24):
            scene.start(f"0.{number}")
        await asyncio.sleep(0)
        assert silent in {stream.replica for stream in scene.serve.streams[-4:]}

    play(request_for, story)


def test_what_waited_while_this_process_stood_still_is_no_silence(request_for: RequestFor) -> None:
    """A held or stopped organizer hears nothing for long, and then all at once."""

    async def story(scene: Scene) -> None:
        scene.start()
        await asyncio.sleep(0)
        loop: Any = asyncio.get_running_loop()
        loop.now += 60.0
        scene.serve.streams[0].say()  # it lay in the socket
        await asyncio.sleep(LEFT_SECONDS)
        assert scene.faults == []

    play(request_for, story)


@pytest.mark.parametrize("gap", [0.1, 0.9])
def test_a_batcher_says_something_every_second(gap: float) -> None:
    async def story() -> None:
        batcher, loop = Batcher(0.05), asyncio.get_running_loop()

        async def listen() -> list[float]:
            return [loop.time() async for _ in batcher.batches()]

        listening = asyncio.create_task(listen())
        await asyncio.sleep(10 * SIGN_SECONDS + gap)
        batcher.close()
        times = await listening
        assert len(times) == 10
        assert all(later - sooner <= SIGN_SECONDS + 0.01 for sooner, later in pairwise(times))

    run_virtually(story())
