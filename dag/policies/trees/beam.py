"""Grows the levels of a tree of thoughts, judges node by node as they come, and prunes (Yao et al., section 3).

Nodes have places: that of the node they grow from, then that among its steps. Of equals the first by place wins,
whoever was decoded sooner.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.trees.partial_solution import Node
from anabranch.dag.policies.trees.questions import Questions


@dataclass(slots=True)
class _Found:
    """A new node of a level."""

    node: Node
    place: tuple[int, int]
    verdicts: list[a.Result] = field(default_factory=list)


def grow(
    growing: list[Node], level: int, questions: Questions
) -> Generator[a.Action, Any, dict[Node, float]]:
    """All different nodes that follow from these, in the order of their places, each with its worth."""
    forked: a.Forked = yield a.Fork(children=tuple(questions.ask_step(node, level) for node in growing))
    sources = {branch: place for place, branch in enumerate(forked.ids) if branch is not None}
    found: dict[str, _Found] = {}
    judged: dict[BranchId, _Found] = {}
    pending = forked.branches
    while pending:
        joined: a.Joined = yield a.Join(targets=pending, mode=a.Mode.FIRST)
        result, pending = joined.results[0], joined.pending
        if result.branch in judged:
            judged[result.branch].verdicts.append(result)
            if questions.values and result.ok and questions.verdict_of(result) is None:
                yield a.Malformed(problem="no-verdict", span=result.value[-200:])
        elif result.ok:
            place = sources[result.branch]
            steps, odd = questions.read_steps(growing[place], result)
            if odd:
                yield a.Malformed(problem="odd-proposal", span="\n".join(odd)[:400])
            new = _enter(found, steps, place)
            if not new:
                yield a.Prune(branches=(result.branch,), rule="nothing new")
            bench = [(each, judge) for each in new for judge in questions.judges_of(each.node, level)]
            if bench:
                asked: a.Forked = yield a.Fork(children=tuple(judge for _, judge in bench))
                judged |= {who: each for who, (each, _) in zip(asked.ids, bench, strict=False) if who}
                pending += asked.branches
    ranked = sorted(found.values(), key=lambda each: each.place)
    return {each.node: questions.worth(each.verdicts) for each in ranked}


def _enter(found: dict[str, _Found], steps: list[Node], source: int) -> list[_Found]:
    """Enter those that say what no other says; one that another has said moves that one up to its own place."""
    new: list[_Found] = []
    for number, node in enumerate(steps):
        known = found.get(node.key)
        if known is None:
            found[node.key] = each = _Found(node, (source, number))
            new.append(each)
        else:
            known.place = min(known.place, (source, number))
    return new


def prune(nodes: list[Node], kept: list[Node], rule: str) -> Generator[a.Action, Any, None]:
    """Prune the branches that lead to none of the kept nodes."""
    alive = {branch for node in kept for branch in node.branches}
    lost = dict.fromkeys(branch for node in nodes for branch in node.branches if branch not in alive)
    if lost:
        yield a.Prune(branches=tuple(lost), rule=rule)
