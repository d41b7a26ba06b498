"""Whatever is refused is refused with a problem document, and writes nothing."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from anabranch.service.store.store import Store

Q = "What is six times seven?"


@pytest.fixture
async def refused(client: httpx.AsyncClient, store: Store) -> AsyncIterator[Any]:
    """Sends, checks that it is a problem of this status, and in the end that nothing was written."""

    async def send(status: int, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = await client.request(method, path, **options)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = response.json()
        assert problem["status"] == status
        assert problem["type"].startswith("urn:anabranch:")
        assert problem["title"]
        assert problem["detail"]
        return problem

    yield send
    assert (await store.jobs.list_page()).items == ()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body"),
        ({"question": ""}, "question"),
        ({"question": "  \n"}, "question"),
        ({"question": 7}, "question"),
        ({"question": Q, "messages": [{"role": "user", "content": Q}]}, "body"),
        ({"question": Q, "prompt": Q}, "body"),
        ({"messages": [{"role": "user", "content": Q}], "prompt": Q}, "body"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"messages": []}, "body"),
        ({"messages": [{"role": "user", "content": Q}, {"role": "assistant", "content": ""}]}, "body"),
        ({"messages": [{"role": "user", "content": Q}, {"role": "system", "content": Q}]}, "body"),
        ({"messages": [{"role": "assistant", "content": "Yes."}]}, "body"),
        ({"messages": [{"role": "root", "content": Q}]}, "messages.0.role"),
        ({"question": Q, "budget": {"tokens": -1}}, "budget.tokens"),
        ({"question": Q, "budget": {"seconds": 0}}, "budget.seconds"),
        ({"question": Q, "budget": {"tokens": "many"}}, "budget.tokens"),
        ({"question": Q, "budget": {"time": 1}}, "budget.time"),
        ({"question": Q, "policy": {"name": "self-consistency", "params": {"n": "8"}}}, "policy.params.n"),
        ({"question": Q, "policy": {"name": "self-consistency", "params": {"n": 0}}}, "policy.params.n"),
        ({"question": Q, "policy": {"name": "self-consistency", "params": {"nn": 1}}}, "policy.params.nn"),
        ({"question": Q, "policy": {"name": "no-such-policy"}}, "policy.name"),
        (
            {"question": Q, "policy": {"name": "tree-of-thoughts", "params": {"preset": "x"}}},
            "policy.params.preset",
        ),
        (
            {"question": Q, "policy": {"name": "graph-of-thoughts", "params": {"operations": [{"id": "a"}]}}},
            "policy.params.operations",
        ),
        (
            {"question": Q, "policy": {"name": "graph-of-thoughts", "params": {"operations": []}}},
            "policy.params.operations",
        ),
        ({"question": Q, "policy": "self-consistency"}, "policy"),
        ({"question": Q, "priority": 10}, "priority"),
        ({"question": Q, "seed": 1.5}, "seed"),
        ({"question": Q, "sampling": {"temperature": -0.1}}, "sampling.temperature"),
        ({"question": Q, "sampling": {"thinking": True}}, "sampling.thinking"),
        ({"question": Q, "sampling": {"thinking": "hard"}}, "sampling.thinking"),
        ({"question": Q, "sampling": {"thinking_tokens": 0}}, "sampling.thinking_tokens"),
        ({"question": Q, "sampling": {"thinking": "off", "thinking_tokens": 5}}, "sampling"),
        ({"question": Q, "approvals": ["everything"]}, "approvals.0"),
        ({"question": Q, "metadata": []}, "metadata"),
        ({"question": Q, "metadata": {"nul": "\x00"}}, "metadata.nul"),
        ({"question": "\ud800"}, "question"),
        ({"question": Q, "answer": "42"}, "answer"),
        ([Q], "body"),
    ],
)
async def test_bad_input_is_told_field_by_field(body: Any, path: str, refused: Any) -> None:
    content = json.dumps(body)
    problem = await refused(
        422, "POST", "/v1/jobs", content=content, headers={"Content-Type": "application/json"}
    )
    assert path in [fault["path"] for fault in problem["errors"]]
    assert all(fault["message"] for fault in problem["errors"])


async def test_a_policys_name_alone_is_answered_with_the_fields_that_it_has(refused: Any) -> None:
    problem = await refused(422, "POST", "/v1/jobs", json={"question": Q, "policy": "self-consistency"})
    [fault] = problem["errors"]
    assert fault == {"path": "policy", "message": "an object is wanted here, of the fields name, params"}


async def test_an_unknown_policy_is_answered_with_the_known(refused: Any) -> None:
    problem = await refused(422, "POST", "/v1/jobs", json={"question": Q, "policy": {"name": "genius"}})
    assert "self-consistency" in problem["errors"][0]["message"]


@pytest.mark.parametrize("content", ["{", "", "nul", '{"question": }', "\xff", "[" * 5000])
async def test_what_is_no_json_is_a_bad_request(
    content: str, client: httpx.AsyncClient, store: Store
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await client.post("/v1/jobs", content=content.encode("latin-1"), headers=headers)
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"
    assert (await store.jobs.list_page()).items == ()


async def test_a_number_too_large_for_json_is_refused(refused: Any) -> None:
    headers = {"Content-Type": "application/json"}
    await refused(
        422, "POST", "/v1/jobs", content='{"question": "q", "metadata": {"x": 1e999}}', headers=headers
    )


async def test_too_much_is_refused_unread(refused: Any) -> None:
    problem = await refused(413, "POST", "/v1/jobs", json={"question": "x" * 10_001})
    assert "ANABRANCH_MAX_REQUEST_BYTES" in problem["detail"]


async def test_too_much_is_refused_where_its_length_was_not_told(refused: Any) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1000
            yield b" " * 1000

    await refused(413, "POST", "/v1/jobs", content=endless(), headers={"Content-Type": "application/json"})
    assert sent <= 12_000


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/jobs/nobody"),
        ("GET", "/v1/jobs/%00"),
        ("GET", "/v1/jobs/nobody/events"),
        ("GET", "/v1/jobs/nobody/graph"),
        ("GET", "/v1/jobs/nobody/branches/0"),
        ("GET", "/v1/jobs/nobody/audit"),
        ("GET", "/v1/jobs/nobody/export?format=jsonl"),
        ("POST", "/v1/jobs/nobody/cancel"),
        ("GET", "/v1/stream?jobs=nobody"),
        ("GET", "/v1/nothing/here"),
        ("POST", "/v1/nothing/here"),
    ],
)
async def test_what_does_not_exist(method: str, path: str, refused: Any) -> None:
    await refused(404, method, path)


async def test_an_approval_that_does_not_exist(refused: Any) -> None:
    await refused(404, "POST", "/v1/approvals/nobody", json={"decision": "approve"})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": "maybe"},
        {"decision": "edit"},
        {"decision": "edit", "edit": " \n"},
        {"decision": "approve", "edit": "x"},
        {"decision": 1},
    ],
)
async def test_a_decision_must_be_one(body: dict[str, Any], refused: Any) -> None:
    await refused(422, "POST", "/v1/approvals/x", json=body)


@pytest.mark.parametrize("query", ["status=done", "limit=0", "limit=1000", "limit=ten", "limit=-1"])
async def test_bad_queries(query: str, refused: Any) -> None:
    problem = await refused(422, "GET", f"/v1/jobs?{query}")
    assert problem["errors"][0]["path"] == query.partition("=")[0]


@pytest.mark.parametrize("cursor", ["garbage", "e30", "%00", "ä"])
async def test_a_cursor_that_was_never_given_out(cursor: str, refused: Any) -> None:
    await refused(400, "GET", f"/v1/jobs?cursor={cursor}")


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/v1/jobs", '["9999-12-31T23:59:59-14:00", "x"]'),
        ("/v1/jobs", "[" * 700),
        ("/v1/jobs", "[" * 40_000),
        ("/v1/jobs?sort=cost", f'[{"9" * 400}, "x"]'),
        ("/v1/jobs?sort=cost", "[" * 700),
        ("/v1/approvals", '["0001-01-01T00:00:00+14:00", "x"]'),
    ],
)
async def test_a_cursor_that_was_made_to_do_harm(path: str, written: str, refused: Any) -> None:
    cursor = base64.urlsafe_b64encode(written.encode()).decode()
    problem = await refused(400, "GET", path, params={**dict(httpx.URL(path).params), "cursor": cursor})
    assert problem["type"] == "urn:anabranch:bad-cursor"


async def test_a_method_that_is_not_there(refused: Any, client: httpx.AsyncClient) -> None:
    await refused(405, "DELETE", "/v1/jobs")
    assert (await client.delete("/v1/jobs")).headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
async def test_only_json_is_taken(kind: str, refused: Any) -> None:
    await refused(415, "POST", "/v1/jobs", content='{"question": "q"}', headers={"Content-Type": kind})


async def test_a_fault_of_the_service_tells_nothing_about_its_insides(
    client: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(store.jobs, "get", broken)
    response = await client.get("/v1/jobs/any")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in response.text


async def test_a_store_that_is_away_says_when_to_come_back(
    client: httpx.AsyncClient, settings: Any, tmp_path: Any, app: Any
) -> None:
    away = Store(f"sqlite:///{tmp_path}/gone/none.db")
    app.state.deps = type(app.state.deps)(
        settings=settings, store=away, feed=app.state.deps.feed, organizers=app.state.deps.organizers
    )
    for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/readyz")):
        response = await client.request(method, path, json={"question": Q} if method == "POST" else None)
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert response.json()["type"] == "urn:anabranch:store-away"
    await away.close()
