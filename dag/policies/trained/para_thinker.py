"""Words ParaThinker's branches: the paths, and the summary that reads all of them.

With the released checkpoints' bytes (protocols.md sections 5.1 and 13), or with words in their place for models that do
not know these. The released prompt is a job's question with INSTRUCTION behind it; a job that gives its own raw prompt
gets neither the instruction nor `<think>`.
"""

from collections.abc import Sequence
from dataclasses import replace

from anabranch.dag.actions import Answer, Joined, Segment, Thought
from anabranch.dag.decoding import Decoding, Finish, Purpose
from anabranch.dag.grammars.escape import strip_marks
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.text import Base, Message, Output, Parts, say

PATHS = 8
"""The checkpoints have tokens for so many."""
PATH = "Think step by step. Put your final answer in \\boxed{}."
SUMMARY = (
    "Above are several lines of thought about the question; some were stopped before their end. Compare them, "
    "correct what is wrong, and give the final answer in \\boxed{}."
)
INSTRUCTION = (
    " You FIRST think about the reasoning process as an internal monologue     and then summarize the reasoning "
    "process to get the final answer. The summary process MUST BE enclosed     within <summary> </summary> tags. "
    "The final answer MUST BE put in \\boxed{}."
)
"""The released example's bytes, its runs of blanks included."""
SUMMARY_OPENING = (
    "<summary>By analyzing multiple reasoning processes above, I concluded that: The final answer is"
)
MARKS = (*(f"think{path}" for path in range(1, 9)), "think", "summary")
STOPS = ("</think>", *(f"</think{path}>" for path in range(1, PATHS + 1)), "</summary>")
"""Whichever of these a path writes, it has ended; so it has where the model ends its turn."""
ANSWER = Decoding(purpose=Purpose.ANSWER)
UNCLOSED = "unclosed"
"""Flag of a path that was cut by a limit: the released engine writes no closing tag behind it."""


def trained_path(problem: Problem, number: int) -> Thought:
    """A path of a released checkpoint: its token is forced."""
    return replace(_continue(problem, (f"<think{number}>",)), role="path", label=f"path {number}")


def prompted_path(number: int) -> Thought:
    """A path of any other model."""
    return Thought(base=Base.PROBLEM, messages=(say("system", PATH),), role="path", label=f"path {number}")


def trained_summary(
    problem: Problem, paths: Sequence[BranchId], closed: Sequence[BranchId], limit: int | None
) -> Thought:
    """A child that goes on behind all paths, in the order of their numbers; those in `closed` end with their tag. The
    answer is what it says without marks, so it is known at its end."""
    read: Parts = ()
    for number, branch in enumerate(paths, start=1):
        closer = f"</think{number}>" if branch in closed else ""
        read = (*read, f"<think{number}>", Output(branch=branch, limit=limit), closer)
    summary = _continue(problem, (*read, SUMMARY_OPENING))
    return replace(summary, role="summary", decoding=replace(summary.decoding, purpose=Purpose.CANDIDATE))


def prompted_summary(paths: Sequence[BranchId], limit: int | None) -> Thought:
    """A child that reads the problem and all paths, in the order of their numbers."""
    read: Parts = ()
    for number, branch in enumerate(paths, start=1):
        read = (*read, f"Line {number}:\n", Output(branch=branch, limit=limit), "\n\n")
    return Thought(
        base=Base.PROBLEM, messages=(say("user", *read, SUMMARY),), decoding=ANSWER, role="summary"
    )


def _continue(problem: Problem, opening: Parts) -> Thought:
    """A branch that goes on behind the released prompt, or behind the job's own."""
    thought = Thought(opening=opening, decoding=Decoding(stop=STOPS), returns=_before_stop)
    if problem.raw:
        return replace(thought, base=Base.PROBLEM)
    return replace(thought, messages=_ask(problem), opening=("<think>", *opening))


def _ask(problem: Problem) -> tuple[Message, ...]:
    """The problem's messages, with the released instruction behind the last one of the user."""
    messages = list(problem.messages)
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].role == "user":
            messages[place] = replace(messages[place], parts=(*messages[place].parts, INSTRUCTION))
            break
    return tuple(messages)


def readable(text: str) -> str:
    """What a path or a summary says to a reader: without the marks of paths and summaries."""
    return strip_marks(text, MARKS).strip()


def _before_stop(segment: Segment) -> Answer:
    """A segment's text before the tag that ended it."""
    match segment.finish:
        case Finish.STOP:
            return Answer(text=segment.text[: segment.text.rindex("</")])
        case Finish.LENGTH:
            return Answer(text=segment.text, flags=(UNCLOSED, "truncated"))
        case _:
            return Answer(text=segment.text)


def said_in(summary: Joined, problem: Problem, *, trained: bool) -> str:
    """What the summary says; only the released checkpoints write marks in it."""
    if not summary.results or not summary.results[0].ok:
        return ""
    value = summary.results[0].value
    return readable(value) if trained else problem.trimmed(value)
