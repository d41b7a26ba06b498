"""Recommends policies by what a question is like. The one source: `anabranch policies --for`, and
docs/choosing-a-policy.md, which its test compares with this.

The order within a kind is that in which to try. Reasons come from what each policy's file says it costs and needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a question is like."""

    MATH = "math"
    LIST = "list"
    CODE = "code"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Advice:
    """A policy to take, with the parameters to begin with, and why in a few words."""

    policy: str
    why: str
    set: tuple[str, ...] = ()

    @property
    def options(self) -> str:
        """As `anabranch run` takes it."""
        return " ".join((f"--policy {self.policy}", *(f"--set {pair}" for pair in self.set)))


KINDS: Mapping[Kind, str] = {
    Kind.MATH: "One right answer that can be compared: a number, a name, a letter.",
    Kind.LIST: "Many parts that do not need each other: points, options, a survey.",
    Kind.CODE: "The answer can be run or checked: code, JSON, a pattern.",
    Kind.OPEN: "An explanation, a plan, advice; or you do not know what comes.",
}

ADVICE: Mapping[Kind, tuple[Advice, ...]] = {
    Kind.MATH: (
        Advice("self-consistency", "chains err at random, and their answers are counted", ("n=8",)),
        Advice("deep-conf", "the same, and unsure chains end early (likelihoods)"),
        Advice("recursive-aggregation", "wrong in different places: merged, again and again"),
    ),
    Kind.LIST: (
        Advice("skeleton-of-thought", "points are outlined, then written side by side"),
        Advice("plan", "parts may need each other; any model can do it"),
        Advice("group-think", "many small parts: thinkers watch what others took"),
    ),
    Kind.CODE: (
        Advice("best-of-n", "easier to check than to find: the best by its checks", ("n=4",)),
        Advice("tree-of-thoughts", "wrong first steps are the trouble, and are judged"),
        Advice("sequential", "short, or each step needs the one before"),
    ),
    Kind.OPEN: (
        Advice("auto", "looks at the question, then chooses policy and width"),
        Advice("plan", "parts start as soon as their inputs are there"),
        Advice("new-angles", "the right idea is rare: who repeats is stopped"),
    ),
}
