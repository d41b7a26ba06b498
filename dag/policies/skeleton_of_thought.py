"""Implements Skeleton-of-Thought (Ning et al., arXiv 2307.15337), with its prompt router."""

from dataclasses import replace
from itertools import zip_longest
from typing import Annotated, Literal

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding, Purpose
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.prompts import fill_text
from anabranch.dag.policies.parts.skeleton import (
    NO_SKELETON,
    POINT,
    ROUTER,
    SKELETON,
    ask_router,
    format_line,
    point_child,
    read_skeleton,
    skeleton_form,
)
from anabranch.dag.policies.presets.skeleton_published import SKELETON_PUBLISHED
from anabranch.dag.policy import Param, PlannerModel, WorkerModel, policy
from anabranch.dag.text import say


@policy(
    title="Skeleton of Thought",
    paper="Ning et al. 2023, arXiv 2307.15337",
    use_when="A general question is best answered by a list of points that do not need each other.\n"
    "Poor on mathematics and code: the router then answers in one go.",
    presets={"published": SKELETON_PUBLISHED},
    efforts={"none": {"points": 4}, "minimal": {"points": 4}, "low": {"points": 7}, "high": {"points": 15}},
)
def skeleton_of_thought(
    problem: Problem,
    *,
    router: Annotated[Literal["ask", "off"], Param("ask the model first whether the question suits")] = "ask",
    points: Annotated[int, Param("points that a skeleton may have", ge=3, le=20)] = 10,
    point_words: Annotated[int, Param("words that a point of the skeleton may have", ge=1, le=20)] = 5,
    point_tokens: Annotated[int, Param("tokens that one point may take", ge=1)] = 160,
    router_prompt: Annotated[str, Param("answered with A, B or C; A: by points")] = ROUTER,
    skeleton_prompt: Annotated[str, Param("asks for a numbered list: {question}, {points}")] = SKELETON,
    point_prompt: Annotated[str, Param("asks for one point: {question}, {number}, {point}")] = POINT,
    planner_model: PlannerModel = None,
    worker_model: WorkerModel = None,
) -> a.Policy:
    """Write a skeleton, then all its points at once, and set them together in its order: no decode follows the join.

    T is the router's letter, the skeleton, and the longest point. Where the paper is silent: a router that fails counts
    as an A; a skeleton of fewer than two points is malformed and the question answered directly; a point that failed,
    was refused or was cut off stands as its bare skeleton.
    """
    suits = router == "off" or (yield from ask_router(router_prompt, planner_model))
    if not suits:
        return (yield from _answer_directly(problem))
    ask = fill_text(skeleton_prompt, points=points, question=problem.question)
    yield a.Splice(messages=(say("user", ask),))
    form = skeleton_form(points, point_words)
    outline: a.Segment = yield a.Think(
        Decoding(structure=form, max_tokens=5 * point_words * points), planner_model
    )
    skeleton = read_skeleton(outline.text, points)
    if len(skeleton) < 2:
        yield a.Malformed(problem="no-skeleton", span=outline.text[:200])
        yield a.Splice(messages=(say("user", NO_SKELETON),))
        return (yield from _answer_directly(problem))
    children = tuple(
        replace(point_child(i, point, point_tokens, point_prompt, problem.question), model=worker_model)
        for i, point in enumerate(skeleton, start=1)
    )
    forked: a.Forked = yield a.Fork(children=children)
    joined: a.Joined = yield a.Join(targets=forked.branches)
    written = [result for result in joined.results if result.ok]
    texts: dict[BranchId | None, str] = {result.branch: result.value.strip() for result in written}
    rows = zip_longest(skeleton, forked.ids)  # a person may have taken points out
    lines = (format_line(i, point, texts.get(branch, "")) for i, (point, branch) in enumerate(rows, start=1))
    return a.Answer(text="\n".join(lines), sources=(TRUNK, *(each.branch for each in written)))


def _answer_directly(problem: Problem) -> a.Policy:
    segment: a.Segment = yield a.Think(Decoding(purpose=Purpose.ANSWER))
    if not segment.text.strip() and not segment.stopped:
        raise NoAnswer("the model wrote neither a skeleton nor an answer")
    return a.Answer(text=problem.trimmed(segment.text), sources=(TRUNK,))
