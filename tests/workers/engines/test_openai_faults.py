"""The OpenAI engine against a real HTTP server that does what upstreams should not."""

import asyncio
import socket
from contextlib import aclosing

import pytest
from tests.workers.conftest import Connect, RequestFor
from tests.workers.engines.misbehaviours import BEGUN, stream
from tests.workers.engines.upstream import Upstream, decoded, fault_of, serving

from anabranch.workers.engines.openai.engine import OpenAIEngine
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.errors import DecodeError, ModelUnavailable

TOO_LONG = "This model's maximum context length is 4096 tokens."


@pytest.mark.parametrize(
    ("status", "body", "cause", "retryable"),
    [
        (400, {"message": TOO_LONG}, "prompt-too-long", False),
        (400, {"message": "too many", "code": "context_length_exceeded"}, "prompt-too-long", False),
        (400, {"message": "exceeds the available context size"}, "prompt-too-long", False),
        (413, {"message": "body too large"}, "prompt-too-long", False),
        (400, {"message": "bad schema"}, "refused", False),
        (400, {"message": "Input exceeds Context Length of the model"}, "prompt-too-long", False),
        (
            400,
            {"message": "The input token count (11) exceeds the maximum number of tokens allowed (10)."},
            "prompt-too-long",
            False,
        ),
        (
            422,
            {"message": "`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens"},
            "prompt-too-long",
            False,
        ),
        (400, {"message": "blocked", "code": "content_filter"}, "refused", False),
        (401, {"message": "no such key"}, "upstream-denied", False),
        (402, {"message": "pay first"}, "upstream-denied", False),
        (403, {"message": "not for you"}, "upstream-denied", False),
        (404, {"message": "no such model"}, "upstream-denied", False),
        (429, {"message": "slow down"}, "overloaded", True),
        (429, {"message": "pay first", "code": "insufficient_quota"}, "upstream-denied", False),
        (503, {"message": "later"}, "overloaded", True),
        (504, {"message": "nobody answered"}, "timeout", True),
        (500, {"message": "oops"}, "engine-error", True),
    ],
)
async def test_a_refusal_is_a_fault_and_says_whether_to_try_again(
    upstream: Upstream,
    connect: Connect,
    request_for: RequestFor,
    status: int,
    body: dict[str, str],
    cause: str,
    retryable: bool,
) -> None:
    upstream.error = (status, body)
    fault = await fault_of(connect(), request_for())
    assert (fault.cause, fault.retryable) == (cause, retryable)
    assert body["message"] in fault.detail
    assert len(upstream.asked) == 1  # retries are the organizer's


async def test_a_refusal_told_inside_the_stream_is_a_refusal_too(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.error_inside = {"message": "invalid regex", "type": "BadRequestError", "code": 400}
    fault = await fault_of(connect(), request_for())
    assert (fault.cause, fault.detail, fault.retryable) == ("refused", "invalid regex", False)


async def test_an_error_told_inside_the_stream_comes_after_the_text(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.error_inside = {"message": "out of memory"}
    chunks = connect().decode(request_for())
    text = ""
    while text != "The answer is 4.":
        text += (await anext(chunks)).text
    with pytest.raises(DecodeError, match="engine-error: out of memory"):
        await anext(chunks)


async def test_a_connection_that_breaks_is_an_upstream_that_is_away(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.breaks, upstream.finish = True, None
    fault = await fault_of(connect(), request_for())
    assert (fault.cause, fault.retryable) == ("upstream-away", True)


async def test_a_stream_that_ends_without_a_reason_is_not_taken_for_an_answer(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = stream(*BEGUN, done=False)
    fault = await fault_of(connect(), request_for())
    assert (fault.cause, fault.detail) == ("upstream-away", "the stream ended in the middle of the text")


async def test_an_upstream_that_went_away_after_the_start(request_for: RequestFor) -> None:
    upstream = Upstream()
    with serving(upstream):
        engine = OpenAIEngine(OpenAISettings(base_url=upstream.url))
    fault = await fault_of(engine, request_for())
    assert (fault.cause, fault.retryable) == ("upstream-away", True)
    await engine.check_health()  # another process would find the same
    await engine.close()


async def test_silence_is_a_timeout(upstream: Upstream, connect: Connect, request_for: RequestFor) -> None:
    upstream.hang_after = 2
    fault = await fault_of(connect(silence=0.2), request_for())
    assert (fault.cause, fault.retryable) == ("timeout", True)


async def test_a_filter_of_the_upstream_is_a_refusal(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.finish = "content_filter"
    fault = await fault_of(connect(), request_for())
    assert (fault.cause, fault.retryable) == ("refused", False)


async def test_closing_the_stream_tells_the_upstream_to_stop(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.hang_after = 2
    async with aclosing(connect().decode(request_for())) as chunks:
        await anext(chunks)
    assert await asyncio.to_thread(upstream.left.wait, 60)


async def test_cancelling_the_consumer_tells_the_upstream_to_stop(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.hang_after = 2
    engine = connect()
    waiting = asyncio.create_task(decoded(engine, request_for()))
    while not upstream.asked:
        await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(upstream.left.wait, 60)


def test_an_upstream_that_is_away_is_told_at_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    with pytest.raises(ModelUnavailable, match=f"{url} does not answer"):
        OpenAIEngine(OpenAISettings(base_url=url))


async def test_one_connection_serves_one_decode_after_the_other(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    engine = connect()
    for _ in range(3):
        await decoded(engine, request_for())
    assert len(set(upstream.connections)) == 1


async def test_a_key_that_the_upstream_repeats_is_not_told(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.error = (401, {"message": "no such key: sk-very-secret"})
    fault = await fault_of(connect(api_key="sk-very-secret"), request_for())
    assert "secret" not in fault.detail
    assert "no such key" in fault.detail
