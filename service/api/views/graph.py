"""Shows a job's reasoning graph as clients get it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from anabranch.dag.analysis.graph import Node, build
from anabranch.dag.analysis.metrics import critical_by_seconds, critical_by_tokens
from anabranch.dag.events import Record
from anabranch.service.store.sql.columns import utc_text


def graph_json(records: Sequence[Record]) -> dict[str, Any]:
    """Nodes and edges of the journal, or of the part of it that is there yet; both critical paths are lit."""
    graph = build(records)
    tokens, seconds = set(critical_by_tokens(graph)), set(critical_by_seconds(graph))
    return {
        "nodes": [_node_json(node, node.id in tokens, node.id in seconds) for node in graph.nodes()],
        "edges": [
            {"source": source, "target": target, "kind": kind.value} for source, target, kind in graph.edges()
        ],
    }


def _node_json(node: Node, by_tokens: bool, by_seconds: bool) -> dict[str, Any]:
    return {
        "id": node.id,
        "branch": node.branch,
        "kind": node.kind.value,
        "status": node.status.value,
        "tokens": node.tokens,
        "started_at": _moment(node.started_at),
        "first_token_at": _moment(node.first_token_at),
        "finished_at": _moment(node.finished_at),
        "queue_seconds": node.queued,
        "critical": by_tokens,
        "critical_seconds": by_seconds,
    }


def _moment(unix_seconds: float) -> str | None:
    return utc_text(datetime.fromtimestamp(unix_seconds, UTC)) if unix_seconds else None
