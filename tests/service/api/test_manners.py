"""What clients expect of any service: HEAD, refusals in their own form, and hints where an address is wrong."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from anabranch.service.api.openai_errors import OWN_PATHS, speaks_openai

ASK = {"model": "anabranch/plan", "messages": [{"role": "user", "content": "What is six times seven?"}]}
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    "path",
    [
        "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/jobs", "/v1/jobs/JOB", "/v1/policies",
        "/v1/jobs/JOB/graph", "/v1/jobs/JOB/audit", "/v1/approvals", "/v1/models", "/v1/jobs/JOB/export?format=jsonl",
        "/v1/jobs/JOB/events", "/v1/stream", "/", "/jobs/JOB",
    ],
)  # fmt: skip
async def test_what_can_be_got_has_a_head(path: str, client: httpx.AsyncClient, job: str) -> None:
    """Of streams, too, which are not waited for."""
    response = await client.head(path.replace("JOB", job), timeout=20)
    assert response.status_code == 200
    assert response.headers["content-type"]
    assert response.content == b""


async def test_the_head_of_what_is_not_there(client: httpx.AsyncClient) -> None:
    assert (await client.head("/v1/jobs/nobody")).status_code == 404
    refused = await client.head(CHAT)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("POST", CHAT, {"content": "{", "headers": {"Content-Type": "application/json"}}, 400, "invalid_json"),
        ("POST", CHAT, {"content": b"\xff", "headers": {"Content-Type": "application/json"}}, 400, "invalid_json"),
        ("POST", CHAT, {"content": "a=1", "headers": {"Content-Type": "text/plain"}}, 415, "not_json"),
        ("POST", CHAT, {"json": ASK | {"messages": [{"role": "user", "content": "x" * 10_001}]}}, 413,
         "content_too_large"),
        ("POST", CHAT, {"json": []}, 422, "invalid_value"),
        ("POST", CHAT, {"json": ASK | {"model": 7}}, 422, "invalid_value"),
        ("POST", CHAT, {"json": ASK | {"model": "gpt-4"}}, 404, "model_not_found"),
        ("POST", CHAT, {"json": ASK | {"temperature": 5}}, 422, "invalid_value"),
        ("POST", CHAT, {"json": ASK | {"messages": [{"role": "tool", "content": ""}]}}, 422, "invalid_value"),
        ("POST", CHAT, {"json": ASK, "headers": {"Idempotency-Key": "with blanks"}}, 422, "invalid_value"),
        ("POST", CHAT, {"json": ASK, "headers": {"Host": "evil.example"}}, 403, "wrong_host"),
        ("GET", CHAT, {}, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", {}, 405, "method_not_allowed"),
        ("GET", "/v1/models/gpt-4", {}, 404, "model_not_found"),
        ("POST", "/v1/embeddings", {"json": {}}, 404, "unknown_url"),
        ("GET", "/v1/completions", {}, 404, "unknown_url"),
        ("GET", "/v1", {}, 404, "unknown_url"),
    ],
)  # fmt: skip
async def test_openais_clients_read_what_is_wrong(
    method: str, path: str, sent: dict[str, Any], status: int, code: str, client: httpx.AsyncClient
) -> None:
    response = await client.request(method, path, **sent)
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], bool(error["message"])) == (code, True)
    assert error["type"] in {"invalid_request_error", "permission_error"}


@pytest.mark.parametrize("path", [f"/v1/{own}/nothing/here" for own in sorted(OWN_PATHS)])
async def test_our_own_paths_tell_problems_only(path: str, client: httpx.AsyncClient) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert "error" not in response.json()
    assert not speaks_openai(path)


async def test_what_is_served_is_either_ours_or_openais(app: FastAPI) -> None:
    roots = {path.split("/")[2] for path in app.openapi()["paths"] if path.startswith("/v1/")}
    assert roots - OWN_PATHS == {"chat", "models", "responses", "files", "batches"}


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("POST", "/chat/completions", CHAT),
        ("POST", "/v1/v1/chat/completions", CHAT),
        ("GET", "/models", "/v1/models"),
        ("GET", "/models/anabranch/plan", "/v1/models/anabranch/plan"),
        ("POST", "/jobs", "/v1/jobs"),
        ("GET", "/policies", "/v1/policies"),
        ("GET", "/v1/jobs/", "/v1/jobs"),
        ("POST", "/v1/jobs/", "/v1/jobs"),
        ("POST", "//v1/chat/completions/", CHAT),
        ("GET", "//v1/jobs", "/v1/jobs"),
    ],
)
async def test_a_wrong_base_url_is_told(
    method: str, path: str, meant: str, client: httpx.AsyncClient
) -> None:
    response = await client.request(method, path, headers={"Accept": "application/json", "X-Anabranch": "1"})
    assert response.status_code == 404
    assert f"did you mean {meant}?" in response.json()["detail"]
    assert "/v1" in response.json()["detail"]


async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient) -> None:
    refused = await client.put("/v1/jobs", json={})
    assert refused.json()["detail"] == "/v1/jobs can be asked with GET, HEAD, POST, not with PUT."


async def test_a_compressed_body_is_refused_as_that(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    refused = await client.post("/v1/jobs", content=gzip.compress(b'{"question": "?"}'), headers=headers)
    assert refused.status_code == 415
    assert "'gzip'" in refused.json()["detail"]


async def test_too_much_is_told_alike_with_and_without_a_declared_length(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 5_000

    headers = {"Content-Type": "application/json"}
    declared = await client.post("/v1/jobs", content=b"x" * 15_000, headers=headers)
    streamed = await client.post("/v1/jobs", content=pieces(), headers=headers)
    assert declared.status_code == streamed.status_code == 413
    assert declared.json() == streamed.json()


async def test_pages_of_the_dashboard_are_no_wrong_base_url(client: httpx.AsyncClient) -> None:
    for path in ("/jobs", "/policies", "/anything"):
        response = await client.get(path, headers={"Accept": "text/html,*/*"})
        assert response.headers["content-type"].startswith("text/html")
    refused = await client.post("/anything", headers={"X-Anabranch": "1"})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("policy", "params", "why"),
    [
        ("graph-of-thoughts", {"operations": []}, "it has no operation"),
        ("graph-of-thoughts", {"operations": [{"id": "a", "op": "improve"}]}, "comes after nothing"),
        (
            "graph-of-thoughts",
            {"operations": [{"id": "a", "op": "generate", "count": 10**9}]},
            "from 1 to 64",
        ),
    ],
)
async def test_what_a_policy_itself_refuses_is_refused_at_once(
    policy: str, params: dict[str, Any], why: str, client: httpx.AsyncClient
) -> None:
    body = {"question": "q", "policy": {"name": policy, "params": params}}
    response = await client.post("/v1/jobs", json=body)
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert fault["path"] == "policy.params.operations"
    assert why in fault["message"]
    assert (await client.get("/v1/jobs")).json()["items"] == []
