"""Implements Recursive Self-Aggregation (Venkatraman et al., arXiv 2509.26626), and PaCoRe's rounds (2601.05593)."""

from collections.abc import Sequence
from typing import Annotated, Literal

from anabranch.dag.actions import Answer, Explain, Fork, Forked, Policy, Result
from anabranch.dag.errors import BadParameters, NoAnswer
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.population import AGGREGATE, Aggregation, check_prompt, check_widths
from anabranch.dag.policies.parts.samples import Samples
from anabranch.dag.policies.parts.waiting import Enough, Within, join_within
from anabranch.dag.policies.presets.aggregation import PACORE, RSA
from anabranch.dag.policy import Param, policy


@policy(
    title="Recursive aggregation",
    paper="RSA: Venkatraman et al. 2025, arXiv 2509.26626; PaCoRe: arXiv 2601.05593",
    use_when="Solutions that are wrong in different places can be made into a right one, again and again.\n"
    "Costs population times steps solutions, each of which reads some of the last ones.",
    presets={"rsa": RSA, "pacore": PACORE},
    marks_answer=True,
    may_call=True,
    efforts={
        "none": {"population": 2, "steps": 2},
        "minimal": {"population": 2, "steps": 2},
        "low": {"population": 3, "steps": 2},
        "high": {"population": 8, "subset": 4, "steps": 4},
    },
)
def recursive_aggregation(
    problem: Problem,
    *,
    population: Annotated[int, Param("solutions of each step", ge=1, le=256)] = 4,
    subset: Annotated[int, Param("last solutions that a new one reads; 0: all", ge=0, le=256)] = 2,
    steps: Annotated[int, Param("steps in all: the first draws, the others aggregate", ge=1, le=64)] = 3,
    widths: Annotated[
        Sequence[int] | None,
        Param(
            "solutions of each step, where they differ; stands over population and steps", check=check_widths
        ),
    ] = None,
    enough: Enough = 0,
    within: Within = None,
    read: Annotated[
        Literal["all", "conclusion"],
        Param("what of a solution the next step reads; conclusion: its last paragraph"),
    ] = "all",
    aggregate_prompt: Annotated[
        str,
        Param("asks for one solution from {candidates}: {question}, {candidates}", check=check_prompt),
    ] = AGGREGATE,
    temperature: Annotated[float, Param("of the solutions", ge=0.0, le=2.0)] = 1.0,
) -> Policy:
    """Draw a population; in each further step every new member aggregates some of the last; answer with the majority.

    Who reads whom follows from the job's seed alone. T is the sum over the steps of their longest member: a step waits
    for all. The answer is the solution, as it was written, of the first member that voted for the winner: the paper
    leaves it open (one at random, or a majority). Where no solution has an answer that can be compared, it is the first
    one. A last step of one member is the final thought, and its text the answer. A member that failed is one less to
    read; a step of which nothing came, or which may not be forked, ends it with the population before.
    """
    if widths is None and subset > population:
        raise BadParameters(f"a solution cannot read {subset} of {population}: subset is at most population")
    plan = tuple(widths) if widths is not None else (population,) * steps
    aggregation = Aggregation(
        problem=problem,
        subset=subset,
        prompt=aggregate_prompt,
        compact=read == "conclusion",
        temperature=temperature,
    )
    members: tuple[Result, ...] = ()
    for step, width in enumerate(plan, start=1):
        last = step == len(plan)
        thoughts = aggregation.draw(step, width, [each.branch for each in members], last=last)
        forked: Forked = yield Fork(children=thoughts)
        joined = yield from join_within(forked.branches, enough, within)
        grown = tuple(result for result in joined.results if result.ok)
        members = grown or members
        if not last and (not grown or forked.rejected or joined.winding_down):
            yield Explain("stop", f"step {step} of {len(plan)} is the last", {"members": len(members)})
            break
    if not members:
        raise NoAnswer("no solution was written")
    chosen = members[0]
    if len(members) > 1:
        samples = Samples(structured=problem.structured)
        for member in members:
            samples.take(member)
        tally = yield from samples.count(0)
        chosen = samples.drawn[tally.supporters[0]] if tally.supporters else chosen
    text = problem.trimmed(chosen.value)
    return Answer(text=text, sources=(chosen.branch,), flags=chosen.flags, calls=chosen.calls)
