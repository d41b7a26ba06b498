"""Implements Dynasor (Fu et al., arXiv 2412.20993): a chain ends once probes of it keep giving the same answer."""

from typing import Annotated

from anabranch.dag.actions import Fork, Forked, Join, Joined, Mode, Policy, Voted
from anabranch.dag.errors import BadParameters
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.probing import PROBE, Probing, check_probe
from anabranch.dag.policies.parts.samples import Samples
from anabranch.dag.policies.parts.waiting import Within
from anabranch.dag.policy import Param, policy


@policy(
    title="Dynasor",
    paper="Fu et al. 2024, arXiv 2412.20993 (Certaindex)",
    use_when="Chains of thought are long, and know their answer well before they end.\n"
    "Costs a short probe now and then, and saves what a chain would have written behind its answer.",
    efforts={"high": {"n": 4}},
)
def dynasor(
    problem: Problem,
    *,
    n: Annotated[int, Param("chains, of which the majority answers", ge=1, le=256)] = 1,
    interval: Annotated[int, Param("tokens between two probes", ge=1, le=65536)] = 64,
    agree: Annotated[int, Param("probes in a row that must give the same answer", ge=2, le=64)] = 3,
    tokens: Annotated[
        int, Param("tokens one chain may write, without its probes", ge=1, le=1_048_576)
    ] = 4096,
    probe: Annotated[
        str, Param("written behind the chain so far; it ends within an open \\boxed{", check=check_probe)
    ] = PROBE,
    probe_tokens: Annotated[int, Param("tokens one probe may take", ge=1, le=512)] = 20,
    within: Within = None,
    ask: Annotated[bool, Param("tell the model how to mark its answer, so that it can be found")] = True,
    temperature: Annotated[float, Param("of the chains", ge=0.0, le=2.0)] = 0.6,
) -> Policy:
    """Follow n chains; a probe at each interval asks what each would answer now, and one that is stable has answered.

    A probe reads the chain from the prefix cache and is no part of it. Answers that mean the same are the same; a probe
    that hedges, or is cut off, agrees with nothing. T is the longest chain that was waited for, each interval with its
    probe. A chain that ends by itself before its probes agree votes with the answer in its text. As no probe can read
    thoughts, models that can think without them are told to: the chain is the text. With several chains the majority
    answers, as soon as no other answer can win.
    """
    if interval > tokens:
        raise BadParameters(
            f"a chain of {tokens} tokens has no probe every {interval}: interval is at most tokens"
        )
    probing = Probing(
        interval=interval,
        agree=agree,
        tokens=tokens,
        probe=probe,
        probe_tokens=probe_tokens,
        temperature=temperature,
        ask=ask,
    )
    forked: Forked = yield Fork(children=(probing.chain(),) * n)
    pending = forked.branches
    samples, tally = Samples(structured=False), None
    while pending and not (tally and tally.decided):
        joined: Joined = yield Join(targets=pending, mode=Mode.FIRST, seconds=within)
        if joined.expired:
            break
        pending = joined.pending
        for result in joined.results:
            samples.take(result)
        counted: Voted = yield from samples.count(len(pending))
        tally = counted
    return (yield from samples.answer(tally))
