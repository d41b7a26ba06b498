"""The whole service on the scripted engine: what must hold whatever the model."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping

import pytest
from tests.acceptance.conftest import Service, Up

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]


def replica_pids(service: Service) -> list[int]:
    """Processes of the worker pool below this service, whatever else runs on this machine."""
    tree = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    parents = {int(pid): int(parent) for pid, parent in re.findall(r"^\s*(\d+)\s+(\d+)", tree, re.MULTILINE)}
    found = re.findall(r"^\s*(\d+)\s+\d+\s+ray::ServeReplica:[^:]*:pool-default", tree, re.MULTILINE)
    return [pid for pid in map(int, found) if service.process.pid in above(pid, parents)]


def above(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    """Its parent, that one's parent, and so on."""
    while (pid := parents.get(pid, 0)) > 0:
        yield pid


def test_it_serves_survives_a_killed_replica_and_a_restart_and_stops_cleanly(start: Up) -> None:
    with start("--engine", "scripted", "--replicas", "2") as service:
        first = service.submit("self-consistency", "What is six times seven?", params={"n": 8})
        assert service.ended(first)["status"] == "succeeded"

        jobs = [service.submit("sequential", "Tell me more.") for _ in range(8)]
        assert {service.ended(job)["status"] for job in jobs} == {"succeeded"}

        os.kill(replica_pids(service)[0], signal.SIGKILL)
        wide = [service.submit("self-consistency", f"Is {n} prime?", params={"n": 16}) for n in range(4)]
        assert {service.ended(job)["status"] for job in wide} == {"succeeded"}

        seen = service.events(first)
        assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
        assert service.stop() == 0

    with start("--engine", "scripted") as again:
        assert again.events(first) == seen
        response = again.http.get(f"/v1/jobs/{first}/events", headers={"Last-Event-ID": str(seen[-3]["seq"])})
        assert [line for line in response.text.splitlines() if line.startswith("id:")] == [
            f"id: {event['seq']}" for event in seen[-2:]
        ]
        assert again.ended(again.submit("sequential", "Still there?"))["status"] == "succeeded"


def test_a_job_that_was_running_when_everything_was_killed_goes_on(start: Up) -> None:
    """kill -9 of the whole service in mid-branch; `up` again carries on."""
    slow = ("--engine", "scripted")
    with start(*slow) as service:
        job = service.submit(
            "self-consistency", "What is six times seven?", params={"n": 4}, approvals=["answer"]
        )
        deadline = time.monotonic() + 60
        while service.http.get(f"/v1/jobs/{job}").json()["status"] != "waiting":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        service.process.kill()
        service.process.wait(30)
    with start(*slow) as again:
        [gate] = again.http.get("/v1/approvals").json()["items"]
        decided = again.http.post(f"/v1/approvals/{gate['id']}", json={"decision": "approve"})
        assert decided.status_code == 200, decided.text
        assert again.ended(job)["status"] == "succeeded"
        second = again.http.post(f"/v1/approvals/{gate['id']}", json={"decision": "reject"})
        assert second.status_code == 409
