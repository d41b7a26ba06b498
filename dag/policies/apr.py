"""APR, Adaptive Parallel Reasoning (Pan et al., arXiv 2504.15466): protocols.md section 3, spawn and join."""

from typing import Annotated, Literal

from anabranch.dag.actions import Malformed, Policy, Segment, Splice, Think
from anabranch.dag.decoding import Decoding
from anabranch.dag.grammars.apr import call_span, sub_searches
from anabranch.dag.ids import TRUNK
from anabranch.dag.job import Problem
from anabranch.dag.policies.few_shot.apr import CALLING, CUE, INSTRUCTION, call
from anabranch.dag.policies.parts.apr import answered, searched
from anabranch.dag.policy import Param, policy
from anabranch.dag.text import say

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
        decoding = Decoding(grammar=thinking.grammar, temperature=temperature, structure=call(limit))
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
            return answered(own, since, sources)
        if tag.kind == "repair":
            span, instead, decoding = len(own) - own.rindex("<"), CALLING, within_call
        elif fault:
            continue
        else:
            span = call_span(own)
            instead, found = yield from searched(
                sorted(children, key=lambda child: child.index), problem, own
            )
            instead += CUE if assist == "call" else ""
            since = len(own) - span + len(instead)
            sources += found
        yield Splice(text=instead, removes=span)
        own = own[: len(own) - span] + instead
    yield Malformed(problem="too-many-calls")
    return answered(own, since, sources)
