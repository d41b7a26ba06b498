"""APR's sub searches: what each child is told, and what of its search comes back (protocols.md section 3.2)."""

from collections.abc import Generator, Sequence
from typing import Any

from anabranch.dag.actions import Action, Answer, Fork, Forked, Join, Joined, Malformed, Segment, Thought
from anabranch.dag.errors import NoAnswer
from anabranch.dag.grammars.apr import SubSearch, nodes, optimal_path, results
from anabranch.dag.grammars.escape import escape, unmarked
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.text import say

CHILD = "Answer in one or two short sentences."


def searched(
    children: Sequence[SubSearch], problem: Problem, own: str
) -> Generator[Action, Any, tuple[str, list[BranchId]]]:
    """Run the children of a call: the span of their results, and those that found something."""
    known = nodes(f"{problem.question}\n{own}")
    thoughts: dict[SubSearch, Thought] = {}
    for child in children:
        if child.node in known:
            thoughts[child] = from_node(child, known[child.node].message)
        elif child.message:
            thoughts[child] = from_message(child)
        else:
            yield Malformed(problem="unknown-node", span=f"#{child.node}")
    if not thoughts:
        return results([(child, None) for child in children]), []
    forked: Forked = yield Fork(children=tuple(thoughts.values()))
    joined: Joined = yield Join(targets=forked.branches)
    told = {result.branch: escape(result.value) for result in joined.results if result.ok and result.value}
    paths = {
        child: told.get(branch)
        for child, branch in zip(thoughts, forked.ids, strict=False)
        if branch is not None
    }
    return results([(child, paths.get(child)) for child in children]), list(told)


def from_node(child: SubSearch, message: str) -> Thought:
    """A raw prompt, which the child continues: no chat template, no instruction (section 3.2)."""
    return Thought(opening=(message,), returns=optimal, role="search", label=f"#{child.node}")


def from_message(child: SubSearch) -> Thought:
    messages = (say("system", CHILD), say("user", escape(child.message)))
    return Thought(messages=messages, role="search", label=child.message)


def optimal(segment: Segment) -> Answer:
    path = optimal_path(segment.text)
    return Answer(text=path or "", flags=() if path else ("no-solution",))


def answered(own: str, since: int, sources: list[BranchId]) -> Answer:
    """What stands behind the last results, else all there is; without marks."""
    text = unmarked(own[since:]).strip() or unmarked(own).strip()
    if not text:
        raise NoAnswer("the parent wrote nothing")
    return Answer(text=text, sources=tuple(sources))
