"""The dashboard folds any journal to the same graph, the same statuses and the same metrics as Python does."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from tests.browser.journals import FORESTS, STORIES
from tests.browser.journals import journal as story
from tests.browser.test_front_end import node
from tests.dag.policies.writers import FRAGMENTS, Whim
from tests.service.store.journals import journal as any_journal

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import ReasoningGraph, build
from anabranch.dag.analysis.metrics import critical_by_seconds, critical_by_tokens, metrics_of
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.policy import catalogue
from anabranch.dag.simulator import Simulation
from anabranch.dag.state import JobState, apply
from anabranch.dag.text import say
from anabranch.service.store.codec import decode, encode

EXACT = ("critical_path_tokens", "total_tokens", "waste_tokens", "branches")
NEAR = ("parallelism", "critical_path_seconds", "wall_seconds", "queue_seconds")
SIMULATED, RANDOM = 4, 60
"""Journals: of each policy, and of random steps that the transition table allows."""

Sent = list[dict[str, Any]]


def journals() -> Iterator[tuple[str, Sent]]:
    """Each with its name, as the API sends it."""
    for name in (*STORIES, *FORESTS):
        yield name, story(name, nodes=300)
    for policy in sorted(catalogue()):
        for salt in range(SIMULATED):
            yield f"{policy} {salt}", [as_json(record) for record in simulated(policy, salt)]
    for seed in range(RANDOM):
        yield f"random {seed}", list(at_random(seed))


def simulated(policy: str, salt: int) -> Sequence[e.Record]:
    """A job whose model does as it pleases. In every fourth a fork waits for a person, who never decides."""
    random = Random(salt)
    texts = tuple(" ".join(random.choices(FRAGMENTS, k=random.randrange(8))) for _ in range(5))
    whim = Whim(texts=texts, paces=(0.25, 1.0, 1.5), salt=salt)
    waits = salt % 4 == 3
    spec = JobSpec(
        messages=(say("user", "q"),),
        policy=policy,
        sampling=Sampling(max_tokens=200),
        approvals=("fork",) if waits else (),
    )
    simulation = Simulation(spec, whim.writer(policy), pace_of=whim.pace)
    with suppress(RuntimeError) if waits else nullcontext():
        simulation.run()
    return simulation.records


def at_random(seed: int) -> Iterator[dict[str, Any]]:
    """A journal that could have happened, at random times; half of these end."""
    random = Random(seed)
    spec = JobSpec(messages=(say("user", "q"),), policy="sequential")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    happened = [e.JobSubmitted(spec=spec, policy_version="v1"), *any_journal(spec, random, steps=120)]
    # A merge of these may read what reads it, which no policy can ask for.
    happened = [event for event in happened if not isinstance(event, e.BranchesMerged)]
    for seq, event in enumerate(happened, start=1):
        at += timedelta(milliseconds=random.randrange(500))
        yield as_json(e.Record(job=JobId("j"), seq=seq, epoch=1, at=at, event=event, prev_hash="", hash=""))


def as_json(record: e.Record) -> dict[str, Any]:
    encoded = encode(record.event)
    return {
        "job": record.job,
        "seq": record.seq,
        "epoch": record.epoch,
        "at": record.at.isoformat(),
        "kind": encoded.kind,
        "branch": record.event.branch,
        "payload": json.loads(
            encoded.payload, parse_constant=lambda _: 0.0
        ),  # JSON as browsers read it has no NaN
    }


def fold(events: Sent) -> tuple[JobState, ReasoningGraph]:
    """What Python makes of the same events."""
    state, records = JobState(), []
    for event in events:
        decoded = decode(event["kind"], event["branch"], event["payload"])
        apply(state, decoded)
        at = datetime.fromisoformat(event["at"])
        records.append(
            e.Record(job=JobId("j"), seq=event["seq"], epoch=1, at=at, event=decoded, prev_hash="", hash="")
        )
    return state, build(records)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Sent, dict[str, Any]]]:
    """Every journal, and what the dashboard makes of it."""
    folder = tmp_path_factory.mktemp("journals")
    sent = dict(journals())
    paths = [folder / f"{index}.json" for index in range(len(sent))]
    for path, events in zip(paths, sent.values(), strict=True):
        path.write_text(json.dumps(events, allow_nan=False), encoding="utf-8")
    lines = node("scripts/metrics.mjs", *map(str, paths)).splitlines()
    found = map(json.loads, lines)
    return {name: (events, shown) for (name, events), shown in zip(sent.items(), found, strict=True)}


def cut(told: dict[str, tuple[Sent, dict[str, Any]]]) -> Iterator[tuple[str, JobState, ReasoningGraph, Any]]:
    for name, (events, shown) in told.items():
        yield name, *fold(events), shown


def test_the_same_graph(told: dict[str, tuple[Sent, dict[str, Any]]]) -> None:
    """But for joins that nobody has satisfied: the page shows them from their request on."""
    for name, _, graph, shown in cut(told):
        nodes = {node.id: node.status.value for node in graph.nodes()}
        asked = {node for node, status in shown["nodes"].items() if node not in nodes}
        assert all("/j" in node and shown["nodes"][node] in ("running", "aborted") for node in asked), name
        assert {node: shown["nodes"][node] for node in nodes} == nodes, name
        edges = sorted((source, target, kind.value) for source, target, kind in graph.edges())
        assert sorted(tuple(edge) for edge in shown["edges"] if edge[1] not in asked) == edges, name


def test_the_same_statuses(told: dict[str, tuple[Sent, dict[str, Any]]]) -> None:
    for name, state, _, shown in cut(told):
        assert shown["status"] == state.status.value, name
        assert shown["branches"] == {one.id: one.status.value for one in state.branches.values()}, name


def test_the_same_metrics_and_both_critical_paths(told: dict[str, tuple[Sent, dict[str, Any]]]) -> None:
    for name, _, graph, shown in cut(told):
        metrics, theirs = metrics_of(graph), shown["metrics"]
        assert {one: theirs[one] for one in EXACT} == {one: getattr(metrics, one) for one in EXACT}, name
        for one in NEAR:
            ours = getattr(metrics, one)
            assert math.isclose(theirs[one], ours, rel_tol=1e-6, abs_tol=0.002), (
                name,
                one,
                ours,
                theirs[one],
            )
        assert theirs["critical_by_tokens"] == list(critical_by_tokens(graph)), name
        if all(node.seconds < 1e6 for node in graph.nodes()):  # of times out of any order sums are not exact
            assert theirs["critical_by_seconds"] == list(critical_by_seconds(graph)), name
