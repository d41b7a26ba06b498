"""Equality as a careful reader has it: symmetric, transitive, and the same in whatever order answers come."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.answers.pairs import DIFFERENT, EQUAL, FORMULAS_APART, FORMULAS_EQUAL, UNDECIDED

from anabranch.dag.answers.equality import Groups, Verdict, compare, fits, groups, plain_groups
from anabranch.dag.answers.meaning import Words
from anabranch.dag.answers.reading import LENGTH, read

ANSWERS = [
    answer for pair in (*EQUAL, *DIFFERENT, *UNDECIDED, *FORMULAS_APART, *FORMULAS_EQUAL) for answer in pair
]
answers = st.sampled_from(ANSWERS) | st.text(
    alphabet="0123456789 .,/-+^*%$€(){}[]\\:mxkgABfracsqrt", max_size=12
)


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal(left: str, right: str) -> None:
    assert compare(left, right) is Verdict.EQUAL


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different(left: str, right: str) -> None:
    assert compare(left, right) is Verdict.DIFFERENT


@pytest.mark.parametrize(("left", "right"), UNDECIDED)
def test_not_comparable_without_algebra(left: str, right: str) -> None:
    assert compare(left, right) is Verdict.UNDECIDED


def test_the_table_is_large_enough() -> None:
    assert len({*EQUAL, *DIFFERENT, *UNDECIDED}) >= 250


@given(answers, answers)
def test_equality_is_symmetric_and_reflexive(left: str, right: str) -> None:
    assert compare(left, left) is Verdict.EQUAL
    assert compare(left, right) is compare(right, left)


@given(answers, answers, answers)
def test_equality_is_transitive(one: str, two: str, three: str) -> None:
    if compare(one, two) is Verdict.EQUAL:
        assert compare(one, three) is compare(two, three)


def told(found: Groups, of: Sequence[str]) -> set[frozenset[str]]:
    """Groups as sets of answers, whatever their order."""
    return {frozenset(of[index] for index in group) for group in found}


@given(st.lists(answers, max_size=7), st.randoms(use_true_random=False), st.sets(st.integers(0, 20)))
def test_groups_do_not_depend_on_the_order_of_arrival(
    cast: list[str], random: Random, right: set[int]
) -> None:
    """Also where the verdicts of algebra are any, even such as contradict each other."""

    def algebra(left: str, other: str) -> bool:
        return (len(left) + 3 * len(other)) % 21 in right

    shuffled = list(cast)
    random.shuffle(shuffled)
    assert told(groups(cast, algebra), cast) == told(groups(shuffled, algebra), shuffled)
    plain = plain_groups(cast)
    if plain is not None:
        assert plain == groups(cast, algebra)


@given(st.lists(answers, max_size=7))
def test_groups_are_a_partition_that_agrees_with_each_pair(cast: list[str]) -> None:
    found = groups(cast, lambda _left, _right: True)
    assert sorted(index for group in found for index in group) == list(range(len(cast)))
    for group in found:
        verdicts = {compare(cast[one], cast[two]) for one in group for two in group}
        assert Verdict.DIFFERENT not in verdicts
    assert list(found) == sorted(found, key=min)


@pytest.mark.parametrize(
    ("cast", "found"),
    [
        ((r"2\frac{1}{2}", "10.5", "2.5", "2.5", "10.5"), ((0, 2, 3), (1, 4))),
        (("12", "1, 2", "1,2", "12"), ((0, 3), (1, 2))),
        (("10 m", "10 cm", "10 km"), ((0,), (1,), (2,))),
        (("1 1/2", "11/2"), ((0,), (1,))),
        (("1e200000000", "5", "5"), ((0,), (1, 2))),
        (("1/2", "0.5", "3"), ((0, 1), (2,))),
        ((), ()),
    ],
)
def test_votes_that_once_were_pooled_wrongly(cast: tuple[str, ...], found: Groups) -> None:
    assert plain_groups(cast) == found


def test_one_formula_leaves_the_partition_to_a_worker() -> None:
    assert plain_groups(("1/2", "x")) is None
    assert plain_groups(("Paris", "x")) == ((0,), (1,))


def test_verdicts_of_algebra_join_groups() -> None:
    assert groups(("a+b", "b+a", "3", "c"), lambda left, right: {left, right} == {"a+b", "b+a"}) == (
        (0, 1),
        (2,),
        (3,),
    )


def test_verdicts_of_algebra_that_contradict_each_other_join_nothing() -> None:
    """x cannot be 3 and 4 at once."""
    assert groups(("3", "x", "4", "3.0"), lambda _left, _right: True) == ((0, 3), (1,), (2,))


def test_algebra_is_told_of_units_in_base_units() -> None:
    asked: list[tuple[str, str]] = []

    def algebra(left: str, other: str) -> bool:
        asked.append((left, other))
        return False

    groups((r"2\sqrt{3}\text{ cm}", r"\sqrt{12} \text{ km}"), algebra)
    assert asked == [(r"\frac{1000}{1} \cdot (\sqrt{12})", r"\frac{1}{100} \cdot (2\sqrt{3})")]


@pytest.mark.parametrize(
    ("wanted", "found", "fit"),
    [
        ("18", "$18", True),
        ("18", "18 eggs", True),
        ("90", r"90^\circ", True),
        ("10", "10 cm", True),
        ("10 m", "10 cm", False),
        ("10 m", "10", False),
        ("18 eggs", "18 apples", False),
        ("50%", "50", False),
        (r"2\sqrt{3}", r"2\sqrt{3} \text{ cm}", True),
    ],
)
def test_a_unit_that_was_not_asked_for_does_no_harm(wanted: str, found: str, fit: bool) -> None:
    assert fits(wanted, found, lambda _left, _right: False) is fit


def test_a_long_answer_is_text() -> None:
    assert read("1" * (LENGTH + 1)) == Words("1" * (LENGTH + 1))
    assert read("1" * 399) != read("1" * 398)
