"""Graphs of operations on thoughts (Graph of Thoughts, Besta et al., arXiv 2308.09687), checked before use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from anabranch.dag.analysis.graph import find_cycle
from anabranch.dag.errors import DagError

KINDS = ("generate", "score", "improve", "aggregate", "keep-best", "keep-valid")


class BadGraph(DagError):
    """A graph that cannot be carried out. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. Its inputs are the thoughts that those it comes `after` give, in their order."""

    id: str
    op: str
    """generate: `count` new thoughts from each input (from the problem, if it comes after nothing). improve: one from
    each input. aggregate: `count` from all inputs together. score: the inputs as they are, marked by a judge or, with
    `verifier`, by a check. keep-best: the `count` with the best scores. keep-valid: those with a score of at least
    `least`."""
    after: tuple[str, ...] = ()
    prompt: str = ""
    """What is asked; empty takes the operation's usual words."""
    count: int = 1
    least: float = 0.5
    verifier: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reads_results(self) -> bool:
        """Whether it must wait until its inputs have ended and been judged; the others begin at once and read later."""
        return self.op in {"keep-best", "keep-valid"} or (self.op == "score" and self.verifier is not None)


USUAL: tuple[Mapping[str, Any], ...] = (
    {"id": "drafts", "op": "generate", "count": 4},
    {"id": "marks", "op": "score", "after": ["drafts"]},
    {"id": "best", "op": "keep-best", "after": ["marks"], "count": 2},
    {"id": "better", "op": "improve", "after": ["best"]},
    {"id": "answer", "op": "aggregate", "after": ["better"]},
)
"""Four drafts, the two best improved, and one answer made of them."""


def read_operations(raw: Sequence[Mapping[str, Any]]) -> list[Operation]:
    """The operations of a graph, each behind those it comes after; the last one gives the answer. Raises BadGraph."""
    operations = {each.id: each for each in map(_read, raw)}
    if not operations or len(operations) < len(raw):
        raise BadGraph("it has no operation" if not raw else "two of its operations have the same id")
    for each in operations.values():
        for other in each.after:
            if other not in operations:
                raise BadGraph(f"operation {each.id!r} comes after {other!r}, which does not exist")
    edges = [(other, each.id) for each in operations.values() for other in each.after]
    cycle = find_cycle(edges)
    if cycle:
        raise BadGraph(f"these operations wait for each other: {', '.join(cycle)}")
    last = set(operations) - {source for source, _ in edges}
    if len(last) > 1:
        raise BadGraph(
            f"only one operation may give the answer, but nothing comes after {', '.join(sorted(last))}"
        )
    return _in_order(operations)


def _read(raw: Mapping[str, Any]) -> Operation:
    known = {each.name for each in fields(Operation)}
    strange = sorted(set(raw) - known)
    if strange or "id" not in raw or raw.get("op") not in KINDS:
        raise BadGraph(
            f"an operation needs an id and an op, one of {', '.join(KINDS)}, and may have "
            f"{', '.join(sorted(known - {'id', 'op'}))}; this is none: {dict(raw)}"
        )
    operation = Operation(**{**raw, "after": tuple(raw.get("after", ()))})
    if not operation.after and operation.op != "generate":
        raise BadGraph(f"operation {operation.id!r} comes after nothing, so it has nothing to {operation.op}")
    return operation


def _in_order(operations: Mapping[str, Operation]) -> list[Operation]:
    """As they were written, each behind all it needs. There is no cycle."""
    ordered: dict[str, Operation] = {}
    while len(ordered) < len(operations):
        for name, each in operations.items():
            if name not in ordered and all(other in ordered for other in each.after):
                ordered[name] = each
    return list(ordered.values())
