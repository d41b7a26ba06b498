"""Picks the policy and its width by itself: a short look at the question, and the job's budget."""

from typing import Annotated

from anabranch.dag.actions import Explain, Fork, Forked, Join, Joined, Malformed, Policy
from anabranch.dag.errors import BadParameters, NoAnswer
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.routing import LOOK, Look, choose, paths_within, read_look, router, width_of
from anabranch.dag.policies.sequential import sequential
from anabranch.dag.policy import Param, PlannerModel, policy

UNSEEN = Look("medium", "parts")
"""Where the router said nothing of use: a plan answers directly where there are no parts."""


@policy(
    title="Auto",
    paper="Anabranch's own; width by difficulty: Snell et al. 2024, arXiv 2408.03314",
    use_when="Questions of all kinds come, and nobody wants to choose a policy for each.\n"
    "Costs one short call more; simple questions then cost little, hard ones as much as they are worth.",
    marks_answer=True,
    may_call=True,
    efforts={
        "none": {"simple": 1, "hard": 4},
        "minimal": {"simple": 1, "hard": 4},
        "low": {"simple": 2, "hard": 8},
        "high": {"simple": 8, "hard": 32},
    },
)
def auto(
    problem: Problem,
    *,
    simple: Annotated[int, Param("paths for a simple question", ge=1, le=256)] = 4,
    hard: Annotated[int, Param("paths for a hard one", ge=1, le=256)] = 16,
    path_tokens: Annotated[
        int, Param("tokens that a path is taken to cost, when it must fit the budget", ge=1, le=1_048_576)
    ] = 512,
    look_prompt: Annotated[str, Param("asks the router for difficulty and kind, behind the question")] = LOOK,
    planner_model: PlannerModel = None,
) -> Policy:
    """Look at the question in one constrained call, choose policy and width, and go on as that policy.

    One answer to compare: self-consistency, as wide as the question is difficult. Parts: a plan with so many subtasks.
    Any other text: best of n, or for an easy one a single line of thought. The width is cut to what the budget of
    tokens, money (of decoded tokens) and branches allows; where that is less than two paths nobody looks, and a single
    line answers. What was seen, chosen and why is in the journal. T is the look and what the chosen policy takes. Where
    that finds no answer (nothing to compare after all), a single line of thought gives one.
    """
    if simple > hard:
        raise BadParameters(
            f"a simple question gets {simple} paths and a hard one {hard}: simple is at most hard"
        )
    allowed = paths_within(problem.budget, path_tokens, problem.token_price)
    if allowed is not None and allowed < 2:
        yield Explain("route", "sequential: the budget allows no second path", {"allowed": allowed})
        return (yield from sequential(problem))
    forked: Forked = yield Fork(children=(router(look_prompt, planner_model),))
    joined: Joined = yield Join(targets=forked.branches)
    said = "".join(result.value for result in joined.results if result.ok)
    look = read_look(said)
    if look is None and said:
        yield Malformed(problem="no-look", span=said[:200])
    width = width_of(look or UNSEEN, simple, hard)
    route = choose(look or UNSEEN, width, allowed)
    seen = "" if look else "the router saw nothing; taken as "
    numbers = {"width": width, **({} if allowed is None else {"allowed": allowed}), **route.params}
    yield Explain("route", f"{route.name}: {seen}{route.why}", numbers)
    try:
        return (yield from route.start(problem))
    except NoAnswer as nothing:
        yield Explain("route", f"sequential: {route.name} found no answer ({nothing})")
        return (yield from sequential(problem))
