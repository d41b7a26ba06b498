"""What may be sent for a response: what it does, what is taken, what is refused, with nothing written."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.service.api.conftest import Organizer

from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.api.responses import conversation
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.service.tenants.file import add_key
from anabranch.service.tenants.keyring import Keyring

URL = "/v1/responses"
ASK: dict[str, Any] = {"model": "anabranch/self-consistency", "input": "Why?", "background": True}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
UNKNOWN = "resp_01900000-0000-7000-8000-000000000001"


def error_of(response: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    return error


TAKEN: list[dict[str, Any]] = [
    {"user": "ada", "safety_identifier": "a", "prompt_cache_key": "k", "prompt_cache_retention": "24h"},
    {"service_tier": "flex", "truncation": "auto", "parallel_tool_calls": True},
    {"truncation": "disabled", "stream_options": {"include_obfuscation": False}},
    {"include": ["reasoning.encrypted_content", "file_search_call.results"]},
    {"reasoning": {"effort": None, "summary": "auto", "generate_summary": "concise"}},
    {"reasoning": {"context": "auto", "mode": "standard"}, "background_options": {"completion_window": "2h"}},
    {"tools": [{"type": "function", "name": "f", "defer_loading": False, "async": None}]},
    {"reasoning": {"effort": "medium"}, "text": {"verbosity": "medium", "format": {"type": "text"}}},
    {"tools": [], "tool_choice": "auto"},
    {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}], "tool_choice": "none"},
    {"presence_penalty": 0, "frequency_penalty": 0.0, "top_logprobs": 0, "context_management": []},
    dict.fromkeys(
        "instructions previous_response_id stream stream_options store text tools tool_choice reasoning include "
        "max_output_tokens temperature top_p metadata anabranch conversation prompt max_tool_calls top_logprobs "
        "truncation".split()
    ),
]
REFUSED: list[tuple[dict[str, Any], str | None]] = [
    ({"input": None}, "input"),
    ({"input": ""}, "body"),
    ({"input": []}, "input"),
    ({"input": 7}, "input"),
    ({"input": [{"role": "assistant", "content": "So"}]}, "body"),
    ({"input": [{"role": "tool", "content": "So"}]}, "input.items.0.message.role"),
    ({"input": [{"role": "user"}]}, "input.items.0.message.content"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input.items.0"),
    ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]}, "input.items.0"),
    ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input.items.0"),
    ({"input": [{"type": "item_reference", "id": "x"}]}, "input.items.0"),
    ({"input": [{"type": "web_search_call", "id": "x"}]}, "input.items.0"),
    ({"input": ["Why?"]}, "input.items.0"),
    ({"input": [{"role": "user", "content": "Why?"}, CALL]}, "input"),
    ({"input": [{"role": "user", "content": "Why?"}, CALL | {"arguments": {}}]}, "input.items.1"),
    ({"model": "gpt-5"}, None),
    ({"store": False}, "body"),
    ({"background": "yes"}, "background"),
    ({"tools": [{"type": "web_search"}]}, "tools.0"),
    ({"tools": [{"type": "mcp", "server_label": "x", "server_url": "http://x"}]}, "tools.0"),
    ({"tools": [{"type": "function", "name": ""}]}, "tools.0"),
    ({"tools": ["f"]}, "tools.0"),
    ({"tools": [TOOL, TOOL]}, "tools"),
    ({"tools": [TOOL], "model": "anabranch/mcts"}, "tools"),
    ({"tools": [TOOL | {"parameters": {"type": "string"}}]}, "tools.0"),
    ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "g"}}, "tool_choice"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "tools": []}}, "tool_choice"),
    ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
    ({"text": {"format": {"type": "json_schema", "schema": {"type": "nonsense"}}}}, "text.format"),
    ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format"),
    ({"text": {"format": {"type": "xml"}}}, "text.format"),
    ({"text": {"verbosity": "low"}}, "text.verbosity"),
    ({"model": "anabranch/mcts", "text": {"format": {"type": "json_object"}}}, "text.format"),
    ({"reasoning": {"effort": "enormous"}}, "reasoning.effort"),
    ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
    ({"moderation": {"model": "m"}}, "moderation"),
    ({"include": ["message.output_text.logprobs"]}, "include"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"prompt": {"id": "p"}}, "prompt"),
    ({"max_tool_calls": 3}, "max_tool_calls"),
    ({"presence_penalty": 1}, "presence_penalty"),
    ({"temperature": 3}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"max_output_tokens": 9, "anabranch": {"budget": {"tokens": 9}}}, "body"),
    ({"truncation": "some"}, "truncation"),
    ({"metadata": "x"}, "metadata"),
    ({"anabranch": {"params": {"n": -1}}}, "anabranch.params"),
    ({"messages": []}, "messages"),
    ({"previous_response_id": UNKNOWN}, "previous_response_id"),
    ({"previous_response_id": "resp_\x01"}, "previous_response_id"),
    ({"previous_response_id": "chatcmpl-1"}, "previous_response_id"),
]


async def test_what_asks_for_nothing_is_taken(client: httpx.AsyncClient) -> None:
    for fields in TAKEN:
        response = await client.post(URL, json=ASK | fields)
        assert response.status_code == 200, (fields, response.text)
        assert response.headers["x-anabranch-job"] == response.json()["id"].removeprefix("resp_")


async def test_bad_input_is_refused_in_openais_form_and_writes_nothing(
    client: httpx.AsyncClient, store: Store
) -> None:
    for fields, param in REFUSED:
        response = await client.post(URL, json=ASK | fields)
        assert 400 <= response.status_code < 500, (fields, response.text)
        error = error_of(response)
        assert (error["type"], bool(error["message"])) == ("invalid_request_error", True)
        assert (error["param"] or "").startswith(param or ""), (fields, error)
    assert (await store.jobs.list_page()).items == ()


async def test_what_is_refused_is_told_in_the_words_of_responses(client: httpx.AsyncClient) -> None:
    budget: dict[str, Any] = {"max_output_tokens": 9, "anabranch": {"budget": {"tokens": 9}}}
    told = [error_of(await client.post(URL, json=ASK | sent))["message"] for sent in (budget, {"input": ""})]
    assert "give either max_output_tokens or anabranch.budget.tokens" in told[0]
    assert "input must end with what the user asks" in told[1]


async def test_hosted_tools_are_refused_with_the_alternative(client: httpx.AsyncClient) -> None:
    response = await client.post(URL, json=ASK | {"tools": [{"type": "web_search_preview"}]})
    assert "'web_search_preview' is not run here; only functions" in error_of(response)["message"]


async def test_the_same_key_gives_the_same_response(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = await client.post(URL, json=ASK, headers=key)
    again = await client.post(URL, json=ASK, headers=key)
    other = await client.post(URL, json=ASK | {"input": "How?"}, headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, error_of(other)["code"]) == (409, "idempotency_conflict")


@pytest.mark.parametrize(
    ("sent", "strict"), [({"strict": True}, True), ({"strict": False}, False), ({}, False)]
)
async def test_a_strict_schema_is_one_for_the_job(
    client: httpx.AsyncClient, store: Store, sent: dict[str, bool], strict: bool
) -> None:
    form = {"type": "json_schema", "name": "x", "schema": {"type": "object"}} | sent
    await client.post(URL, json=ASK | {"text": {"format": form}})
    (job,) = (await store.jobs.list_page()).items
    structure = job.spec.answer_format.structure
    assert structure is not None
    assert structure.strict is strict


async def test_what_was_sent_is_told_again(client: httpx.AsyncClient) -> None:
    tool = {"type": "function", "name": "f", "parameters": {"b": None, "a": 1}}
    form = {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": False}
    sent = ASK | {
        "tools": [tool],
        "tool_choice": "none",
        "text": {"format": form},
        "reasoning": {"summary": "auto"},
        "parallel_tool_calls": False,
    }
    made = (await client.post(URL, json=sent)).json()
    found = (await client.get(f"{URL}/{made['id']}")).json()
    assert found == made
    assert found["tools"] == [tool | {"description": None, "strict": None}]
    assert (found["tool_choice"], found["parallel_tool_calls"]) == ("none", False)
    assert found["text"]["format"] == form | {"description": None}
    assert found["reasoning"] == {"effort": None, "summary": "auto"}
    assert (found["temperature"], found["top_p"], found["store"]) == (1.0, 1.0, True)


@pytest.mark.parametrize("id_", ["resp_1", UNKNOWN, UNKNOWN[5:], "resp_%00", f"{UNKNOWN}0", "."])
async def test_a_response_that_is_not_there(id_: str, client: httpx.AsyncClient) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        response = await client.request(method, f"{URL}/{id_}{path}")
        assert response.status_code in (404, 405), (method, path, response.text)
        assert error_of(response)["type"] == "invalid_request_error"


async def test_a_job_that_is_no_response_is_not_found_as_one(client: httpx.AsyncClient, job: str) -> None:
    assert (await client.get(f"{URL}/resp_{job}")).status_code == 404
    response = await client.post(URL, json=ASK | {"previous_response_id": f"resp_{job}"})
    assert error_of(response)["code"] == "previous_response_not_found"


async def test_input_items_are_paged(client: httpx.AsyncClient) -> None:
    said = [{"role": "user", "content": str(number)} for number in range(5)]
    path = f"{URL}/{(await client.post(URL, json=ASK | {'input': said})).json()['id']}/input_items"
    first = (await client.get(path, params={"limit": 2, "order": "asc"})).json()
    assert [item["content"][0]["text"] for item in first["data"]] == ["0", "1"]
    assert (first["has_more"], first["last_id"]) == (True, first["data"][-1]["id"])
    rest = (await client.get(path, params={"after": first["last_id"], "order": "asc"})).json()
    assert [item["content"][0]["text"] for item in rest["data"]] == ["2", "3", "4"]
    assert not rest["has_more"]
    for bad in ({"limit": 0}, {"limit": 101}, {"order": "up"}, {"after": "msg_nobody"}):
        refused = await client.get(path, params=bad)
        assert refused.status_code in (400, 422) and error_of(refused)["message"]


class TestConversations:
    async def test_one_without_an_answer_does_not_go_on(self, client: httpx.AsyncClient) -> None:
        begun = (await client.post(URL, json=ASK)).json()["id"]
        response = await client.post(URL, json=ASK | {"previous_response_id": begun})
        assert response.status_code == 400
        assert error_of(response)["code"] == "previous_response_not_answered"
        assert "its job is queued" in error_of(response)["message"]

    async def test_one_of_which_a_part_was_deleted_does_not_go_on(
        self, client: httpx.AsyncClient, organizer: Organizer
    ) -> None:
        first = await said(client, organizer)
        second = await said(client, organizer, previous_response_id=first)
        assert (await client.delete(f"{URL}/{first}")).json()["deleted"]
        response = await client.post(URL, json=ASK | {"previous_response_id": second})
        assert error_of(response)["code"] == "previous_response_not_found"
        assert first in error_of(response)["message"]

    async def test_it_is_bounded(
        self, client: httpx.AsyncClient, organizer: Organizer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(conversation, "MOST_TURNS", 2)
        one = await said(client, organizer)
        two = await said(client, organizer, previous_response_id=one)
        three = await said(client, organizer, previous_response_id=two)
        response = await client.post(URL, json=ASK | {"previous_response_id": three})
        assert error_of(response)["code"] == "conversation_too_long"

    async def test_it_says_no_more_than_one_request_may(
        self, client: httpx.AsyncClient, organizer: Organizer
    ) -> None:
        long = await said(client, organizer, text="42" * 6000)
        response = await client.post(URL, json=ASK | {"previous_response_id": long})
        assert error_of(response)["code"] == "conversation_too_long"

    async def test_what_its_turns_call_counts_as_said(
        self, client: httpx.AsyncClient, organizer: Organizer
    ) -> None:
        call = {"type": "function_call", "call_id": "c", "name": "write", "arguments": "7" * 6000}
        result = {"type": "function_call_output", "call_id": "c", "output": "written"}
        on = {"role": "user", "content": "And on."}
        last = None
        for _ in range(2):
            last = await said(client, organizer, input=[call, result, on], previous_response_id=last)
        response = await client.post(URL, json=ASK | {"previous_response_id": last})
        assert error_of(response)["code"] == "conversation_too_long"


async def said(client: httpx.AsyncClient, organizer: Organizer, text: str = "42", **more: Any) -> str:
    """A response that has its answer."""
    response = await client.post(URL, json=ASK | more)
    assert response.status_code == 200, response.text
    id_ = str(response.json()["id"])
    await organizer.answer(id_.removeprefix("resp_"), text)
    return id_


async def test_another_tenants_response_does_not_exist(
    settings: Settings, store: Store, organizers: Any, organizer: Organizer, tmp_path: Path
) -> None:
    path = tmp_path / "tenants.json"
    keys = {name: add_key(path, name) for name in ("acme", "other")} | {
        "us": add_key(path, "us", operator=True)
    }
    app: FastAPI = create_app(
        Dependencies(
            settings=settings,
            store=store,
            feed=Feed(store.journal),
            organizers=organizers,
            keyring=Keyring(store.keys, file=path),
        )
    )
    transport = httpx.ASGITransport(app)
    clients = {
        name: httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8000", headers={"Authorization": f"Bearer {key}"}
        )
        for name, key in keys.items()
    }
    made = await said(clients["acme"], organizer)
    for method, path_ in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        assert (await clients["other"].request(method, f"{URL}/{made}{path_}")).status_code == 404
    refused = await clients["other"].post(URL, json=ASK | {"previous_response_id": made})
    assert error_of(refused)["code"] == "previous_response_not_found"
    for name in ("acme", "us"):
        assert (await clients[name].get(f"{URL}/{made}")).status_code == 200
    for one in clients.values():
        await one.aclose()
