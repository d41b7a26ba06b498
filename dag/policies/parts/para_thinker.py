"""ParaThinker's branches: the paths, and the summary that reads all of them; with the released checkpoints' tokens, or
with words in their place for models that do not know these.
"""

from anabranch.dag.actions import Answer, Segment, Thought
from anabranch.dag.decoding import Decoding, Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.text import Base, Output, Parts, say

PATH = "Think step by step. Put your final answer in \\boxed{}."
SUMMARY = (
    "Above are several lines of thought about the question; some were stopped before their end. Compare them, "
    "correct what is wrong, and give the final answer in \\boxed{}."
)
TEMPLATE = "I have thought about this in several ways. Taking them together, the final answer is"
"""Stands behind `<summary>`. The engine's own sentence is not in our sources; this says what it is told to say."""


def path(number: int, trained: bool) -> Thought:
    if not trained:
        return Thought(
            base=Base.PROBLEM, messages=(say("system", PATH),), role="path", label=f"path {number}"
        )
    return Thought(
        base=Base.PROBLEM,
        opening=(f"<think{number}>",),
        decoding=Decoding(stop=(f"</think{number}>",)),
        returns=_without_stop,
        role="path",
        label=f"path {number}",
    )


def _without_stop(segment: Segment) -> Answer:
    """A segment's text before the tag that ended it."""
    if segment.finish is not Finish.STOP:
        return Answer(text=segment.text, flags=("closed-by-runtime",))
    return Answer(text=segment.text[: segment.text.rindex("</")])


def summary_of(paths: tuple[BranchId, ...], limit: int | None, trained: bool) -> Thought:
    """A child that reads the problem and all paths, in the order of their numbers."""
    read: Parts = ()
    for number, branch in enumerate(paths, start=1):
        opens, closes = (
            (f"<think{number}>", f"</think{number}>") if trained else (f"Line {number}:\n", "\n\n")
        )
        read = (*read, opens, Output(branch=branch, limit=limit), closes)
    if trained:
        return Thought(
            base=Base.PROBLEM,
            opening=(*read, f"<summary>{TEMPLATE}"),
            decoding=Decoding(stop=("</summary>",)),
            returns=_without_stop,
            role="summary",
        )
    return Thought(base=Base.PROBLEM, messages=(say("user", *read, SUMMARY),), role="summary")
