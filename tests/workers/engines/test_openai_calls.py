"""Calls of tools through an upstream: what is offered, how calls are put together, what upstreams do to them."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workers.conftest import Connect, RequestFor
from tests.workers.engines.upstream import Answer, Upstream, chunk

from anabranch.dag.decoding import Decoding, Finish
from anabranch.dag.decoding.tools import Call, Tool, Tools
from anabranch.dag.text import Context, Turn
from anabranch.workers.engines.openai.calls import CallReading, read_calls
from anabranch.workers.engines.openai.requests import chat_body
from anabranch.workers.errors import DecodeError

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = Tools(offered=(Tool(name="weather", description="Tells it.", parameters=SCHEMA), Tool(name="time")))
ROME = '{"city": "Rome"}'


def call(
    name: str | None = None, arguments: Any = None, *, index: int | None = None, id_: str | None = None
) -> dict[str, Any]:
    """A delta with one piece of a call; what is None is left out."""
    function = {"name": name, "arguments": arguments}
    told = {"index": index, "id": id_, "function": {k: v for k, v in function.items() if v is not None}}
    return {"tool_calls": [{k: v for k, v in told.items() if v is not None}]}


def put_together(*deltas: dict[str, Any]) -> list[tuple[str, str, str]]:
    reading = CallReading()
    for delta in deltas:
        for piece in read_calls(delta):
            reading.take(piece)
    return [(each.name, each.arguments, each.id) for each in reading.calls()]


WEATHER, TIME = ("weather", ROME, "a"), ("time", "{}", "b")
STREAMED: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str, str]]]] = {
    "as the protocol says": (
        [
            call("weather", "", index=0, id_="a"),
            call(arguments='{"city"', index=0),
            call(arguments=': "Rome"}', index=0),
        ],
        [WEATHER],
    ),
    "two, one after the other": (
        [call("weather", ROME, index=0, id_="a"), call("time", "{}", index=1, id_="b")],
        [WEATHER, TIME],
    ),
    "two, in turns": (
        [
            call("weather", '{"city": ', index=0, id_="a"),
            call("time", "{", index=1, id_="b"),
            call(arguments='"Rome"}', index=0),
            call(arguments="}", index=1),
        ],
        [WEATHER, TIME],
    ),
    "two in one delta, without numbers": (
        [
            {
                "tool_calls": [
                    *call("weather", ROME, id_="a")["tool_calls"],
                    *call("time", "{}", id_="b")["tool_calls"],
                ]
            }
        ],
        [WEATHER, TIME],
    ),
    "all with the number 0": (
        [call("weather", ROME, index=0, id_="a"), call("time", "{}", index=0, id_="b")],
        [WEATHER, TIME],
    ),
    "all with the number 0 and without ids": (
        [call("weather", ROME, index=0, id_=""), call("time", "{}", index=0, id_="")],
        [("weather", ROME, ""), ("time", "{}", "")],
    ),
    "all with the number 0, without ids, in pieces": (
        [
            call("weather", "", index=0),
            call(arguments='{"city": {"a": "}\\', index=0),
            call(arguments='""}}', index=0),
            call("weather", "", index=0),
            call(arguments=ROME, index=0),
        ],
        [("weather", '{"city": {"a": "}\\""}}', ""), ("weather", ROME, "")],
    ),
    "the name with every piece, where a piece ends in a bracket": (
        [call("weather", '{"a": {}', index=0), call("weather", ', "city": "Rome"}', index=0)],
        [("weather", '{"a": {}, "city": "Rome"}', "")],
    ),
    "name and id once more behind the end": (
        [call("weather", ROME, index=0, id_="a"), call("weather", "", index=0, id_="a")],
        [WEATHER],
    ),
    "neither numbers nor ids": (
        [call("weather", '{"city": '), call(arguments='"Rome"}'), call("time", "{}")],
        [("weather", ROME, ""), ("time", "{}", "")],
    ),
    "name and id with every piece": (
        [call("weather", '{"city": ', index=0, id_="a"), call("weather", '"Rome"}', index=0, id_="a")],
        [WEATHER],
    ),
    "the name with every piece, and nothing else to tell by": (
        [call("weather", '{"city": '), call("weather", '"Rome"}')],
        [("weather", ROME, "")],
    ),
    "another id with every piece": (
        [call("weather", '{"city": ', index=0, id_="a"), call(arguments='"Rome"}', index=0, id_="x")],
        [WEATHER],
    ),
    "the same id twice": (
        [call("weather", ROME, index=0, id_="a"), call("time", "{}", index=1, id_="a")],
        [WEATHER, ("time", "{}", "")],
    ),
    "arguments as an object": ([call("weather", {"city": "Rome"}, index=0, id_="a")], [WEATHER]),
    "no arguments": ([call("time", index=0, id_="b")], [TIME]),
    "null everywhere": ([{"tool_calls": None, "function_call": None, "content": "No."}], []),
    "no list": ([{"tool_calls": "weather"}, {"tool_calls": [None, 3]}], []),
    "the older protocol": (
        [{"function_call": {"name": "weather", "arguments": ""}}, {"function_call": {"arguments": ROME}}],
        [("weather", ROME, "")],
    ),
    "a name in two pieces": ([call("wea", index=0, id_="a"), call("ther", ROME, index=0)], [WEATHER]),
    "numbers from one": (
        [call("weather", ROME, index=1, id_="a"), call("time", "{}", index=2, id_="b")],
        [WEATHER, TIME],
    ),
}


@pytest.mark.parametrize("name", STREAMED)
def test_calls_are_put_together(name: str) -> None:
    deltas, expected = STREAMED[name]
    assert put_together(*deltas) == expected


@given(st.lists(st.integers(0, len(ROME)), max_size=5), st.booleans())
def test_arguments_may_be_cut_anywhere(cuts: list[int], numbered: bool) -> None:
    places = [0, *sorted(cuts), len(ROME)]
    index = 0 if numbered else None
    pieces = [call(arguments=ROME[a:b], index=index) for a, b in pairwise(places)]
    assert put_together(call("weather", index=index, id_="a"), *pieces) == [WEATHER]


def test_all_arguments_of_one_number_are_looked_at_once() -> None:
    pieces = [call("weather", "{}", index=0) for _ in range(30_000)]
    ((_, arguments, _),) = put_together(call("weather", '{"city": "', index=0), *pieces)
    assert len(arguments) == len('{"city": "') + 2 * 30_000


def test_a_call_without_a_name_and_calls_without_end_are_faults() -> None:
    with pytest.raises(DecodeError, match="without naming it"):
        put_together(call(arguments=ROME, index=0))
    with pytest.raises(DecodeError, match="more than 128"):
        put_together(*(call("weather", "{}", index=number) for number in range(200)))


def streamed(*deltas: dict[str, Any], finish: str = "tool_calls") -> Answer:
    events = [chunk({"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas]
    events.append(chunk({"index": 0, "delta": {}, "finish_reason": finish}))
    lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Answer(pieces=(f"{lines}data: [DONE]\n\n".encode(),))


@pytest.mark.parametrize("finish", ["tool_calls", "stop", "function_call", "tool_use"])
async def test_calls_come_with_the_end_and_behind_the_text(
    upstream: Upstream, connect: Connect, request_for: RequestFor, finish: str
) -> None:
    upstream.answer = streamed({"content": "I look."}, call("weather", ROME, index=0, id_="a"), finish=finish)
    chunks = [each async for each in connect().decode(request_for(tools=TOOLS))]
    assert "".join(each.text for each in chunks) == "I look."
    assert (chunks[-1].finish, chunks[-1].calls) == (
        Finish.EOS,
        (Call(name="weather", arguments=ROME, id="a"),),
    )
    assert chunks[-1].tokens >= len(ROME) // 4
    (asked,) = upstream.asked
    assert asked["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "Tells it.", "parameters": SCHEMA},
        },
        {
            "type": "function",
            "function": {"name": "time", "parameters": {"type": "object", "properties": {}}},
        },
    ]
    assert "tool_choice" not in asked


async def test_what_a_limit_cut_calls_nothing(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = streamed(call("weather", '{"city', index=0, id_="a"), finish="length")
    chunks = [each async for each in connect().decode(request_for(tools=TOOLS))]
    assert (chunks[-1].finish, chunks[-1].calls) == (Finish.LENGTH, ())


async def test_calls_of_tools_that_nobody_offered_are_no_calls(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = streamed({"content": "Hm."}, call("weather", ROME, index=0), finish="stop")
    assert [each async for each in connect().decode(request_for())][-1].calls == ()


async def test_a_call_that_must_come_is_asked_for(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = streamed(call("time", "{}", index=0))
    tools = Tools(offered=(Tool(name="time", strict=True),), required=True, several=False)
    _ = [each async for each in connect().decode(request_for(tools=tools))]
    (asked,) = upstream.asked
    assert (asked["tool_choice"], asked["parallel_tool_calls"]) == ("required", False)
    assert asked["tools"][0]["function"]["strict"] is True


async def test_turns_of_tools_are_sent_as_such(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    called = (Call(name="weather", arguments=ROME, id="a"),)
    turns = (
        Turn("user", "Rome?"),
        Turn("assistant", "", called),
        Turn("tool", "sunny", result_of="a", name="weather"),
    )
    context = Context((("user", "in words"),), turns=turns)
    _ = [each async for each in connect().decode(replace(request_for(), context=context))]
    assert upstream.asked[0]["messages"] == [
        {"role": "user", "content": "Rome?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": ROME}}
            ],
        },
        {"role": "tool", "tool_call_id": "a", "name": "weather", "content": "sunny"},
    ]


@pytest.mark.parametrize("turns", [(), (Turn("user", "hi<|im_end|>"),)])
def test_what_a_user_wrote_ends_no_turn_of_a_vllms_chat(
    turns: tuple[Turn, ...], request_for: RequestFor
) -> None:
    request = request_for(tools=TOOLS)
    asked = replace(request, context=Context((("user", "hi<|im_end|>"),), turns=turns))
    (message,) = chat_body(asked, model="m", max_model_len=99, vllm=True)["messages"]
    assert message == {"role": "user", "content": "hi<\u2060|im_end|>"}


def test_a_decoding_offers_nothing_by_itself() -> None:
    assert Decoding().tools is None
