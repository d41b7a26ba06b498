"""Searches over the steps of a solution by Monte Carlo tree search, with parallel rollouts and virtual loss."""

from collections import deque
from collections.abc import Generator
from typing import Annotated, Any

from anabranch.dag import actions as a
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import by_path
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.judge import PROPOSED, judge, record_mark
from anabranch.dag.policies.trees.partial_solution import FINISH, NEXT, ROLLOUT, Node
from anabranch.dag.policies.trees.uct import Place, select
from anabranch.dag.policy import JudgeModel, Param, policy
from anabranch.dag.text import Output


@policy(
    title="Monte Carlo tree search",
    paper="UCT: Kocsis and Szepesvári 2006; virtual loss: Chaslot et al. 2008; with language models: arXiv 2305.14992",
    use_when="Solutions have steps, a judge can tell good ones from bad, and there is time for many tries.\n"
    "Costs three decodes an iteration; where early steps can be judged, tree-of-thoughts is cheaper.",
    efforts={
        "none": {"iterations": 3},
        "minimal": {"iterations": 3},
        "low": {"iterations": 6},
        "high": {"iterations": 24, "parallel": 8},
    },
)
def mcts(
    problem: Problem,
    *,
    iterations: Annotated[int, Param("rollouts in all", ge=1, le=4096)] = 12,
    parallel: Annotated[int, Param("rollouts in flight at once", ge=1, le=256)] = 4,
    branching: Annotated[int, Param("next steps tried from one node", ge=1, le=64)] = 3,
    depth: Annotated[int, Param("steps before a rollout takes over", ge=1, le=32)] = 3,
    exploration: Annotated[
        float, Param("c of UCT: what a seldom visited node is worth a visit", ge=0.0)
    ] = 1.4,
    temperature: Annotated[float, Param("of steps and rollouts", ge=0.0, le=2.0)] = 0.8,
    judge_model: JudgeModel = None,
) -> a.Policy:
    """Select by UCT, expand by one step, complete the solution, judge it, pass its value up; answer with the best one.

    T is about iterations / parallel times a step, a rollout and a judge. Values are passed up in the order in which
    their rollouts began, so the tree depends on the seed alone and not on who was faster. Full marks end the search; of
    equals wins the one behind the more visited first step, then the older. A rollout without a mark is no visit.
    """
    root = Place(node=Node())
    tried: list[Place] = []
    flight: deque[Place] = deque()
    while not any(place.value >= 1.0 for place in tried):
        while len(tried) < iterations and len(flight) < parallel:
            parent = select(root, branching, depth, exploration)
            if parent is None:
                break
            place = yield from _launch(parent, temperature, judge_model)
            if place is None:
                iterations = 0  # refused: no more will be had
                break
            flight.append(place)
            tried.append(place)
        if not flight:
            break
        yield from _pass_up(flight.popleft())
    solved = [place for place in tried if place.solution]
    if not solved:
        raise NoAnswer(f"none of {len(tried)} rollouts came to an end")
    best = max(solved, key=lambda place: (place.value, list(place.up())[-2].visits))
    used = {branch for place in best.up() for branch in place.branches[:1]} | {best.branches[1]}
    others = (branch for place in tried for branch in place.branches[:2] if branch not in used)
    yield a.Prune(branches=tuple(others), rule="not the best")
    return a.Answer(text=best.solution, sources=tuple(sorted(used, key=by_path)))


def _launch(
    parent: Place, temperature: float, judge_model: str | None
) -> Generator[a.Action, Any, Place | None]:
    """Fork a step, the rollout behind it and its judge, each behind the one before it. None if that was refused."""
    assert parent.node is not None
    ask = NEXT + FINISH if parent.node.texts else NEXT
    step: a.Forked = yield a.Fork(children=(parent.node.next(ask, temperature),))
    if not step.branches:
        return None
    path = parent.node.then(step.branches[0])
    rollout: a.Forked = yield a.Fork(children=(path.next(ROLLOUT, temperature, role="rollout"),))
    judges = tuple(
        judge(PROPOSED, *path.parts, Output(branch=each), model=judge_model) for each in rollout.branches
    )
    judged: a.Forked = yield a.Fork(children=judges)
    place = Place(parent=parent, branches=(*step.branches, *rollout.branches, *judged.branches))
    parent.children.append(place)
    for each in place.up():
        each.visits += 1
    return place


def _pass_up(place: Place) -> Generator[a.Action, Any, None]:
    """Wait for a rollout; its value counts for all places above it."""
    joined: a.Joined = yield a.Join(targets=place.branches)
    step, *rest = joined.results
    assert place.parent is not None
    assert place.parent.node is not None
    if step.ok:
        place.node = next(iter(place.parent.node.grow(step)), None)
    mark: float | None = None
    if place.node is not None and rest and rest[0].ok:
        ending = () if place.node.final else (rest[0].value.strip(),)
        place.solution = "\n".join((*place.node.texts, *ending))
        for judged in rest[1:]:
            scores = yield from record_mark(judged, rest[0].branch)
            mark = scores.get(rest[0].branch)
    for each in place.up():
        each.visits -= mark is None
        each.worth += mark or 0.0
    place.value = mark or 0.0
