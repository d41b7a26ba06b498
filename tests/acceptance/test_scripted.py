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


@pytest.mark.timeout(600)
def test_it_outlives_a_killed_replica_a_restart_and_a_kill_of_all_of_it(start: Up) -> None:
    """Its three starts are one test, since each takes longer than all that is asked of it."""
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
        assert service.process.stdout is not None
        assert service.process.stdout.read() == ""

    with start("--engine", "scripted") as again:
        assert again.events(first) == seen
        response = again.http.get(f"/v1/jobs/{first}/events", headers={"Last-Event-ID": str(seen[-3]["seq"])})
        assert [line for line in response.text.splitlines() if line.startswith("id:")] == [
            f"id: {event['seq']}" for event in seen[-2:]
        ]
        assert again.ended(again.submit("sequential", "Still there?"))["status"] == "succeeded"

        # kill -9 of the whole service in mid-branch; `up` again carries on
        waiting = again.submit(
            "self-consistency", "What is six times seven?", params={"n": 4}, approvals=["answer"]
        )
        deadline = time.monotonic() + 60
        while again.http.get(f"/v1/jobs/{waiting}").json()["status"] != "waiting":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        again.process.kill()
        again.process.wait(30)
    with start("--engine", "scripted") as third:
        [gate] = third.http.get("/v1/approvals").json()["items"]
        decided = third.http.post(f"/v1/approvals/{gate['id']}", json={"decision": "approve"})
        assert decided.status_code == 200, decided.text
        assert third.ended(waiting)["status"] == "succeeded"
        second = third.http.post(f"/v1/approvals/{gate['id']}", json={"decision": "reject"})
        assert second.status_code == 409
