"""Tree of Thoughts, breadth first (Yao et al., arXiv 2305.10601, algorithm 1)."""

from typing import Annotated, Literal

from anabranch.dag import actions as a
from anabranch.dag.errors import NoAnswer
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.judge import elect
from anabranch.dag.policies.trees.beam import grow, prune
from anabranch.dag.policies.trees.partial_solution import FINISH, LAST, NEXT, PROPOSE, Node
from anabranch.dag.policy import Param, policy


@policy(
    title="Tree of Thoughts",
    paper="Yao et al. 2023, arXiv 2305.10601",
    use_when="A solution has steps whose promise can be judged early, and wrong first steps are the trouble.\n"
    "Costs many calls: up to beam times k steps and as many judges on each level.",
)
def tree_of_thoughts(
    problem: Problem,
    *,
    depth: Annotated[int, Param("steps of a solution", ge=1, le=16)] = 3,
    k: Annotated[int, Param("next steps tried from each node", ge=1, le=64)] = 3,
    beam: Annotated[int, Param("nodes kept on each level", ge=1, le=64)] = 2,
    generate: Annotated[
        Literal["sample", "propose"], Param("sample: k branches each; propose: one branch lists k")
    ] = "sample",
    evaluate: Annotated[
        Literal["value", "vote"], Param("value: each node by itself; vote: all of a level side by side")
    ] = "value",
    votes: Annotated[int, Param("judges of each node, or voters of each level", ge=1, le=64)] = 1,
    temperature: Annotated[float, Param("of the steps", ge=0.0, le=2.0)] = 0.8,
) -> a.Policy:
    """Level by level: grow each kept node by k steps, judge what is new, keep the best.

    T is the sum over the levels of the longest step with its judge. A node is judged as soon as it is there; only
    keeping the best waits for all. Where the paper is silent: a step that says the same as another is pruned unjudged;
    a node that states its final answer grows no more, and ends the search once it leads; of equals the first found
    wins; when no step can be had any more, the best solution so far is the answer.
    """
    frontier = [Node()]
    values: dict[Node, float] = {}
    for level in range(1, depth + 1):
        finish = LAST if level == depth else FINISH if level > 1 else ""
        ask = (NEXT if generate == "sample" else PROPOSE.format(k=k)) + finish
        growing = [
            node for node in frontier if not node.final for _ in range(k if generate == "sample" else 1)
        ]
        judges = votes if evaluate == "value" else 0
        fresh = yield from grow(growing, ask, judges, temperature, listed=generate == "propose")
        if not fresh:
            break
        nodes = [*(node for node in frontier if node.final), *fresh]
        if evaluate == "vote":
            fresh = yield from elect({node: node.parts for node in nodes}, votes)
        values |= fresh
        ranked = sorted(nodes, key=lambda node: -values[node])
        yield a.Score(scores={node.branches[-1]: values[node] for node in reversed(ranked)}, by=evaluate)
        yield from prune([*frontier, *nodes], ranked[:beam], f"beam {beam}")
        frontier = ranked[:beam]
        if frontier[0].final:
            break
    best = frontier[0]
    if not best.texts:
        raise NoAnswer("no first step was found")
    yield from prune(frontier, [best], "not the best")
    return a.Answer(text="\n".join(best.texts), sources=best.branches)
