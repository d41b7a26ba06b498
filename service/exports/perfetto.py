"""Exports a Chrome trace for Perfetto: one track per branch, one slice per segment, an arrow per edge of the graph.

Slices of one track must nest, so each branch has a track of its own; what crosses tracks is a flow.
"""

import json
from collections.abc import Iterator
from typing import Any

from anabranch.dag.analysis.graph import EdgeKind, Node, ReasoningGraph, build
from anabranch.dag.analysis.metrics import critical_by_tokens
from anabranch.dag.ids import BranchId, by_path
from anabranch.service.exports.registry import ExportedJob, ExportFormat

PROCESS = 1
SHORTEST = 1
"""Microseconds: an arrow needs a slice to hold on to."""

Event = dict[str, Any]


def write_perfetto(job: ExportedJob) -> Iterator[str]:
    """Writes the trace; times are microseconds since the job was submitted."""
    records = job.records
    graph = build(records)
    began = records[0].at.timestamp()
    yield '{"displayTimeUnit":"ms","traceEvents":[\n'
    yield ",\n".join(json.dumps(event) for event in _events(graph, records[0].job, began))
    yield "\n]}\n"


def _events(graph: ReasoningGraph, job: str, began: float) -> Iterator[Event]:
    tracks = {branch: index for index, branch in enumerate(sorted(graph.branches, key=by_path), start=1)}
    critical = set(critical_by_tokens(graph))
    yield _named("process_name", 0, f"job {job}")
    for branch, track in tracks.items():
        yield _named("thread_name", track, f"branch {branch}")
    for node in graph.nodes():
        yield from _slices(node, tracks[node.branch], began, critical=node.id in critical)
    for number, (source, target, kind) in enumerate(graph.edges(), start=1):
        if kind is not EdgeKind.NEXT:
            yield from _arrow(number, kind, graph.node(source), graph.node(target), tracks, began)


def _named(kind: str, track: int, name: str) -> Event:
    return {"ph": "M", "pid": PROCESS, "tid": track, "name": kind, "args": {"name": name}}


def _slices(node: Node, track: int, began: float, *, critical: bool) -> Iterator[Event]:
    """The segment, and within it what it waited for."""
    end = node.finished_at or node.started_at
    told = {"branch": node.branch, "status": node.status, "tokens": node.tokens, "critical": critical}
    yield _slice(node.id, node.kind.value, track, node.started_at - began, end - began, told)
    scheduled = node.started_at + node.queued
    if node.queued:
        yield _slice("queue", "wait", track, node.started_at - began, scheduled - began)
    if node.first_token_at:
        yield _slice("prefill", "wait", track, scheduled - began, node.first_token_at - began)
        yield _slice("decode", "work", track, node.first_token_at - began, end - began)


def _slice(
    name: str, category: str, track: int, start: float, end: float, told: Event | None = None
) -> Event:
    lasting = max(SHORTEST, _micro(end) - _micro(start))
    where = {"ph": "X", "pid": PROCESS, "tid": track}
    return {**where, "name": name, "cat": category, "ts": _micro(start), "dur": lasting, "args": told or {}}


def _arrow(
    number: int, kind: EdgeKind, source: Node, target: Node, tracks: dict[BranchId, int], began: float
) -> Iterator[Event]:
    start = max(_micro(source.started_at - began), _micro(source.finished_at - began) - SHORTEST)
    flow = {"pid": PROCESS, "id": number, "name": kind.value, "cat": "dependency"}
    yield {**flow, "ph": "s", "tid": tracks[source.branch], "ts": start}
    yield {
        **flow,
        "ph": "f",
        "bp": "e",
        "tid": tracks[target.branch],
        "ts": _micro(target.started_at - began),
    }


def _micro(seconds: float) -> int:
    return round(seconds * 1e6)


PERFETTO = ExportFormat(
    name="perfetto",
    title="Perfetto: a trace with a track per branch",
    media_type="application/json",
    write=write_perfetto,
)
