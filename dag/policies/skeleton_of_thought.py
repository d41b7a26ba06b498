"""Skeleton-of-Thought (Ning et al., arXiv 2307.15337), with its prompt router."""

import re
from collections.abc import Generator
from itertools import zip_longest
from typing import Annotated, Any, Literal

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding, Structure
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policy import Param, policy
from anabranch.dag.protocols.escape import escape
from anabranch.dag.text import Base, say

ROUTER = """\
How should this question be answered?
A. As a list of points, each of which can be written without having read the others.
B. As a list of points, the later of which build on the earlier ones.
C. Not as a list of points.
Reply with A, B or C alone."""
SKELETON = """\
Do not answer yet. Give only the skeleton of your answer: a numbered list (1., 2., 3., …) of 3 to {points} points, \
each of only 3 to 5 words."""
POINT = "Write one or two sentences about point {number}, {point}, and nothing about the others."
NO_SKELETON = "Forget the skeleton. Answer the question itself now."

_WORD = r"[^\s:.*\d]{1,20}"
_LINE = re.compile(r"^\s*\d+[.)]\s*(.+?)[\s:.]*$", re.MULTILINE)


@policy(
    title="Skeleton of Thought",
    paper="Ning et al. 2023, arXiv 2307.15337",
    use_when="A general question is best answered by a list of points that do not need each other.\n"
    "Poor on mathematics and code: the router then answers in one go.",
)
def skeleton_of_thought(
    problem: Problem,
    *,
    router: Annotated[Literal["ask", "off"], Param("ask the model first whether the question suits")] = "ask",
    points: Annotated[int, Param("points that a skeleton may have", ge=3, le=20)] = 10,
    point_tokens: Annotated[int, Param("tokens that one point may take", ge=1)] = 160,
) -> a.Policy:
    """Write a skeleton, then all its points at once, and set them together in its order: no decode follows the join.

    T is the router's letter, the skeleton, and the longest point. Where the paper is silent: a router that fails counts
    as an A; a skeleton of fewer than two points is malformed and the question answered directly; a point that failed,
    was refused or was cut off stands as its bare skeleton.
    """
    suits = router == "off" or (yield from _suits())
    if not suits:
        return (yield from _direct())
    yield a.Splice(messages=(say("user", SKELETON.format(points=points)),))
    outline: a.Segment = yield a.Think(Decoding(structure=_skeleton(points), max_tokens=24 * points))
    skeleton = _LINE.findall(outline.text)[:points]
    if len(skeleton) < 2:
        yield a.Malformed(problem="no-skeleton", span=outline.text[:200])
        yield a.Splice(messages=(say("user", NO_SKELETON),))
        return (yield from _direct())
    children = tuple(_point(i, point, point_tokens) for i, point in enumerate(skeleton, start=1))
    forked: a.Forked = yield a.Fork(children=children)
    joined: a.Joined = yield a.Join(targets=forked.branches)
    written = [result for result in joined.results if result.ok]
    texts: dict[BranchId | None, str] = {result.branch: result.value.strip() for result in written}
    rows = zip_longest(skeleton, forked.ids)  # a person may have taken points out
    lines = (_line(i, point, texts.get(branch, "")) for i, (point, branch) in enumerate(rows, start=1))
    return a.Answer(text="\n".join(lines), sources=(TRUNK, *(each.branch for each in written)))


def _line(number: int, point: str, text: str) -> str:
    return f"{number}. {point}: {text}" if text else f"{number}. {point}"


def _suits() -> Generator[a.Action, Any, bool]:
    """What the router says, in a branch of its own: the skeleton's context stays as the paper has it."""
    letters = Decoding(structure=Structure(choice=("A", "B", "C")), temperature=0.0, max_tokens=4)
    ask = a.Thought(
        base=Base.PROBLEM, messages=(say("user", ROUTER),), decoding=letters, role="router", returns=a.aside
    )
    forked: a.Forked = yield a.Fork(children=(ask,))
    joined: a.Joined = yield a.Join(targets=forked.branches)
    return all(result.value.strip().startswith("A") for result in joined.results if result.ok)


def _direct() -> a.Policy:
    segment: a.Segment = yield a.Think()
    if not segment.text.strip():
        raise NoAnswer("the model wrote neither a skeleton nor an answer")
    return a.Answer(text=segment.text.strip(), sources=(TRUNK,))


def _skeleton(points: int) -> Structure:
    """A list of 3 points to so many, each of 1 to 5 words, as a pattern: it ends by itself."""
    pattern = ""
    for number in range(points, 0, -1):
        line = rf"{number}\. {_WORD}( {_WORD}){{0,4}}\n"
        pattern = f"({line}{pattern})?" if number > 3 else line + pattern
    return Structure(regex=pattern)


def _point(number: int, point: str, tokens: int) -> a.Thought:
    return a.Thought(
        base=Base.PARENT,
        messages=(say("user", POINT.format(number=number, point=escape(point))),),
        opening=(f"{number}. {escape(point)}:",),
        decoding=Decoding(max_tokens=tokens),
        role="point",
        label=point,
    )
