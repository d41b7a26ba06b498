"""Implements Tree of Thoughts, breadth first (Yao et al., arXiv 2305.10601, algorithm 1)."""

from collections.abc import Mapping
from typing import Annotated, Literal

from anabranch.dag import actions as a
from anabranch.dag.errors import NoAnswer
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.judge import elect
from anabranch.dag.policies.presets.creative_writing import CREATIVE_WRITING
from anabranch.dag.policies.presets.game_of_24 import GAME_OF_24
from anabranch.dag.policies.trees.beam import grow, prune
from anabranch.dag.policies.trees.partial_solution import FINAL, Node
from anabranch.dag.policies.trees.questions import Questions
from anabranch.dag.policy import JudgeModel, Param, policy


@policy(
    title="Tree of Thoughts",
    paper="Yao et al. 2023, arXiv 2305.10601",
    use_when="A solution has steps whose promise can be judged early, and wrong first steps are the trouble.\n"
    "Costs many calls: up to beam times k steps and as many judges on each level.",
    presets={"game-of-24": GAME_OF_24, "creative-writing": CREATIVE_WRITING},
    efforts={
        "none": {"k": 2, "beam": 1},
        "minimal": {"k": 2, "beam": 1},
        "low": {"k": 2},
        "high": {"k": 5, "beam": 3},
    },
)
def tree_of_thoughts(
    problem: Problem,
    *,
    depth: Annotated[int, Param("steps of a solution", ge=1, le=16)] = 3,
    k: Annotated[int, Param("next steps tried from each node", ge=1, le=64)] = 3,
    beam: Annotated[int, Param("nodes kept on each level", ge=1, le=64)] = 2,
    generate: Annotated[
        Literal["sample", "propose"], Param("sample: k branches each; propose: one branch writes up to k")
    ] = "sample",
    proposals: Annotated[Literal["list", "lines"], Param("list: numbered; lines: each line is one")] = "list",
    evaluate: Annotated[
        Literal["value", "vote"], Param("value: each node by itself; vote: all of a level side by side")
    ] = "value",
    votes: Annotated[int, Param("judges of each node, or voters of each level", ge=1, le=64)] = 1,
    temperature: Annotated[float, Param("of the steps", ge=0.0, le=2.0)] = 0.8,
    step_prompt: Annotated[str, Param("asks for steps: {question}, {steps}, {state}, {k}")] = "",
    last_prompt: Annotated[str, Param("asks for the step that states the answer; same fields")] = "",
    value_prompt: Annotated[str, Param("asks what a node is worth: {question}, {steps}, {state}")] = "",
    answer_value_prompt: Annotated[str, Param("the same of a stated {answer}; without one: worth 0")] = "",
    vote_prompt: Annotated[str, Param("asks for the best of {candidates}, by number")] = "",
    values: Annotated[Mapping[str, float] | None, Param("worth of each verdict; None: 0 to 10")] = None,
    state: Annotated[tuple[str, str] | None, Param("the texts around the state in a step")] = None,
    goal: Annotated[str, Param("the state behind which last_prompt is asked; empty: at depth")] = "",
    final: Annotated[str, Param("what a step contains that states the answer")] = FINAL,
    answer: Annotated[Literal["best", "all"], Param("all: each solution kept, best first")] = "best",
    judge_model: JudgeModel = None,
) -> a.Policy:
    """Level by level: grow each kept node by k steps, judge what is new, keep the best.

    T is the sum over the levels of the longest step with its judge: only the choice waits for all. Verdicts are summed,
    marks averaged; of equals the first by position wins. Not in the paper: a step said twice is pruned unjudged; a node
    that states its answer grows no more, and ends the search once it leads; with no step to be had, the best answer.
    """
    form = proposals if generate == "propose" else "sample"
    judges = votes if evaluate == "value" else 0
    questions = Questions(
        question=problem.question, depth=depth, form=form, k=k, judges=judges, temperature=temperature,
        step=step_prompt, last=last_prompt, value=value_prompt, answer_value=answer_value_prompt,
        values=values, state=state, goal=goal, final=final.casefold(),
        judge_model=judge_model,
    )  # fmt: skip
    frontier, worth = [Node()], dict[Node, float]()
    for level in range(1, depth + 1):
        growing = [node for node in frontier if not node.final for _ in range(k if form == "sample" else 1)]
        fresh = yield from grow(growing, level, questions)
        if not fresh:
            break
        nodes = [*(node for node in frontier if node.final), *fresh]
        if evaluate == "vote":
            fresh = yield from elect(
                {node: node.parts for node in nodes}, votes, vote_prompt, problem.question, judge_model
            )
        worth |= fresh
        ranked = sorted(nodes, key=lambda node: -worth[node])
        yield a.Score(scores={node.branches[-1]: worth[node] for node in reversed(ranked)}, by=evaluate)
        yield from prune([*frontier, *nodes], ranked[:beam], f"beam {beam}")
        frontier = ranked[:beam]
        if frontier[0].final and (answer == "best" or all(node.final for node in frontier)):
            break
    kept = frontier if answer == "all" else frontier[:1]
    if not kept[0].texts:
        raise NoAnswer("no first step was found")
    yield from prune(frontier, kept, "not the best")
    sources = dict.fromkeys(branch for node in kept for branch in node.branches)
    return a.Answer(text="\n\n".join("\n".join(node.texts) for node in kept), sources=tuple(sources))
