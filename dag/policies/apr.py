"""Implements APR, Adaptive Parallel Reasoning (Pan et al., arXiv 2504.15466): protocols.md section 3, spawn and
join.
"""

from dataclasses import replace
from typing import Annotated, Literal

from anabranch.dag.actions import Malformed, Policy, Segment, Splice, Think
from anabranch.dag.decoding import Decoding
from anabranch.dag.grammars.apr import call_span, sub_searches
from anabranch.dag.ids import TRUNK
from anabranch.dag.job import Problem
from anabranch.dag.policies.few_shot.apr import CUE, INSTRUCTION, call
from anabranch.dag.policies.trained.apr import give_answer, repair, run_searches
from anabranch.dag.policies.trained.parameters import Reading
from anabranch.dag.policy import Param, WorkerModel, policy
from anabranch.dag.text import say

SPAWNS = 32
"""Spawns and repairs after which the parent is asked no more."""


@policy(
    title="APR",
    paper="Pan et al. 2025, arXiv 2504.15466",
    use_when="The parts of a search can be told in a line each: all that a child sees, and all that comes back.\n"
    "Made for the released Countdown models; others are helped by an example and a structured call (the default).",
    raw_thoughts=True,
)
def apr(
    problem: Problem,
    *,
    assist: Annotated[
        Literal["call", "none"],
        Param("call: an example, and a structured first call; none: published bytes only", trained="none"),
    ] = "call",
    reading: Reading = "lenient",
    limit: Annotated[int, Param("sub searches a call may have", ge=1, le=64)] = 16,
    worker_model: WorkerModel = None,
) -> Policy:
    """Think up to the end of a call, one isolated child per sub search; the results replace the call; think on.

    T is the parent's segments plus the longest child of each call (the released code reports the longest single
    sequence, which is less). A child gets the message that the runtime composes from its node in the parent's text,
    behind the question's `Token Budget: n`, if it has one. A search says "Goal Reached" twice, at the goal and at the
    end of its optimal path: a child returns, and the parent answers, what stands behind the second-to-last. Results
    come, and are numbered, in the order of the call. A child that failed, found nothing, or was never told of gives the
    "No Solution" line. Whoever begins to write results is put back to a call. A malformed call, or one of more than
    `limit`, is recorded and stays text. A checkpoint that was trained on raw text wants the job's `prompt`.
    """
    temperature = 0.0 if assist == "call" else None
    thinking = Decoding(grammar=f"apr:{reading}", temperature=temperature)
    within_call = replace(thinking, grammar=f"apr-calling:{reading}")
    decoding, own, since, sources = thinking, "", 0, [TRUNK]
    if assist == "call":
        yield Splice(messages=(say("system", INSTRUCTION),))
        decoding = replace(thinking, structure=call(limit))
    for _ in range(SPAWNS):
        segment: Segment = yield Think(decoding)
        decoding, tag = thinking, segment.tag
        own += segment.text
        if tag is not None and tag.kind == "repair":
            own, decoding = (yield from repair(own)), within_call
            continue
        children = () if tag is None or tag.problem else sub_searches(tag.body)
        fault = "too-many" if len(children) > limit else tag.problem if tag else ""
        if fault:
            yield Malformed(problem=fault, span=segment.text[-400:])
        if tag is None or fault == "unclosed":
            return give_answer(own, since, sources)
        if fault:
            continue
        span = call_span(own)
        told, found = yield from run_searches(children, problem, own, reading, worker_model)
        told += CUE if assist == "call" else ""
        yield Splice(text=told, removes=span)
        own = own[: len(own) - span] + told
        since, sources = len(own), [*sources, *found]
    yield Malformed(problem="too-many-calls")
    return give_answer(own, since, sources)
