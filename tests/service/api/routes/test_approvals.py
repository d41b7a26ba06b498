"""A gate tells what stands behind its subject."""

from typing import Any

import httpx

from anabranch.dag.events import ApprovalRequested
from anabranch.dag.interpreter import Interpreter
from anabranch.service.store.store import Store


async def gate_of(client: httpx.AsyncClient, store: Store, organizer: Any, **asked: Any) -> dict[str, Any]:
    """The gate at which the job waits, as its policy led there."""
    job = (await client.post("/v1/jobs", json={"question": "What is six times seven?"} | asked)).json()["id"]
    await organizer.append(job)
    interpreter = Interpreter()
    for record in await store.journal.read(job):
        step = interpreter.feed(record.event)
    await organizer.append(job, *(event for event in step.events if isinstance(event, ApprovalRequested)))
    (gate,) = (await client.get("/v1/approvals")).json()["items"]
    detail = await client.get(f"/v1/approvals/{gate['id']}")
    assert detail.status_code == 200, detail.text
    found: dict[str, Any] = detail.json()
    assert found.items() >= gate.items()
    return found


async def test_a_fork_shows_the_branches_that_it_would_start_and_what_is_left_to_spend(
    client: httpx.AsyncClient, store: Store, organizer: Any
) -> None:
    gate = await gate_of(
        client,
        store,
        organizer,
        policy={"name": "self-consistency", "params": {"n": 3}},
        approvals=["fork"],
        budget={"tokens": 2000, "branches": 8},
    )
    assert gate["gate"] == "fork"
    assert [child["role"] for child in gate["children"]] == ["sample"] * 3
    assert gate["children"][0]["reads"] == "problem"
    left = {one["resource"]: (one["limit"], one["spent"]) for one in gate["left"]}
    assert left == {"tokens": (2000, 0), "branches": (8, 1)}


async def test_another_gate_tells_no_branches(
    client: httpx.AsyncClient, store: Store, organizer: Any, job: str
) -> None:
    await organizer.append(
        job, ApprovalRequested(approval=1, gate="plan", subject="A plan of another release")
    )
    (gate,) = (await client.get("/v1/approvals")).json()["items"]
    detail = (await client.get(f"/v1/approvals/{gate['id']}")).json()
    assert detail["children"] is None
    assert detail["left"] == []


async def test_a_gate_that_is_not_there_is_told(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/approvals/nobody")).status_code == 404


async def test_an_edited_fork_has_no_more_branches_than_were_asked_for(
    client: httpx.AsyncClient, store: Store, organizer: Any
) -> None:
    policy = {"name": "self-consistency", "params": {"n": 3}}
    gate = await gate_of(client, store, organizer, policy=policy, approvals=["fork"])
    sent = {"decision": "edit", "edit": "sample\nsample\n\nsample\nsample"}
    refused = await client.post(f"/v1/approvals/{gate['id']}", json=sent)
    assert (refused.status_code, [fault["path"] for fault in refused.json()["errors"]]) == (422, ["edit"])
    taken = await client.post(f"/v1/approvals/{gate['id']}", json=sent | {"edit": "sample\n\nsample"})
    assert (taken.status_code, taken.json()["edit"]) == (200, "sample\n\nsample")
