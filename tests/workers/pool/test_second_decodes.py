"""A decode that is started once more goes to another replica; what a replica wrote draws what goes on from it."""

import asyncio
from dataclasses import replace

import pytest
from ray.exceptions import RayActorError
from tests.workers.conftest import RequestFor
from tests.workers.pool.scenes import PLACES, Scene, play

from anabranch.workers.messages import DecodeRequest, Key, TextPiece

SOON = 0.01


def second(request: DecodeRequest) -> DecodeRequest:
    return replace(request, key=replace(request.key, copy=1))


def test_the_second_decode_goes_elsewhere_whatever_draws_it(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        for branch in ("0.1", "0.2", "0.3"):
            request = scene.start(branch, prompt="a long beginning " * 100, affinity="job")
            await asyncio.sleep(SOON)
            first = scene.serve.streams[-1].replica
            assert scene.pool.elsewhere(request.key)
            scene.pool.start([second(request)], scene.listener)
            await asyncio.sleep(SOON)
            assert {first, scene.serve.streams[-1].replica} == set(PLACES)

    play(request_for, story)


def test_where_there_is_no_other_replica_it_waits_for_one(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        scene.pool._learn({"a": 64})
        request = scene.start()
        await asyncio.sleep(SOON)
        assert not scene.pool.elsewhere(request.key)
        scene.pool.start([second(request)], scene.listener)
        await asyncio.sleep(SOON)
        assert (len(scene.serve.streams), scene.pool.load().waiting) == (1, 1)
        scene.pool._learn(PLACES)
        await asyncio.sleep(SOON)
        assert [stream.replica for stream in scene.serve.streams] == ["a", "b"]

    play(request_for, story)


def test_what_does_not_decode_can_go_nowhere_else(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        request = scene.start()
        await asyncio.sleep(SOON)
        scene.serve.streams[0].end(request)
        scene.serve.streams[0].break_off()
        await asyncio.sleep(SOON)
        assert not scene.pool.elsewhere(request.key)

    play(request_for, story)


@pytest.mark.parametrize("replica", sorted(PLACES))
def test_who_goes_on_from_what_a_replica_wrote_goes_there(request_for: RequestFor, replica: str) -> None:
    """Nothing else draws it: both replicas have nothing to do."""

    async def story(scene: Scene) -> None:
        while not any(stream.replica == replica for stream in scene.serve.streams):
            request = scene.start(f"0.{len(scene.serve.streams)}", prompt="x")
            await asyncio.sleep(SOON)
        stream, text = scene.serve.streams[-1], "what was written here " * 100
        stream.say(TextPiece(key=request.key, segment=0, offset=0, text=text, tokens=300))
        stream.end(request, text)
        for other in scene.serve.streams[:-1]:
            other.end(other.requests[0])
        await asyncio.sleep(SOON)
        assert scene.pool.load().decoding == 0
        asked = request_for("1")
        asked = replace(asked, context=replace(request.context, continuation=text))
        scene.pool.start([asked], scene.listener)
        await asyncio.sleep(SOON)
        assert (scene.serve.streams[-1].requests, scene.serve.streams[-1].replica) == ((asked,), replica)

    play(request_for, story)


def test_nothing_new_goes_to_a_replica_that_is_gone_when_it_is_told_to_abort(
    request_for: RequestFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_keys: tuple[Key, ...], *, replica: str) -> None:
        raise RayActorError

    async def story(scene: Scene) -> None:
        monkeypatch.setattr(scene.serve, "_abort", gone)
        request = scene.start(affinity="job")
        await asyncio.sleep(SOON)
        dead = scene.serve.streams[-1].replica
        scene.pool.abort([request.key])
        await asyncio.sleep(SOON)
        for number in range(2, 10):
            scene.start(f"0.{number}", affinity="job")
        await asyncio.sleep(SOON)
        assert dead not in {stream.replica for stream in scene.serve.streams[1:]}

    play(request_for, story)


def test_what_a_pool_waits_for_is_told_only_while_it_has_no_replica(request_for: RequestFor) -> None:
    async def story(scene: Scene) -> None:
        scene.pool.state = "starting a replica"
        assert scene.pool.load().state == ""
        scene.pool._learn({})
        assert scene.pool.load().state == "starting a replica"

    play(request_for, story)
