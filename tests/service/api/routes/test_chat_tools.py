"""Tools in OpenAI's protocol and in ours: offered, called, answered, refused."""

from typing import Any

import httpx
import pytest
from tests.service.api.routes.chat_requests import ABLE, ASK, BODY, CALL, TOOL, asked, named, tool

from anabranch.dag.decoding.tools import Tool, Tools
from anabranch.service.api.views.tools import SentCall, SentTool
from anabranch.service.store.store import Store


def test_a_history_with_calls_of_tools_is_read() -> None:
    history = [
        {"role": "developer", "content": "Be brief."},
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None, "audio": None},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "18 degrees"}]},
    ]
    read = asked(messages=history).messages or []
    assert [message.role for message in read] == ["system", "user", "assistant", "tool"]
    assert read[2].tool_calls == [SentCall(id="call_1", name="weather", arguments='{"at": "Rome"}')]
    assert (read[3].content, read[3].tool_call_id) == ("18 degrees", "call_1")


def test_a_function_of_the_older_protocol_is_read() -> None:
    called = {
        "role": "assistant",
        "content": "Let me look.",
        "function_call": {"name": "weather", "arguments": "{}"},
    }
    result = {"role": "function", "name": "weather", "content": "18"}
    read = asked(messages=[*ASK, called, result, called, result]).messages or []
    assert read[1].tool_calls == [SentCall(id="weather", name="weather", arguments="{}")]
    assert (read[2].content, read[2].tool_call_id) == ("18", "weather")
    assert read[3].tool_calls[0].id == read[4].tool_call_id == "call_3_0"


def test_calls_without_their_results_and_results_without_their_calls_are_read_in_words() -> None:
    open_call = {"role": "assistant", "content": "Hm.", "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"}
    read = asked(messages=[*ASK, open_call, *ASK, result]).messages or []
    assert not any(message.tool_calls or message.tool_call_id for message in read)
    assert read[1].content == 'Hm.\n[Called the tool weather with {"at": "Rome"}]'
    assert read[3].content == "[Result of the tool weather]\n18 degrees"


OFFERED = [SentTool(name="weather", parameters={"type": "object"})]


@pytest.mark.parametrize(
    ("fields", "tools", "choice"),
    [
        ({"tools": [TOOL]}, OFFERED, "auto"),
        ({"tools": [TOOL], "tool_choice": "none"}, [], "auto"),
        ({"tools": [TOOL], "tool_choice": "required"}, OFFERED, "required"),
        ({"tools": [TOOL, tool(name="time")], "tool_choice": named("weather")}, OFFERED, "weather"),
        (
            {
                "tools": [TOOL, tool(name="time")],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [TOOL]},
                },
            },
            OFFERED,
            "required",
        ),
        (
            {"functions": [{"name": "time", "description": "Tells it."}], "function_call": {"name": "time"}},
            [SentTool(name="time", description="Tells it.")],
            "time",
        ),
    ],
    ids=["auto", "none", "required", "named", "allowed", "older"],
)
def test_what_may_be_called_and_what_must(fields: dict[str, Any], tools: list[SentTool], choice: str) -> None:
    job = asked(**fields)
    assert (job.tools, job.tool_choice) == (tools, choice)
    assert job.parallel_tool_calls == ("functions" not in fields)


async def test_tools_are_kept_told_and_refused_where_no_answer_can_call(
    client: httpx.AsyncClient, store: Store
) -> None:
    offered = {"tools": [{"name": "weather", "parameters": {"type": "object"}}], "tool_choice": "required"}
    body = {"question": "Rome?", "policy": {"name": "async-think"}} | offered
    refused = await client.post("/v1/jobs", json=body)
    chat = await client.post(
        "/v1/chat/completions", json=BODY | {"model": "anabranch/async-think", "tools": [TOOL]}
    )
    assert (refused.status_code, chat.status_code) == (422, 422)
    for fault in (refused.json()["errors"][0], chat.json()["errors"][0]):
        assert fault["path"] == "tools"
        assert ABLE in fault["message"]
    assert (await store.jobs.list_page()).items == ()
    told = (await client.post("/v1/jobs", json=body | {"policy": {"name": "sequential"}})).json()
    weather = {"name": "weather", "description": "", "parameters": {"type": "object"}, "strict": False}
    assert told["tools"] == {"offered": [weather], "required": True, "several": True}
    assert told["answer_format"] is None
    tools = (await store.jobs.get(told["id"])).spec.answer_format.tools
    assert tools == Tools(offered=(Tool(name="weather", parameters={"type": "object"}),), required=True)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"prompt": "Rome", "tools": [{"name": "weather"}]}, "a raw prompt tells a model of no tools"),
        ({"question": "?", "tools": [{"name": "a"}, {"name": "a"}]}, "two tools have the name 'a'"),
        ({"question": "?", "tool_choice": "weather"}, "there is no tool 'weather'; there are: none"),
        (
            {"messages": [{"role": "user", "content": "?", "tool_calls": [{"id": "1", "name": "a"}]}]},
            "calls nothing",
        ),
        (
            {
                "messages": [
                    *ASK,
                    {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "name": "a"}]},
                    *ASK,
                ]
            },
            "the call '1' has no result",
        ),
        (
            {"messages": [*ASK, {"role": "tool", "content": "18", "tool_call_id": "1"}]},
            "no turn before its result makes the call '1'",
        ),
    ],
    ids=["raw", "twice", "unknown", "user-calls", "no-result", "no-call"],
)
async def test_tools_of_a_job_that_make_no_sense_are_refused(
    fields: dict[str, Any], told: str, client: httpx.AsyncClient, store: Store
) -> None:
    response = await client.post("/v1/jobs", json={"policy": {"name": "sequential"}} | fields)
    assert response.status_code == 422
    assert told in response.json()["detail"]
    assert (await store.jobs.list_page()).items == ()
