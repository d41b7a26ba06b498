"""Which fields of OpenAI's protocol do something, which are taken, which only in their neutral value."""

from typing import Any

import httpx
import pytest

from anabranch.dag.decoding import Structure
from anabranch.dag.job import AnswerFormat
from anabranch.service.api.views.chat_request import ChatRequest
from anabranch.service.api.views.requests import JobRequest, SentAnswerFormat
from anabranch.service.store.codec import encode
from anabranch.service.store.store import Store

ASK: list[dict[str, Any]] = [{"role": "user", "content": "What is six times seven?"}]
BODY: dict[str, Any] = {"model": "anabranch/sequential", "messages": ASK}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"at": "Rome"}'}}
ASKS_FOR_NOTHING: list[dict[str, Any]] = [
    {"frequency_penalty": 0},
    {"frequency_penalty": 0.0},
    {"presence_penalty": 0},
    {"repetition_penalty": 1.0},
    {"logprobs": False},
    {"top_logprobs": 0},
    {"logit_bias": {}},
    {"stop": []},
    {"tools": []},
    {"tool_choice": "none"},
    {"tool_choice": "auto"},
    {"tools": [TOOL], "tool_choice": "none"},
    {"functions": [{"name": "weather"}], "function_call": "none"},
    {"parallel_tool_calls": True},
    {"response_format": {"type": "text"}},
    {"reasoning_effort": "medium"},
    {"verbosity": "medium"},
    {"modalities": ["text"]},
    {"service_tier": "auto"},
    {"user": "me"},
    {"store": False},
    {"top_k": -1},
    {"top_k": 0},
    {"min_p": 0},
    {"n": 1},
    {"prompt_cache_key": "mine"},
    {"prompt_cache_retention": "24h"},
    {"safety_identifier": "someone"},
    {"seed": -1},
    {"stream_options": {"include_obfuscation": False}},
    {"stream_options": {"include_usage": None, "continuous_usage_stats": False}},
    {"anabranch": {"params": None, "budget": None, "priority": None, "metadata": None}},
    *({name: None} for name in ChatRequest.model_fields if name not in ("model", "messages")),
]
ASKS_FOR_WHAT_NO_JOB_DOES: list[tuple[dict[str, Any], str, str]] = [
    ({"frequency_penalty": 0.5}, "frequency_penalty", "temperature"),
    ({"frequency_penalty": False}, "frequency_penalty", "temperature"),
    ({"presence_penalty": -1}, "presence_penalty", "temperature"),
    ({"logprobs": True}, "logprobs", "SegmentFinished"),
    ({"logprobs": 0}, "logprobs", "SegmentFinished"),
    ({"logit_bias": {"50256": -100}}, "logit_bias", "temperature"),
    ({"top_k": 40}, "top_k", "top_p"),
    ({"n": 2}, "n", "self-consistency"),
    ({"n": True}, "n", "self-consistency"),
    ({"tools": [TOOL]}, "tools", "tool_choice: 'none'"),
    ({"tools": [TOOL], "tool_choice": "auto"}, "tools", "tool_choice: 'none'"),
    ({"tool_choice": "required"}, "tool_choice", "tool_choice: 'none'"),
    ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, "tool_choice", "'none'"),
    ({"reasoning_effort": "high"}, "reasoning_effort", "anabranch.params"),
    ({"modalities": ["text", "audio"]}, "modalities", "text"),
    ({"web_search_options": {}}, "web_search_options", "messages"),
    ({"seed": -2}, "seed", "-1"),
    ({"no_such_field": 1}, "no_such_field", "not permitted"),
]


def asked(**fields: Any) -> JobRequest:
    return ChatRequest.model_validate({**BODY, **fields}).as_job()


@pytest.mark.parametrize("fields", ASKS_FOR_NOTHING, ids=str)
def test_what_asks_for_nothing_is_taken_and_changes_nothing(fields: dict[str, Any]) -> None:
    assert asked(**fields) == asked()


PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
NAMED = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}


@pytest.mark.parametrize(
    ("fields", "asked_for"),
    [
        ({"response_format": NAMED}, SentAnswerFormat(json_schema=PERSON, stop=[])),
        (
            {"response_format": {"type": "json_object"}},
            SentAnswerFormat(json_schema={"type": "object"}, stop=[]),
        ),
        ({"stop": "Q:"}, SentAnswerFormat(stop=["Q:"])),
        ({"stop": ["Q:", "\n\n"], "max_tokens": 9}, SentAnswerFormat(stop=["Q:", "\n\n"], max_tokens=9)),
    ],
)
def test_what_is_asked_of_the_answer_is_its_format(
    fields: dict[str, Any], asked_for: SentAnswerFormat
) -> None:
    assert asked(**fields) == asked().model_copy(update={"answer_format": asked_for})


