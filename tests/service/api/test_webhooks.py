"""Webhooks by REST: endpoints are made and seen without their secrets, and what was sent can be read."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from anabranch.dag.journal.chain import canonical
from anabranch.service.api.batches.asking import read_asked
from anabranch.service.api.new_jobs import digest_of
from anabranch.service.api.problems import Refused
from anabranch.service.api.views.requests import JobRequest
from anabranch.service.api.views.webhooks import SentWebhook
from anabranch.service.store.store import Store
from anabranch.service.store.webhooks.notices import BATCH_TYPES
from anabranch.service.store.webhooks.outbox import TYPES
from anabranch.service.store.webhooks.rows import NewWebhook
from anabranch.service.tenants.callers import ANYBODY
from anabranch.service.webhooks.signing import draw_secret

Q = {"question": "What is six times seven?"}
URL = "https://hooks.example.com/in?token=in-the-path"


async def add(client: httpx.AsyncClient, **sent: Any) -> dict[str, Any]:
    made = await client.post("/v1/webhooks", json={"url": URL} | sent)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/v1/webhooks/{made.json()['id']}"
    return dict(made.json())


async def test_an_endpoint_tells_its_secret_once(client: httpx.AsyncClient) -> None:
    made = await add(client, events=["job.completed"])
    assert made["secret"].startswith("whsec_")
    for path in ("/v1/webhooks", f"/v1/webhooks/{made['id']}", f"/v1/webhooks/{made['id']}/deliveries"):
        told = await client.get(path)
        assert told.status_code == 200 and made["secret"] not in told.text
    (listed,) = (await client.get("/v1/webhooks")).json()["items"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    assert (listed["events"], listed["status"]) == (["job.completed"], "enabled")


async def test_what_was_told_of_a_job_can_be_read(
    client: httpx.AsyncClient, organizer: Any, store: Store
) -> None:
    made = await add(client)
    webhook = {"url": URL, "secret": draw_secret(), "events": ["job.completed"]}
    job = (await client.post("/v1/jobs", json=Q | {"webhook": webhook})).json()["id"]
    await organizer.answer(job)
    told = (await client.get(f"/v1/jobs/{job}/webhooks")).json()["items"]
    assert sorted((one["type"], one["endpoint"] == made["id"]) for one in told) == [
        ("job.completed", False), ("job.completed", True), ("job.started", True)
    ]  # fmt: skip
    assert {(one["status"], one["origin"]) for one in told} == {("waiting", "https://hooks.example.com")}
    of_endpoint = (await client.get(f"/v1/webhooks/{made['id']}/deliveries")).json()["items"]
    assert {one["type"] for one in of_endpoint} == {"job.started", "job.completed"}
    assert (await client.get("/v1/webhooks")).json()["items"][0]["id"] == made["id"], "and not the job's own"


async def test_an_endpoint_goes(client: httpx.AsyncClient) -> None:
    made = await add(client)
    assert (await client.post(f"/v1/webhooks/{made['id']}/enable")).json()["status"] == "enabled"
    assert (await client.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/enable")):
        assert (await client.request(method, f"/v1/webhooks/{made['id']}{path}")).status_code == 404


async def test_a_secret_is_replaced_and_told_once(client: httpx.AsyncClient) -> None:
    made = (await client.post("/v1/webhooks", json={"url": URL})).json()
    again = (await client.post(f"/v1/webhooks/{made['id']}/rotate", json={})).json()
    assert again["secret"] != made["secret"] and again["former_secret_until"] is not None
    assert "secret" not in (await client.get(f"/v1/webhooks/{made['id']}")).json()
    long = await client.post(f"/v1/webhooks/{made['id']}/rotate", json={"overlap_seconds": 1e9})
    assert long.status_code == 422
    assert (await client.post("/v1/webhooks/whe_none/rotate", json={})).status_code == 404


async def test_a_test_call_says_what_came_of_it_and_reaches_no_private_place(
    client: httpx.AsyncClient, store: Store
) -> None:
    made = await store.webhooks.add("default", NewWebhook(url="https://127.0.0.1/", secret=draw_secret()))
    told = (await client.post(f"/v1/webhooks/{made.id}/test")).json()
    assert told["status"] is None
    assert told["error"].startswith("refused: 127.0.0.1 is no public address")
    assert (await client.get(f"/v1/webhooks/{made.id}/deliveries")).json()["items"] == []
    assert (await client.get(f"/v1/webhooks/{made.id}")).json()["failing_since"] is None


@pytest.mark.parametrize(
    ("url", "secret"), [("https://a..b/x", "whsec_" + "QUFB" * 8), ("https://example.com/", "not-a-secret")]
)
async def test_a_test_call_that_cannot_be_made_says_why(
    client: httpx.AsyncClient, store: Store, url: str, secret: str
) -> None:
    """Such a URL was taken once, and what stands in the store may be damaged."""
    made = await store.webhooks.add("default", NewWebhook(url=url, secret=secret))
    told = await client.post(f"/v1/webhooks/{made.id}/test")
    assert (told.status_code, told.json()["status"]) == (200, None)
    assert told.json()["error"] and "not-a-secret" not in told.text


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://a..b/x"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": URL, "events": ["job.ended"]}, "events.0"),
        ({"url": URL, "secret": "mine"}, "secret"),
        ({}, "url"),
    ],
)
async def test_what_is_wrong_is_refused_with_its_place(
    client: httpx.AsyncClient, sent: dict[str, Any], where: str
) -> None:
    refused = await client.post("/v1/webhooks", json=sent)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["path"] == where
    assert (await client.get("/v1/webhooks")).json()["items"] == []


@pytest.mark.parametrize(
    ("webhook", "where"),
    [
        ({"url": "https://10.0.0.1/", "secret": "whsec_" + "QUFB" * 8}, "webhook.url"),
        ({"url": URL, "secret": "whsec_short-and-secret"}, "webhook.secret"),
        ({"url": URL}, "webhook.secret"),
    ],
)
async def test_a_job_with_a_webhook_that_is_wrong_is_not_made(
    client: httpx.AsyncClient, store: Store, webhook: dict[str, Any], where: str
) -> None:
    refused = await client.post("/v1/jobs", json=Q | {"webhook": webhook})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["path"] == where
    assert "short-and-secret" not in refused.text
    assert not (await store.jobs.list_page()).items


async def test_secret_and_url_are_in_no_answer_journal_or_export(
    client: httpx.AsyncClient, organizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret = draw_secret()
    sent = Q | {"webhook": {"url": URL, "secret": secret}}
    made = await client.post("/v1/jobs", json=sent, headers={"Idempotency-Key": "k"})
    again = await client.post("/v1/jobs", json=sent, headers={"Idempotency-Key": "k"})
    assert (made.status_code, again.status_code) == (202, 200)
    job = made.json()["id"]
    await organizer.answer(job)
    paths = ("", "/events?after=0", "/export?format=jsonl", "/export?format=otlp", "/branches/0", "/webhooks")
    told = [made.text, caplog.text]
    told += [
        (await client.get(f"/v1/jobs/{job}{path}", headers={"Accept": "application/json"})).text
        for path in paths
    ]
    assert not [
        text for text in told if secret in text or json.dumps(secret)[1:-1] in text or "in-the-path" in text
    ]
    (one,) = [
        one
        for one in (await client.get(f"/v1/jobs/{job}/webhooks")).json()["items"]
        if one["type"] == "job.started"
    ]
    assert one["status"] == "waiting", "the same request again made no second one"


async def test_the_same_key_with_another_secret_is_a_conflict(client: httpx.AsyncClient) -> None:
    """Or else what is told of the job would be signed with a secret that the receiver no longer has."""
    secret, other = draw_secret(), draw_secret()
    told = [
        await client.post(
            "/v1/jobs", json=Q | {"webhook": {"url": URL, "secret": each}}, headers={"Idempotency-Key": "k"}
        )
        for each in (secret, other, secret)
    ]
    assert [each.status_code for each in told] == [202, 409, 200]
    assert told[1].json()["type"] == "urn:anabranch:idempotency-conflict"


async def test_the_digest_of_a_body_tells_no_secret_and_stays_what_it_was_without_one() -> None:
    """A job whose first answer was lost is asked for again, perhaps from the next release."""
    sent = JobRequest.model_validate(Q | {"priority": 3})
    assert digest_of(sent) == hashlib.sha256(canonical(Q | {"priority": 3}).encode()).hexdigest()
    secret = draw_secret()
    told = SentWebhook.model_validate({"url": URL, "secret": secret})
    assert secret not in f"{told!r}{told.model_dump()}{told.model_dump_json()}"


async def test_a_line_of_a_batch_names_none_for_its_file_can_be_read(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    body = Q | {"webhook": {"url": URL, "secret": draw_secret()}}
    with pytest.raises(Refused) as refused:
        await read_asked(app.state.deps, ANYBODY, "/v1/jobs", body)
    assert [fault.path for fault in refused.value.refusal.errors] == ["webhook"]
    assert "POST /v1/webhooks" in refused.value.refusal.detail


async def test_the_pages_requests_do_as_the_page_says(client: httpx.AsyncClient) -> None:
    page = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
    asked = re.findall(r"curl -s localhost:8000(\S+) [^\n]*-d '(.*?)'$", page, flags=re.DOTALL | re.MULTILINE)
    assert [path for path, _ in asked] == ["/v1/jobs", "/v1/webhooks"]
    for path, body in asked:
        told = await client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert told.status_code in {201, 202}, told.text
    told_types = set(re.findall(r"`((?:job|batch)\.\w+)`", page.partition("## For one job")[0]))
    assert told_types == {*TYPES, *BATCH_TYPES.values()}
