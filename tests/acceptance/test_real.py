"""The whole service on vLLM with a real, tiny model: the main path, with nothing standing in for anything."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import networkx as nx
import pytest
from tests.acceptance.conftest import Service, up
from tests.acceptance.test_scripted import replica_pids

pytestmark = [pytest.mark.real, pytest.mark.ray, pytest.mark.timeout(900)]

QUESTION = "Name the largest planet, the longest river and the highest mountain."
COUNTED = "Write the numbers from 1 to 200, one after another."
"""For policies that vote: they need an answer that can be counted, and so small a model gives one only where it can
hardly write anything else."""
VOTING = {"self-consistency", "deep-conf", "dynasor", "hogwild", "auto"}
SHORT = {"max_tokens": 96}


def question_for(policy: str) -> str:
    return COUNTED if policy in VOTING else QUESTION


def check_graph(service: Service, job: str) -> None:
    """Acyclic, with its critical path marked from start to answer."""
    drawn = service.http.get(f"/v1/jobs/{job}/graph").json()
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from((node["id"], node) for node in drawn["nodes"])
    graph.add_edges_from((edge["source"], edge["target"]) for edge in drawn["edges"])
    assert nx.is_directed_acyclic_graph(graph)
    critical = [node["id"] for node in drawn["nodes"] if node["critical"]]
    assert {"start", "answer"} <= set(critical)
    assert nx.is_path(graph, [name for name in nx.topological_sort(graph) if name in critical])


def check_tokens(service: Service, row: dict[str, Any]) -> None:
    """The projections' tokens are the journal's, which are the engine's."""
    finished = [event for event in service.events(row["id"]) if event["kind"] == "SegmentFinished"]
    usage = Counter[str]()
    for event in finished:
        usage.update(event["payload"]["decoded"].get("usage", {}))
    told = {name: row["usage"][name] for name in ("prompt_tokens", "cached_tokens", "completion_tokens")}
    assert told == {name: usage[name] for name in told}
    assert row["metrics"]["total_tokens"] == row["usage"]["completion_tokens"] > 0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One of two replicas, for the whole file: to start it takes longer than most of what is asked of it."""
    with up(
        tmp_path_factory.mktemp("state"), "--engine", "vllm", "--model", "smollm2-135m", "--replicas", "2"
    ) as served:
        deadline = time.monotonic() + 240
        while len(replica_pids(served)) < 2:
            assert time.monotonic() < deadline
            time.sleep(1)
        yield served
        assert served.stop() == 0


SMALL: dict[str, dict[str, Any]] = {
    "self-consistency": {"n": 2},
    "best-of-n": {"n": 2},
    "async-think": {"c": 3},
    "mcts": {"iterations": 2},
    "deep-conf": {"n": 4, "warmup": 2},
    "recursive-aggregation": {"population": 3, "steps": 2},
    "skeleton-of-thought": {"points": 3},
    "hogwild": {"tokens": 128, "stride": 32},
    "group-think": {"tokens": 128},
    "dynasor": {"interval": 32, "tokens": 96},
    "new-angles": {"n": 2, "stride": 32, "tokens": 96},
    "auto": {"simple": 2, "hard": 3},
    "parallel-r1": {"path_tokens": 64, "blocks": 1},
}
"""Parameters that make a policy quick; the rest are quick by default."""


def test_every_policy_answers_with_its_graph_right(service: Service) -> None:
    """All of the catalogue through REST, on a model that was trained for none of it."""
    names = [info["name"] for info in service.http.get("/v1/policies").json()["items"]]
    jobs = {
        name: service.submit(
            name,
            question_for(name),
            params=SMALL.get(name, {}),
            sampling={"max_tokens": 64},
            budget={"tokens": 3000, "seconds": 240},
        )
        for name in names
    }
    rows = {name: service.ended(job) for name, job in jobs.items()}
    failed = {name: row["error"] for name, row in rows.items() if row["status"] != "succeeded"}
    assert not failed
    for row in rows.values():
        check_graph(service, row["id"])
        check_tokens(service, row)


def test_two_replicas_answer_eight_jobs_at_once_and_one_is_killed(service: Service) -> None:
    policies = ["sequential", "self-consistency", "async-think", "sequential"] * 2
    jobs = [
        service.submit(
            name, question_for(name), sampling=SHORT, params={"n": 3} if name.startswith("self") else {}
        )
        for name in policies
    ]
    rows = [service.ended(job) for job in jobs]
    assert [row["status"] for row in rows] == ["succeeded"] * 8, [row["error"] for row in rows]
    for row in rows:
        check_graph(service, row["id"])
        check_tokens(service, row)
    structured = [
        event["payload"].get("structured", False)
        for event in service.events(jobs[2])
        if event["kind"] == "SegmentStarted" and event["branch"] == "0"
    ]
    assert all(structured)  # the trace says that the organizer was helped

    long = [
        service.submit(
            "self-consistency", COUNTED, sampling={"max_tokens": 200}, params={"n": 4, "stop": "all"}
        )
        for _ in range(2)
    ]
    while not any(event["kind"] == "SegmentStarted" for event in service.events(long[1])):
        time.sleep(0.1)
    time.sleep(1)
    os.kill(replica_pids(service)[0], signal.SIGKILL)
    killed = [service.ended(job) for job in long]
    assert [row["status"] for row in killed] == ["succeeded"] * 2, [row["error"] for row in killed]
    kinds = Counter(event["kind"] for job in long for event in service.events(job))
    assert kinds["BranchRetried"] >= 1
    assert kinds["BranchFailed"] == 0
