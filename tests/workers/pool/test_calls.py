"""What becomes of calls to replicas: aborts reach them, each way of breaking has its fault, and who broke one is
suspect."""

import asyncio
from collections.abc import Callable

import pytest
from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from tests.workers.conftest import RequestFor
from tests.workers.pool.scenes import PLACES, Scene, play

from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.workers.messages import Key, Message, SegmentDone, TextPiece
from anabranch.workers.pool.serve import SILENCE_SECONDS, SUSPECT_SECONDS
from anabranch.workers.prefixes import keys_of, text_of
from anabranch.workers.replica.replica import Batch

SOON = 0.01


def test_an_abort_waits_until_the_replica_has_taken_the_call_up(request_for: RequestFor) -> None:
    """Before, the replica would not know the decode."""

    async def story(scene: Scene) -> None:
        request = scene.start()
        scene.pool.abort([request.key])
        assert scene.serve.aborts == []
        await asyncio.sleep(SOON)
        [stream] = scene.serve.streams
        assert scene.serve.aborts == [(stream.replica, (request.key,))]
        stream.say()
        await asyncio.sleep(SOON)
        assert len(scene.serve.aborts) == 1, "it is told once"

    play(request_for, story)


def test_an_abort_of_a_call_that_is_under_way_is_told_its_replica_at_once(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        request, other = scene.start("0.1"), scene.start("0.2")
        await asyncio.sleep(SOON)
        scene.pool.abort([request.key])
        await asyncio.sleep(SOON)
        [(replica, keys)] = scene.serve.aborts
        assert keys == (request.key,)
        assert [s.replica for s in scene.serve.streams if request in s.requests] == [replica]
        assert other.key not in scene.listener.ends()

    play(request_for, story)


def test_a_decode_that_has_ended_is_aborted_nowhere(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        request = scene.start()
        await asyncio.sleep(SOON)
        scene.serve.streams[0].end(request)
        await asyncio.sleep(SOON)
        scene.pool.abort([request.key])
        await asyncio.sleep(SOON)
        assert scene.serve.aborts == []

    play(request_for, story)


def test_a_decode_that_is_started_anew_while_its_first_call_ends_can_be_aborted(
    request_for: RequestFor,
) -> None:
    async def story(scene: Scene) -> None:
        def start_again(message: Message) -> None:
            scene.listener(message)
            scene.pool.start([request], scene.listener)

        request = request_for("0.1")
        scene.pool.start([request], start_again)
        await asyncio.sleep(SOON)
        scene.serve.streams[0].break_off(RayActorError())
        await asyncio.sleep(SOON)
        scene.pool.abort([request.key])
        await asyncio.sleep(SOON)
        assert scene.serve.aborts == [(scene.serve.streams[1].replica, (request.key,))]

    play(request_for, story)


BROKEN: dict[str, tuple[Exception | None, str, str]] = {
    "its replica dies": (RayActorError(), "replica-died", "RayActorError"),
    "its replica has no room": (BackPressureError(3, 2), "overloaded", "max_queued_requests=2"),
    "the pool cannot be deployed": (
        DeploymentUnavailableError("pool"),
        "pool-unavailable",
        "failed to deploy",
    ),
    "something else goes wrong": (OSError("no route"), "engine-error", "OSError: no route"),
    "it stops without an end": (None, "engine-error", "without an end of this decode"),
}


@pytest.mark.parametrize(("error", "cause", "detail"), BROKEN.values(), ids=BROKEN)
def test_a_call_that_breaks_leaves_each_decode_its_fault_and_its_text(
    request_for: RequestFor, error: Exception | None, cause: str, detail: str
) -> None:
    async def story(scene: Scene) -> None:
        request = scene.start()
        await asyncio.sleep(SOON)
        [stream] = scene.serve.streams
        stream.break_off(error)
        await asyncio.sleep(SOON)
        [end] = scene.listener.ends().values()
        fault = end.decoded.fault
        assert (end.key, end.decoded.finish, end.decoded.replica) == (
            request.key,
            Finish.ERROR,
            stream.replica,
        )
        assert fault is not None
        assert (fault.cause, detail in fault.detail) == (cause, True)
        assert scene.pool.load().decoding == 0

    play(request_for, story)


def test_a_call_that_breaks_ends_the_segment_that_was_open(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        request = scene.start()
        await asyncio.sleep(SOON)
        [stream] = scene.serve.streams
        first = Decoded(text="one", finish=Finish.TAG, open=True)
        stream.say(SegmentDone(key=request.key, segment=0, decoded=first))
        stream.say(TextPiece(key=request.key, segment=1, offset=0, text="two", tokens=1))
        stream.break_off(RayActorError())
        await asyncio.sleep(SOON)
        assert [(done.segment, done.decoded.text) for done in scene.listener.segments()] == [
            (0, "one"),
            (1, "two"),
        ]

    play(request_for, story)


def test_a_replica_that_does_its_work_goes_on_getting_it(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        for number in range(1, 4):
            request = scene.start(f"0.{number}", affinity="prefix")
            await asyncio.sleep(SOON)
            scene.serve.streams[-1].end(request)
            await asyncio.sleep(SOON)
        assert len({stream.replica for stream in scene.serve.streams}) == 1

    play(request_for, story)


def breaks(scene: Scene) -> None:
    scene.serve.streams[0].break_off(RayActorError())


def stalls(scene: Scene) -> None:
    [request] = scene.serve.streams[0].requests
    decoded = Decoded(text="", finish=Finish.ERROR, fault=Fault(cause="timeout"))
    scene.serve.streams[0].say(SegmentDone(key=request.key, segment=0, decoded=decoded))


@pytest.mark.parametrize("happens", [breaks, stalls])
def test_nothing_new_goes_to_a_replica_for_a_while_after_it_broke_or_stalled(
    request_for: RequestFor, happens: Callable[[Scene], None]
) -> None:
    async def story(scene: Scene) -> None:
        scene.start("0.1", affinity="prefix")
        await asyncio.sleep(SOON)
        suspect = scene.serve.streams[0].replica
        happens(scene)
        await asyncio.sleep(SOON)
        scene.start("0.2", affinity="prefix")
        await asyncio.sleep(SUSPECT_SECONDS)
        assert scene.serve.streams[1].replica in PLACES.keys() - {suspect}
        scene.start("0.3")
        await asyncio.sleep(SOON)
        assert scene.serve.streams[2].replica == suspect, "it has the least to do"

    play(request_for, story)


def test_a_silent_replica_is_asked_again_until_it_answers(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        scene.start("0.1", affinity="prefix")
        await asyncio.sleep(SOON)
        silent = scene.serve.streams[0].replica
        scene.serve.well.discard(silent)
        await asyncio.sleep(5 * SILENCE_SECONDS)
        scene.serve.well.add(silent)
        await asyncio.sleep(2 * SILENCE_SECONDS)
        scene.start("0.2", affinity="prefix")
        await asyncio.sleep(SOON)
        assert scene.serve.streams[-1].replica == silent

    play(request_for, story)


def test_what_waits_for_a_replica_counts_as_decoding_and_can_be_aborted(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        scene.pool._learn({})
        first, second = scene.start("0.1"), scene.start("0.2")
        load = scene.pool.load()
        assert (load.replicas, load.decoding, load.capacity) == (0, 2, 0)
        scene.pool.abort([first.key])
        assert [end.decoded.finish for end in scene.listener.ends().values()] == [Finish.ABORT]
        assert scene.pool.load().decoding == 1
        scene.pool._learn(PLACES)
        await asyncio.sleep(SOON)
        assert [stream.requests for stream in scene.serve.streams] == [(second,)]
        load = scene.pool.load()
        assert (load.replicas, load.decoding, load.capacity) == (2, 1, 128)

    play(request_for, story)


def test_a_pool_that_closes_lets_go_of_its_calls_without_last_messages(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        keys: list[Key] = [scene.start().key]
        await asyncio.sleep(SOON)
        await scene.pool.close()
        assert scene.serve.streams[0].cancelled
        assert not scene.listener.ends().keys() & set(keys)

    play(request_for, story)


@pytest.mark.parametrize("replica", sorted(PLACES))
def test_what_a_replica_has_read_for_another_organizer_draws_what_goes_on_from_it(
    request_for: RequestFor, replica: str
) -> None:
    async def story(scene: Scene) -> None:
        while not any(stream.replica == replica for stream in scene.serve.streams):
            scene.start(f"0.{len(scene.serve.streams)}")
            await asyncio.sleep(SOON)
        stream = scene.serve.streams[-1]
        asked = request_for("1", prompt="what another has asked " * 100)
        stream.tell(Batch(replica, [], read=tuple(keys_of(text_of(asked.context)))))
        await asyncio.sleep(SOON)
        scene.pool.start([asked], scene.listener)
        await asyncio.sleep(SOON)
        assert (scene.serve.streams[-1].requests, scene.serve.streams[-1].replica) == ((asked,), replica)

    play(request_for, story)
