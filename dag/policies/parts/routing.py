"""Picks a policy and its width for a question: from a router's short look at it, and from what the job may spend."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anabranch.dag.actions import Policy, Thought, aside
from anabranch.dag.decoding import Decoding, Structure
from anabranch.dag.job import Budget, Problem
from anabranch.dag.policies.best_of_n import best_of_n
from anabranch.dag.policies.plan import plan
from anabranch.dag.policies.self_consistency import self_consistency
from anabranch.dag.policies.sequential import sequential
from anabranch.dag.text import Base, say

DIFFICULTIES = ("easy", "medium", "hard")
SHAPES = {
    "answer": "one short answer that can be compared, such as a number or a name",
    "parts": "several things that need little of each other, or a task that falls into parts",
    "text": "anything else: one text, an explanation, code",
}
ROUNDING = 1e-9
"""Money is no whole number: three paths of 0.1 fit in 0.3."""
LOOK = "\n".join(
    (
        "Do not answer this question yet. Say how difficult it is (easy, medium or hard), and what it asks for:",
        *(f"{shape}: {meaning}" for shape, meaning in SHAPES.items()),
        "Reply with two words and nothing else, as in: medium answer",
    )
)
CHOICES = tuple(f"{difficulty} {shape}" for difficulty in DIFFICULTIES for shape in SHAPES)
MOST_SUBTASKS = 16

_WORD = re.compile("[a-z]+")


@dataclass(frozen=True, slots=True)
class Look:
    """What the router saw."""

    difficulty: str
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The policy that takes the question, and with which parameters."""

    run: Callable[..., Policy]
    params: Mapping[str, Any]
    why: str

    @property
    def name(self) -> str:
        return self.run.__name__.replace("_", "-")

    def start(self, problem: Problem) -> Policy:
        return self.run(problem, **self.params)


def router(prompt: str, model: str | None) -> Thought:
    """The one short call that looks at the question."""
    decoding = Decoding(structure=Structure(choice=CHOICES), max_tokens=8, temperature=0.0)
    return Thought(
        base=Base.PROBLEM,
        messages=(say("user", prompt),),
        decoding=decoding,
        returns=aside,
        role="router",
        model=model,
    )


def read_look(said: str) -> Look | None:
    """What a router said: its first word of each kind. None where one is missing."""
    words = _WORD.findall(said[:400].lower())
    difficulty = next((word for word in words if word in DIFFICULTIES), "")
    shape = next((word for word in words if word in SHAPES), "")
    return Look(difficulty, shape) if difficulty and shape else None


def paths_within(budget: Budget, path_tokens: int, token_price: float = 0.0) -> int | None:
    """How many paths of so many tokens, each at this price, the job's budget allows, one branch being the router's.
    None: any number."""
    limits = []
    if budget.tokens is not None:
        limits.append(budget.tokens // path_tokens)
    if budget.cost is not None and token_price > 0:
        limits.append(int(budget.cost / (path_tokens * token_price) + ROUNDING))
    if budget.branches is not None:
        limits.append(budget.branches - 1)
    if budget.depth == 0:
        limits.append(0)
    return max(0, min(limits)) if limits else None


def width_of(look: Look, simple: int, hard: int) -> int:
    """Paths by difficulty; a medium question lies between, by ratio."""
    return {"easy": simple, "hard": hard}.get(look.difficulty, round(math.sqrt(simple * hard)))


def choose(look: Look, width: int, allowed: int | None) -> Route:
    """The policy that fits what was seen, as wide as the question and the budget say."""
    paths = width if allowed is None else min(width, allowed)
    within = "" if paths == width else f", {paths} of {width} paths within the budget"
    why = f"{look.difficulty}, asks for {SHAPES[look.shape]}{within}"
    least = 2 if look.shape == "answer" else 4
    if paths < 2 or (look.shape == "text" and look.difficulty == "easy"):
        return Route(run=sequential, params={}, why=why)
    if allowed is not None and allowed < least:
        too_little = (
            f"{look.difficulty}, asks for {SHAPES[look.shape]}; the budget allows {allowed} of {least} paths"
        )
        return Route(run=sequential, params={}, why=too_little)
    if look.shape == "answer":
        return Route(run=self_consistency, params={"n": paths}, why=why)
    if look.shape == "text":
        # each sample has a judge
        return Route(run=best_of_n, params={"n": max(2, paths // 2)}, why=why)
    # beside its subtasks a plan has a planner and a synthesis
    subtasks = min(MOST_SUBTASKS, paths if allowed is None else min(width, allowed - 2))
    return Route(run=plan, params={"width": subtasks}, why=why)
