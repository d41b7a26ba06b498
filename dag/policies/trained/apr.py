"""Runs APR's sub searches: what each child is told, and what of its search comes back (protocols.md sections 3.2 and
13).
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from anabranch.dag.actions import (
    Action,
    Answer,
    Fork,
    Forked,
    Join,
    Joined,
    Malformed,
    Policy,
    Splice,
    SubPolicy,
    Think,
    Thought,
)
from anabranch.dag.decoding import Decoding
from anabranch.dag.errors import NoAnswer
from anabranch.dag.grammars.apr import MARKS, SubSearch, nodes, optimal_path, results, token_budget
from anabranch.dag.grammars.escape import escape, strip_marks
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.few_shot.apr import CALLING
from anabranch.dag.text import say

CHILD = "Answer in one or two short sentences."
REPAIRS = 32
"""Repairs after which a child is asked no more."""


def run_searches(
    children: Sequence[SubSearch], problem: Problem, own: str, reading: str, model: str | None
) -> Generator[Action, Any, tuple[str, list[BranchId]]]:
    """Runs the children of a call; gives the span of their results, and the branches that found something."""
    known = nodes(f"{problem.question}\n{own}")
    budget = token_budget(problem.question)
    thoughts: dict[int, Thought | SubPolicy] = {}
    for place, child in enumerate(children):
        if child.node in known:
            thoughts[place] = _from_node(child, budget + known[child.node].message, reading)
        elif child.message:
            thoughts[place] = _from_message(child)
        else:
            yield Malformed(problem="unknown-node", span=f"#{child.node}")
    if not thoughts:
        return results([(child.node, None) for child in children]), []
    forked: Forked = yield Fork(children=tuple(replace(each, model=model) for each in thoughts.values()))
    joined: Joined = yield Join(targets=forked.branches)
    told = {result.branch: escape(result.value) for result in joined.results if result.ok and result.value}
    paths = {
        place: told.get(branch)
        for place, branch in zip(thoughts, forked.ids, strict=False)
        if branch is not None
    }
    return results([(child.node, paths.get(place)) for place, child in enumerate(children)]), list(told)


def _from_node(child: SubSearch, message: str, reading: str) -> SubPolicy:
    """A raw prompt, which the child continues: no chat template, no instruction."""

    def run() -> Policy:
        own = ""
        for _ in range(REPAIRS):
            segment = yield Think(Decoding(grammar=f"apr-child:{reading}"))
            own += segment.text
            if segment.tag is None:
                break
            own = yield from repair(own)
        path = optimal_path(own)
        return Answer(text=path or "", flags=() if path else ("no-solution",))

    return SubPolicy(run=run, opening=(message,), role="search", label=f"#{child.node}")


def _from_message(child: SubSearch) -> Thought:
    messages = (say("system", CHILD), say("user", escape(child.message)))
    return Thought(messages=messages, role="search", label=child.message)


def repair(own: str) -> Generator[Action, Any, str]:
    """Puts a call in the place of the `<Sub Searches>` that the text ends with, and gives the text as it is then.

    Results are for the runtime to write: a model that begins to is put back to a call (the released client's rule).
    """
    yield Malformed(problem="results-by-model", span=own[-400:])
    removes = len(own) - own.rindex("<")
    yield Splice(text=CALLING, removes=removes)
    return own[: len(own) - removes] + CALLING


def give_answer(own: str, since: int, sources: list[BranchId]) -> Answer:
    """The optimal path that the parent wrote behind the last results; else what stands there; else the same of all."""
    for text in (own[since:], own):
        told = strip_marks(optimal_path(text) or text, MARKS).strip()
        if told:
            return Answer(text=told, sources=tuple(sources))
    raise NoAnswer("the parent wrote nothing")
