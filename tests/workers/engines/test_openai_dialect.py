"""Parameters that an upstream does not know are learned from its first refusal, and can be said beforehand."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.workers.conftest import Connect, RequestFor
from tests.workers.engines.misbehaviours import TEXT, raw, refuses, whole
from tests.workers.engines.upstream import Answer, Upstream, decoded, fault_of, text_in


def openai(parameter: str, instead: str = "") -> dict[str, Any]:
    message = f"Unsupported parameter: '{parameter}' is not supported with this model."
    told = f"{message} Use '{instead}' instead." if instead else message
    return {"error": {"message": told, "param": parameter, "code": "unsupported_parameter"}}


def without_param(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def unknown_field(parameter: str) -> dict[str, Any]:
    known = "expected one of `model`, `messages`, `max_tokens`, `seed`, `temperature`"
    return without_param(f"unknown field `{parameter}`, {known}")


def pydantic(parameter: str) -> dict[str, Any]:
    fault = {"type": "extra_forbidden", "loc": ["body", parameter], "msg": "Extra inputs are not permitted"}
    return {"detail": [fault]}


def refusing(*refusals: tuple[str, int, Any]) -> Callable[[dict[str, Any]], Answer | None]:
    """Refuses whoever sends one of these parameters."""

    def answer(asked: dict[str, Any]) -> Answer | None:
        return next((refuses(status, body) for name, status, body in refusals if name in asked), None)

    return answer


def newest(upstream: Upstream) -> dict[str, Any]:
    return upstream.asked[-1]


async def test_a_parameter_is_renamed_as_the_refusal_says(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = refusing(("max_tokens", 400, openai("max_tokens", "max_completion_tokens")))
    engine = connect()
    assert text_in(await decoded(engine, request_for(max_tokens=9))) == TEXT
    assert newest(upstream)["max_completion_tokens"] == 9
    assert "max_tokens" not in newest(upstream)

    await decoded(engine, request_for(max_tokens=9))
    assert len(upstream.asked) == 3  # the second decode knew


async def test_what_the_operator_said_is_not_unlearned(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = refusing(("max_completion_tokens", 422, pydantic("max_completion_tokens")))
    engine = connect(parameters={"max_tokens": "max_completion_tokens"})
    assert (await fault_of(engine, request_for())).cause == "refused"
    assert len(upstream.asked) == 1


@pytest.mark.parametrize(
    ("parameter", "status", "body"),
    [
        ("seed", 400, openai("seed")),
        ("seed", 422, pydantic("seed")),
        ("seed", 400, {"error": "Additional properties are not allowed ('seed' was unexpected)"}),
        ("stream_options", 400, without_param("Unrecognized request argument supplied: stream_options")),
        ("stream_options", 422, unknown_field("stream_options")),
        ("stream_options", 400, openai("stream_options.include_usage")),
        (
            "temperature",
            400,
            {
                "error": {
                    "message": "Unsupported value: 'temperature' does not support 0.5 with this model. "
                    "Only the default (1) value is supported.",
                    "param": "temperature",
                    "code": "unsupported_value",
                }
            },
        ),
        ("temperature", 400, {"error": {"message": "`temperature` is deprecated for this model."}}),
        ("top_p", 400, b"top_p is not supported"),
    ],
)
async def test_a_dispensable_parameter_is_left_out(
    upstream: Upstream, connect: Connect, request_for: RequestFor, parameter: str, status: int, body: Any
) -> None:
    upstream.answer = refusing((parameter, status, body))
    chunks = await decoded(connect(), request_for(temperature=0.5, top_p=0.9))
    assert text_in(chunks) == TEXT
    assert parameter not in newest(upstream)
    others = {"seed", "stream_options", "temperature", "top_p", "max_tokens"} - {parameter}
    assert others <= newest(upstream).keys()


async def test_one_refusal_after_the_other_is_learned(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = refusing(
        ("max_tokens", 400, openai("max_tokens", "max_completion_tokens")),
        ("seed", 422, pydantic("seed")),
        ("stream_options", 422, unknown_field("stream_options")),
        ("temperature", 400, openai("temperature")),
    )
    assert text_in(await decoded(connect(), request_for(temperature=0.5))) == TEXT
    assert len(upstream.asked) == 5
    assert newest(upstream).keys() == {"model", "messages", "max_completion_tokens", "stream"}


async def test_where_nothing_streams_the_whole_is_read(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    def answer(asked: dict[str, Any]) -> Answer:
        return refuses(400, openai("stream")) if "stream" in asked else raw(json.dumps(whole()).encode())

    upstream.answer = answer
    assert text_in(await decoded(connect(), request_for())) == TEXT


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens must be at most 4096",
        "temperature must be between 0 and 2",
        "response_format is not supported",
        "this model is not available",
    ],
)
async def test_other_refusals_teach_nothing(
    upstream: Upstream, connect: Connect, request_for: RequestFor, message: str
) -> None:
    upstream.answer = refuses(400, without_param(message))
    fault = await fault_of(connect(), request_for(temperature=3.0))
    assert (fault.cause, fault.retryable) == ("refused", False)
    assert message in fault.detail
    assert len(upstream.asked) == 1


async def test_a_limit_is_never_left_out(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = refusing(
        ("max_tokens", 400, openai("max_tokens")),
        ("max_completion_tokens", 400, openai("max_completion_tokens")),
    )
    fault = await fault_of(connect(), request_for())
    assert fault.cause == "refused"
    assert "max_completion_tokens" in fault.detail
    assert len(upstream.asked) == 2


async def test_what_a_model_refuses_is_still_sent_to_others(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = lambda asked: (
        refuses(400, openai("seed")) if asked["model"] == "old" and "seed" in asked else None
    )
    engine = connect()
    await decoded(engine, replace(request_for(), model="old"))
    assert "seed" not in newest(upstream)
    await decoded(engine, request_for())
    assert "seed" in newest(upstream)


async def test_what_an_upstream_calls_otherwise_can_be_said(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    engine = connect(parameters={"seed": "random_seed", "stream_options": None})
    await decoded(engine, request_for())
    assert newest(upstream)["random_seed"] == 0
    assert not {"seed", "stream_options"} & newest(upstream).keys()
