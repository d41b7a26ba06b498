"""A client's JSON Schemas: what is one is taken, wherever it is sent, and what is none is refused in words."""

import json
from typing import Any

import httpx
import pytest
from tests.service.api.routes.chat_requests import ASK

from anabranch.service.bounded_json import MAX_DEPTH

CHAT = {"model": "anabranch/sequential", "messages": ASK}
RESPONSE = {"model": "anabranch/sequential", "input": "Who?"}


def by_format(schema: Any) -> tuple[str, dict[str, Any]]:
    named = {"name": "x", "schema": schema}
    return "/v1/chat/completions", CHAT | {"response_format": {"type": "json_schema", "json_schema": named}}


def by_tool(schema: Any) -> tuple[str, dict[str, Any]]:
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    return "/v1/chat/completions", CHAT | {"tools": [tool]}


def by_function(schema: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/chat/completions", CHAT | {"functions": [{"name": "f", "parameters": schema}]}


def by_response(schema: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/responses", RESPONSE | {
        "text": {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    }


def by_tool_of_response(schema: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/responses", RESPONSE | {"tools": [{"type": "function", "name": "f", "parameters": schema}]}


def by_job(schema: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/jobs", {
        "question": "Who?",
        "policy": {"name": "sequential"},
        "answer_format": {"json_schema": schema},
    }


DOORS = [by_format, by_tool, by_function, by_response, by_tool_of_response, by_job]
NONE = {
    "a dialect that is a number": {"$schema": 5},
    "a dialect that is a list": {"$schema": ["x"]},
    "a dialect that is an object": {"$schema": {}},
    "a dialect that is null": {"$schema": None},
    "a dialect at no address": {"$schema": "http://[::1"},
    "a pattern that is no text": {"properties": {"a": {"pattern": 5}}},
    "properties that are none": {"properties": 5},
}
ONES = {
    "a class of Unicode": {"properties": {"a": {"pattern": r"^\p{L}+$"}}},
    "a named group": {"properties": {"a": {"pattern": "(?<y>a)"}}},
    "a count beyond Python's": {"properties": {"a": {"pattern": "a{99999999999999999999}"}}},
    "a count in a pattern of names": {"patternProperties": {"a{99999999999999999999}": {}}},
    "many groups": {"properties": {"a": {"pattern": "(" * 3000 + ")" * 3000}}},
    "an older dialect": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "properties": {"a": {"minimum": 1, "exclusiveMinimum": True}},
    },
    "a dialect that nobody knows": {"$schema": "urn:mine"},
}


@pytest.mark.parametrize("schema", NONE.values(), ids=NONE.keys())
@pytest.mark.parametrize("door", DOORS)
async def test_what_is_no_schema_is_refused_in_words(
    door: Any, schema: dict[str, Any], client: httpx.AsyncClient
) -> None:
    path, body = door({"type": "object", **schema})
    response = await client.post(path, json=body)
    assert response.status_code == 422
    assert "this is no JSON Schema" in response.text


@pytest.mark.parametrize("schema", ONES.values(), ids=ONES.keys())
@pytest.mark.parametrize("door", [by_job, by_tool_of_response])
async def test_a_pattern_is_that_of_the_schemas_own_language(
    door: Any, schema: dict[str, Any], client: httpx.AsyncClient
) -> None:
    path, body = door({"type": "object", **schema})
    response = await client.post(path, json=body | ({"background": True} if path == "/v1/responses" else {}))
    assert response.status_code in (200, 202)


async def test_a_schema_may_be_as_deep_as_any_request(client: httpx.AsyncClient) -> None:
    schema: dict[str, Any] = {}
    for _ in range(MAX_DEPTH - 3):
        schema = {"not": schema}
    path, body = by_job(schema)
    assert (await client.post(path, json=body)).status_code == 202


async def test_a_line_of_a_batch_is_refused_for_it_before_any_is_written(client: httpx.AsyncClient) -> None:
    path, body = by_format({"type": "object", "$schema": 5})
    line = json.dumps({"custom_id": "a", "method": "POST", "url": path, "body": body})
    response = await client.post(
        "/v1/files", files={"file": ("a.jsonl", line.encode())}, data={"purpose": "batch"}
    )
    assert response.status_code == 422
    assert "$schema is a text" in response.text
