"""Which fields of OpenAI's protocol do something, which are taken, which only in their neutral value."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.service.api.routes.chat_requests import ABLE, ASK, BODY, CALL, TOOL, asked, named, tool

from anabranch.dag.decoding import Draw, Structure
from anabranch.dag.job import AnswerFormat, Sampling
from anabranch.dag.policy import PolicyInfo, catalogue
from anabranch.service.api.views.chat.request import ChatRequest
from anabranch.service.api.views.requests import SentAnswerFormat, SentSampling
from anabranch.service.policies import check_params
from anabranch.service.store.codec import encode
from anabranch.service.store.store import Store

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
    ({"frequency_penalty": 2.5}, "frequency_penalty", "less than or equal to 2"),
    ({"frequency_penalty": False}, "frequency_penalty", "valid number"),
    ({"repetition_penalty": 0}, "repetition_penalty", "greater than 0"),
    ({"min_p": 1.5}, "min_p", "less than or equal to 1"),
    ({"top_k": 2.5}, "top_k", "valid integer"),
    ({"logprobs": 0}, "logprobs", "valid boolean"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "less than or equal to 20"),
    ({"logprobs": True, "top_logprobs": -1}, "top_logprobs", "greater than or equal to 0"),
    ({"top_logprobs": 3}, "body", "logprobs: true"),
    ({"top_logprobs": 3, "logprobs": False}, "body", "logprobs: true"),
    ({"logit_bias": {"50256": -100}}, "logit_bias", "temperature"),
    ({"n": 17}, "n", "less than or equal to 16"),
    ({"n": True}, "n", "valid integer"),
    ({"tool_choice": "required"}, "tool_choice", "no tools are offered"),
    ({"tools": [TOOL], "tool_choice": named("rain")}, "tool_choice", "there are: weather"),
    ({"tools": [TOOL, TOOL]}, "tools", "two tools have the name 'weather'"),
    ({"tools": [TOOL | {"type": "custom"}]}, "tools.0.type", "only functions can be called"),
    ({"tools": [tool(name="the weather")]}, "tools.0.function.name", "pattern"),
    ({"tools": [tool(parameters={"type": "array"})]}, "tools.0.function.parameters", "are an object"),
    ({"tools": [tool(parameters={"properties": 3})]}, "tools.0.function.parameters", "no JSON Schema"),
    ({"tools": [{}] * 129}, "tools", "at most 128"),
    ({"tools": [TOOL], "functions": [{"name": "weather"}]}, "body", "either tools or"),
    ({"functions": [{"name": "weather"}], "function_call": {"name": "rain"}}, "function_call", "weather"),
    ({"reasoning_effort": "enormous"}, "reasoning_effort", "'none'"),
    ({"modalities": ["text", "audio"]}, "modalities", "text"),
    ({"web_search_options": {}}, "web_search_options", "messages"),
    ({"seed": -2}, "seed", "-1"),
    ({"no_such_field": 1}, "no_such_field", "not permitted"),
]


@pytest.mark.parametrize("fields", ASKS_FOR_NOTHING, ids=str)
def test_what_asks_for_nothing_is_taken_and_changes_nothing(fields: dict[str, Any]) -> None:
    assert asked(**fields) == asked()


PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
NAMED = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}


@pytest.mark.parametrize(
    ("fields", "asked_for"),
    [
        ({"response_format": NAMED}, SentAnswerFormat(json_schema=PERSON, strict=True, stop=[])),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": PERSON}}},
            SentAnswerFormat(json_schema=PERSON, stop=[]),
        ),
        (
            {"response_format": {"type": "json_object"}},
            SentAnswerFormat(json_schema={"type": "object"}, stop=[]),
        ),
        ({"stop": "Q:"}, SentAnswerFormat(stop=["Q:"])),
        ({"logprobs": True}, SentAnswerFormat(stop=[], logprobs=0)),
        ({"logprobs": True, "top_logprobs": 20}, SentAnswerFormat(stop=[], logprobs=20)),
        ({"stop": ["Q:", "\n\n"], "max_tokens": 9}, SentAnswerFormat(stop=["Q:", "\n\n"], max_tokens=9)),
    ],
)
def test_what_is_asked_of_the_answer_is_its_format(
    fields: dict[str, Any], asked_for: SentAnswerFormat
) -> None:
    assert asked(**fields) == asked().model_copy(update={"answer_format": asked_for})


@pytest.mark.parametrize(
    ("effort", "width", "thinking", "tokens"),
    [
        ("none", {"n": 2}, "off", None),
        ("minimal", {"n": 2}, None, 512),
        ("low", {"n": 4}, None, 2048),
        ("medium", {}, None, None),
        ("high", {"n": 16}, "on", None),
        ("max", {"n": 16}, "on", None),
    ],
)
def test_the_effort_is_the_policys_width_and_the_models_thinking(
    effort: str, width: dict[str, int], thinking: str | None, tokens: int | None
) -> None:
    job = asked(model="anabranch/self-consistency", reasoning_effort=effort)
    assert job.policy is not None
    assert job.policy.params == width
    assert (job.sampling.thinking, job.sampling.thinking_tokens) == (thinking, tokens)


def test_parameters_that_were_sent_come_before_the_efforts() -> None:
    sent = {"params": {"n": 3}}
    job = asked(model="anabranch/self-consistency", reasoning_effort="high", anabranch=sent)
    assert job.policy is not None
    assert job.policy.params == {"n": 3}
    preset = {"params": {"preset": "game-of-24"}}
    job = asked(model="anabranch/tree-of-thoughts", reasoning_effort="high", anabranch=preset)
    assert job.policy is not None
    assert job.policy.params == preset["params"]


@pytest.mark.parametrize("policy", catalogue().values(), ids=lambda info: info.name)
def test_each_effort_is_parameters_that_the_policy_takes(policy: PolicyInfo) -> None:
    assert policy.efforts.keys() <= {"none", "minimal", "low", "high"}
    for params in policy.efforts.values():
        assert check_params(policy.name, params)


def test_what_shapes_the_draw_is_the_jobs_sampling() -> None:
    shaped: dict[str, Any] = {
        "top_k": 40,
        "min_p": 0.1,
        "presence_penalty": 1.0,
        "frequency_penalty": -0.5,
        "repetition_penalty": 1.1,
    }
    assert asked(**shaped).sampling == SentSampling(**shaped)
    assert asked(**shaped).sampling.over(Sampling()).draw == Draw(**shaped)


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
    assert ABLE in fault["message"]
    assert (await store.jobs.list_page()).items == ()


async def test_a_jobs_answer_format_is_kept_and_told(client: httpx.AsyncClient, store: Store) -> None:
    asked_for = {"json_schema": PERSON, "stop": ["}\n"], "max_tokens": 50}
    body = {"question": "Who?", "policy": {"name": "sequential"}, "answer_format": asked_for}
    told = (await client.post("/v1/jobs", json=body)).json()
    assert (
        told["answer_format"]
        == {"regex": None, "choice": None, "strict": False, "logprobs": None} | asked_for
    )
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


def test_the_page_names_every_field() -> None:
    page = (Path(__file__).parents[4] / "docs" / "chat.md").read_text(encoding="utf-8")
    assert [name for name in ChatRequest.model_fields if f"`{name}`" not in page] == []
