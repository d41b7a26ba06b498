"""APR, Adaptive Parallel Reasoning (Pan et al., arXiv 2504.15466): protocols.md section 3, spawn and join."""

from collections.abc import Generator, Sequence
from typing import Annotated, Any, Literal

from anabranch.dag.actions import (
    Action,
    Answer,
    Fork,
    Forked,
    Join,
    Joined,
    Malformed,
    Policy,
    Segment,
    Splice,
    Think,
    Thought,
)
from anabranch.dag.decoding import Decoding, Structure
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policy import Param, policy
from anabranch.dag.protocols.apr import SubSearch, call_span, nodes, optimal_path, results, sub_searches
from anabranch.dag.protocols.escape import escape, unmarked
from anabranch.dag.text import say

INSTRUCTION = """\
You search in parallel. First call one sub search for each part of the question. A sub search asks for one thing only, \
and makes sense alone: whoever does it sees nothing else. The results then take the place of the call, and you answer.

Example question: Who wrote Hamlet, Faust and Emma?
<Calling Sub Searches>
<Start Sub Search 0 at level 1> Moving to Node #0,0: Who wrote Hamlet?
<Start Sub Search 1 at level 1> Moving to Node #0,1: Who wrote Faust?
<Start Sub Search 2 at level 1> Moving to Node #0,2: Who wrote Emma?
<End Calling Sub Searches>"""
CHILD = "Answer in one or two short sentences."
CUE = "The answer:"
"""Behind the results, without which a small model goes on listing them."""
CALLING = "<Calling Sub Searches>"
ASSISTED_WIDTH = 4
SPAWNS = 32
"""Spawns and repairs after which the parent is asked no more."""


@policy(
    title="APR",
    paper="Pan et al. 2025, arXiv 2504.15466",
    use_when="The parts of a search can be told in a line each: all that a child sees, and all that comes back.\n"
    "Made for the released Countdown models; others are helped by an example and a structured call (the default).",
)
def apr(
    problem: Problem,
    *,
    assist: Annotated[
        Literal["call", "none"],
        Param("call: an example, and a structured first call; none: published bytes only"),
    ] = "call",
    reading: Annotated[
        Literal["lenient", "strict"], Param("strict: a call that departs from the trained format stays text")
    ] = "lenient",
    limit: Annotated[int, Param("sub searches a call may have", ge=1, le=64)] = 16,
) -> Policy:
    """Think up to the end of a call, one isolated child per sub search; the results replace the call; think on.

    T is the parent's segments plus the longest child of each call (the released code reports the longest single
    sequence, which is less). A child gets the message that the runtime composes from its node in the parent's text; it
    returns what stands behind its second-to-last "Goal Reached". Results come in the order of their numbers. A child
    that failed, found nothing, or was never told of gives the "No Solution" line. A parent that begins to write results
    is put back to a call. A malformed call, or one of more than `limit`, is recorded and stays text. The conditioning
    prefixes (`Sub Call Budget: n`, `Token Budget: n`) are the question's to begin with.
    """
    temperature = 0.0 if assist == "call" else None
    thinking = Decoding(grammar=f"apr:{reading}", temperature=temperature)
    within_call = Decoding(grammar=f"apr-calling:{reading}", temperature=temperature)
    decoding, own, since, sources = thinking, "", 0, [TRUNK]
    if assist == "call":
        yield Splice(messages=(say("system", INSTRUCTION),))
        decoding = Decoding(grammar=thinking.grammar, temperature=temperature, structure=_call(limit))
    for _ in range(SPAWNS):
        segment: Segment = yield Think(decoding)
        decoding, tag = thinking, segment.tag
        own += segment.text
        fault = "" if tag is None else "results-by-model" if tag.kind == "repair" else tag.problem
        children = () if tag is None or fault else sub_searches(tag.body)
        fault = fault or ("too-many" if len(children) > limit else "")
        if fault:
            yield Malformed(problem=fault, span=segment.text[-400:])
        if tag is None or fault == "unclosed":
            return _answer(own, since, sources)
        if tag.kind == "repair":
            span, instead, decoding = len(own) - own.rindex("<"), CALLING, within_call
        elif fault:
            continue
        else:
            span = call_span(own)
            instead, found = yield from _searched(
                sorted(children, key=lambda child: child.index), problem, own
            )
            instead += CUE if assist == "call" else ""
            since = len(own) - span + len(instead)
            sources += found
        yield Splice(text=instead, removes=span)
        own = own[: len(own) - span] + instead
    yield Malformed(problem="too-many-calls")
    return _answer(own, since, sources)


def _searched(
    children: Sequence[SubSearch], problem: Problem, own: str
) -> Generator[Action, Any, tuple[str, list[BranchId]]]:
    """Run the children of a call: the span of their results, and those that found something."""
    known = nodes(f"{problem.question}\n{own}")
    thoughts: dict[SubSearch, Thought] = {}
    for child in children:
        if child.node in known:
            thoughts[child] = _from_node(child, known[child.node].message)
        elif child.message:
            thoughts[child] = _from_message(child)
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


def _from_node(child: SubSearch, message: str) -> Thought:
    """A raw prompt, which the child continues: no chat template, no instruction (section 3.2)."""
    return Thought(opening=(message,), returns=_optimal, role="search", label=f"#{child.node}")


def _from_message(child: SubSearch) -> Thought:
    messages = (say("system", CHILD), say("user", escape(child.message)))
    return Thought(messages=messages, role="search", label=child.message)


def _optimal(segment: Segment) -> Answer:
    path = optimal_path(segment.text)
    return Answer(text=path or "", flags=() if path else ("no-solution",))


def _answer(own: str, since: int, sources: list[BranchId]) -> Answer:
    """What stands behind the last results, else all there is; without marks."""
    text = unmarked(own[since:]).strip() or unmarked(own).strip()
    if not text:
        raise NoAnswer("the parent wrote nothing")
    return Answer(text=text, sources=tuple(sources))


def _call(limit: int) -> Structure:
    """The form of a call of 1 to 4 sub searches, for models that were not trained for it."""
    line = r"<Start Sub Search {n} at level 1> Moving to Node #0,{n}: [A-Z][^<>\n]{{8,160}}\n"
    optional = ""
    for n in range(min(limit, ASSISTED_WIDTH) - 1, 0, -1):
        optional = f"({line.format(n=n)}{optional})?"
    return Structure(regex=f"{CALLING}\n{line.format(n=0)}{optional}<End Calling Sub Searches>")
