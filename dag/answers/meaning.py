"""Defines what answers can mean: values that are compared and hashed. Two answers are equal where their meanings
are.
"""

from dataclasses import dataclass
from fractions import Fraction

from anabranch.dag.answers.dates import Date, Numerals, Time
from anabranch.dag.answers.units import Dimensions


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, and what it counts in base units: 10 cm is 1/10 of m."""

    value: Fraction
    dimensions: Dimensions = ()


@dataclass(frozen=True, slots=True)
class Range:
    """From one quantity to a greater one."""

    low: Quantity
    high: Quantity


@dataclass(frozen=True, slots=True)
class Ratio:
    """Parts of a whole, 2:4, in lowest terms."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a question, named by its letter."""

    letter: str


@dataclass(frozen=True, slots=True)
class Words:
    """Text: equal to the same words, whatever their case."""

    text: str


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression whose value takes algebra; `text` is how it is written, without blanks."""

    text: str
    dimensions: Dimensions = ()
    factor: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Several:
    """A list, tuple, point or interval: what it is depends on its brackets; its order counts."""

    opens: str
    items: tuple["Meaning", ...]
    closes: str


@dataclass(frozen=True, slots=True)
class Set:
    """What stands between braces: neither order nor repetition counts."""

    items: frozenset["Meaning"]


Meaning = Quantity | Range | Ratio | Choice | Words | Formula | Several | Set | Date | Time | Numerals