def test_where_the_answer_is_composed_the_limit_holds_for_each_part() -> None:
    job = asked(model="anabranch/skeleton-of-thought", max_tokens=9)
    assert (job.sampling.max_tokens, job.answer_format.max_tokens) == (9, None)


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/jobs", {"question": "?", "answer_format": {"json_schema": {}}}, "answer_format"),
        ("/v1/jobs", {"question": "?", "answer_format": {"max_tokens": 5}}, "answer_format"),
        ("/v1/chat/completions", {"messages": ASK, "response_format": NAMED}, "response_format"),
    ],
)
async def test_a_policy_that_composes_its_answer_says_who_can_hold_it_to_a_form(
    path: str, body: dict[str, Any], where: str, client: httpx.AsyncClient, store: Store
) -> None:
    policy = {"policy": {"name": "async-think"}} if path == "/v1/jobs" else {"model": "anabranch/async-think"}
    response = await client.post(path, json=body | policy)
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert fault["path"] == where
    assert (
        "these policies can: best-of-n, para-thinker, plan, self-consistency, sequential" in fault["message"]
    )
    assert (await store.jobs.list_page()).items == ()


async def test_a_jobs_answer_format_is_kept_and_told(client: httpx.AsyncClient, store: Store) -> None:
    asked_for = {"json_schema": PERSON, "stop": ["}\n"], "max_tokens": 50}
    body = {"question": "Who?", "policy": {"name": "sequential"}, "answer_format": asked_for}
    told = (await client.post("/v1/jobs", json=body)).json()
    assert told["answer_format"] == {"regex": None, "choice": None} | asked_for
    spec = (await store.jobs.get(told["id"])).spec.answer_format
    assert spec == AnswerFormat(structure=Structure(json_schema=PERSON), stop=("}\n",), max_tokens=50)
    plain = (await client.post("/v1/jobs", json={"question": "Who?"})).json()
    assert plain["answer_format"] is None


async def test_a_job_that_asks_nothing_of_its_answer_is_journaled_as_before(
    client: httpx.AsyncClient, store: Store
) -> None:
    told = (await client.post("/v1/jobs", json={"question": "Who?"})).json()
    (record,) = await store.journal.read(told["id"])
    assert "answer_format" not in encode(record.event).payload


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.json_schema"),
        (
            {"response_format": NAMED | {"json_schema": {"schema": {"type": "nonsense"}}}},
            "response_format.json_schema.json_schema.schema",
        ),
        ({"stop": ""}, "stop."),
        ({"stop": [""]}, "stop."),
        ({"stop": [7]}, "stop."),
    ],
)
async def test_a_format_that_makes_no_sense_is_refused(
    fields: dict[str, Any], path: str, client: httpx.AsyncClient, store: Store
) -> None:
    response = await client.post("/v1/chat/completions", json=BODY | fields)
    assert response.status_code == 422
    assert response.json()["error"]["param"].startswith(path)
    assert (await store.jobs.list_page()).items == ()


@pytest.mark.parametrize(("fields", "path", "instead"), ASKS_FOR_WHAT_NO_JOB_DOES, ids=str)
async def test_what_no_job_does_is_refused_with_the_alternative(
    fields: dict[str, Any], path: str, instead: str, client: httpx.AsyncClient, store: Store
) -> None:
    response = await client.post("/v1/chat/completions", json=BODY | fields)
    assert response.status_code == 422
    assert response.json()["error"]["param"] == path
    assert instead in response.json()["error"]["message"]
    assert (await store.jobs.list_page()).items == ()


def test_marks_for_caches_in_a_part_are_left_alone() -> None:
    part = {"type": "text", "text": "What is six times seven?", "cache_control": {"type": "ephemeral"}}
    assert asked(messages=[{"role": "user", "content": [part], "name": "me"}]) == asked()


def test_a_history_with_calls_of_tools_is_read() -> None:
    history = [
        {"role": "developer", "content": "Be brief."},
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None, "audio": None},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "18 degrees"}]},
    ]
    read = asked(messages=history).messages or []
    assert [message.role for message in read] == ["system", "user", "assistant", "tool"]
    assert read[2].content == '[Called the tool weather with {"at": "Rome"}]'
    assert read[3].content == "[Result of the tool weather]\n18 degrees"


def test_a_function_of_the_older_protocol_is_read() -> None:
    called = {
        "role": "assistant",
        "content": "Let me look.",
        "function_call": {"name": "weather", "arguments": "{}"},
    }
    read = (
        asked(messages=[*ASK, called, {"role": "function", "name": "weather", "content": "18"}]).messages
        or []
    )
    assert read[1].content == "Let me look.\n[Called the tool weather with {}]"
    assert read[2].content == "[Result of the tool weather]\n18"


def test_an_earlier_refusal_is_read() -> None:
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]}
    read = asked(messages=[*ASK, refused, *ASK]).messages or []
    assert read[1].content == "I will not."


@pytest.mark.parametrize(
    ("messages", "path", "told"),
    [
        ([{"role": "user", "content": None}], "messages.0", "content"),
        ([{"role": "tool", "content": "18"}], "body", "must end"),
        (
            [*ASK, {"role": "assistant", "tool_calls": [CALL]}],
            "messages",
            "behind it",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
            "messages.0.content.parts.0.type",
            "say in words what a part of type 'image_url' shows",
        ),
    ],
    ids=["nothing", "nobody-asks", "open-call", "picture"],
)
async def test_turns_that_cannot_be_read_are_refused(
    messages: Any, path: str, told: str, client: httpx.AsyncClient
) -> None:
    response = await client.post("/v1/chat/completions", json=BODY | {"messages": messages})
    assert response.status_code == 422
    assert (path, told) in [
        (fault["path"], told) for fault in response.json()["errors"] if told in fault["message"]
    ]
