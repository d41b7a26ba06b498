"""Levels of a tree of thoughts: grown, judged node by node as they come, and pruned (Yao et al., section 3)."""

from collections.abc import Generator, Iterable
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.parts.judge import read_mark
from anabranch.dag.policies.trees.partial_solution import Node


def grow(
    growing: list[Node], ask: str, judges: int, temperature: float, *, listed: bool
) -> Generator[a.Action, Any, dict[Node, float]]:
    """All different nodes that follow from these, each with the mean of its judges' marks."""
    forked: a.Forked = yield a.Fork(children=tuple(node.next(ask, temperature) for node in growing))
    parents = dict(zip(forked.ids, growing, strict=False))
    marks: dict[Node, list[float]] = {}
    judged: dict[BranchId | None, Node] = {}
    pending = forked.branches
    while pending:
        joined: a.Joined = yield a.Join(targets=pending, mode=a.Mode.FIRST)
        result, pending = joined.results[0], joined.pending
        if result.branch in judged:
            mark = read_mark(result)
            marks[judged[result.branch]] += [] if mark is None else [mark]
        elif result.ok:
            parent = parents[result.branch]
            fresh = keep_new(parent.grow_by_list(result) if listed else parent.grow(result), marks)
            marks |= {node: [] for node in fresh}
            if not fresh:
                yield a.Prune(branches=(result.branch,), rule="nothing new")
            elif judges:
                bench = [node for node in fresh for _ in range(judges)]
                marking = tuple(node.judge(temperature if judges > 1 else 0.0) for node in bench)
                asked: a.Forked = yield a.Fork(children=marking)
                judged |= zip(asked.ids, bench, strict=False)
                pending += asked.branches
    return {node: sum(given) / len(given) if given else 0.0 for node, given in marks.items()}


def keep_new(nodes: Iterable[Node], others: Iterable[Node]) -> list[Node]:
    """Those of the nodes that say what neither the others nor an earlier one of them says."""
    said = {node.key for node in others}
    different: dict[str, Node] = {}
    for node in nodes:
        if node.key not in said:
            different.setdefault(node.key, node)
    return list(different.values())


def prune(nodes: list[Node], kept: list[Node], rule: str) -> Generator[a.Action, Any, None]:
    """Prune the branches that lead to none of the kept nodes."""
    alive = {branch for node in kept for branch in node.branches}
    lost = dict.fromkeys(branch for node in nodes for branch in node.branches if branch not in alive)
    if lost:
        yield a.Prune(branches=tuple(lost), rule=rule)
