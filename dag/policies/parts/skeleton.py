"""Reads skeletons: whether an answer is a list of points, what its skeleton looks like, and how a point is written."""

from collections.abc import Generator
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding, Structure
from anabranch.dag.grammars.escape import escape
from anabranch.dag.policies.parts.lists import numbered
from anabranch.dag.policies.parts.prompts import fill_text
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
NO_SKELETON = "Forget the skeleton. Answer the question itself now."
POINT = "Write one or two sentences about point {number}, {point}, and nothing about the others."

_WORD = r"[^\s:.*\d]{1,20}"


def read_skeleton(text: str, points: int) -> list[str]:
    """The points of a numbered list, at most so many."""
    listed = (point.rstrip(" :.*") for point in numbered(text)[0])
    return [point for point in listed if point][:points]


def format_line(number: int, point: str, text: str) -> str:
    return f"{number}. {point}: {text}" if text else f"{number}. {point}"


def ask_router(prompt: str, model: str | None) -> Generator[a.Action, Any, bool]:
    """What the router says, in a branch of its own: the skeleton's context stays as the paper has it."""
    letters = Decoding(structure=Structure(choice=("A", "B", "C")), temperature=0.0, max_tokens=4)
    ask = a.Thought(
        base=Base.PROBLEM,
        messages=(say("user", prompt),),
        decoding=letters,
        role="router",
        returns=a.aside,
        model=model,
    )
    forked: a.Forked = yield a.Fork(children=(ask,))
    joined: a.Joined = yield a.Join(targets=forked.branches)
    return all(result.value.strip().startswith("A") for result in joined.results if result.ok)


def skeleton_form(points: int, words: int) -> Structure:
    """A list of 3 points to so many, each of 1 to so many words, as a pattern: it ends by itself."""
    pattern = ""
    for number in range(points, 0, -1):
        line = rf"{number}\. {_WORD}( {_WORD}){{0,{words - 1}}}\n"
        pattern = f"({line}{pattern})?" if number > 3 else line + pattern
    return Structure(regex=pattern)


def point_child(number: int, point: str, tokens: int, prompt: str, question: str) -> a.Thought:
    """The child that writes a point, behind the skeleton."""
    told = fill_text(prompt, number=number, point=escape(point), question=question)
    return a.Thought(
        base=Base.PARENT,
        messages=(say("user", told),),
        opening=(f"{number}. {escape(point)}:",),
        decoding=Decoding(max_tokens=tokens),
        role="point",
        label=point,
    )
