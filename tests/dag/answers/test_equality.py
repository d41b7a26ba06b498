"""Finding an answer and comparing two, as far as that takes no algebra; and counting votes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.actions import Ballot, Vote
from anabranch.dag.answers.equality import boxed, extract_answer, plain_groups, plainly_equal
from anabranch.dag.answers.voting import cast, count
from anabranch.dag.ids import TRUNK, BranchId


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{42}, no: \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{a{b}c", r"\boxed{a{b}c"),
        ("The answer is 17.", "17"),
        ("**Final answer:** Paris", "Paris"),
        ("3 + 4 = 7", "7"),
        ("it costs $1,234.50", "1,234.50"),
        ("Paris, Tokyo and Cairo", "Paris, Tokyo and Cairo"),
        ("I wonder.\nStill I wonder.", None),
        ("", None),
    ],
)
def test_the_answer_of_a_chain_of_thought(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("0.5", "1/2", True),
        (r"\frac{1}{2}", "50%", True),
        ("1,000", "1000", True),
        ("7", "8", False),
        ("Paris", " paris. ", True),
        ("Paris", "London", False),
        (r"\sqrt{2}", "x", None),
        ("x+1", "1+x", None),
        ("7", "x", None),
    ],
)
def test_equality_that_needs_no_algebra(left: str, right: str, equal: bool | None) -> None:
    assert plainly_equal(left, right) is equal
    assert plainly_equal(right, left) is equal


def test_one_pair_in_doubt_leaves_the_partition_to_a_verifier() -> None:
    assert plain_groups(("1/2", "0.5", "3")) == ((0, 1), (2,))
    assert plain_groups(("1/2", "x")) is None


def ballots(*answers: str | None) -> tuple[Ballot, ...]:
    return tuple(Ballot(branch=BranchId(f"0.{i}"), answer=each) for i, each in enumerate(answers, 1))


@given(
    st.lists(st.sampled_from(["ada", "bob", "cyd", None]), max_size=9),
    st.lists(st.sampled_from(["ada", "bob", "cyd", "dot"]), max_size=5),
)
def test_a_decided_vote_can_not_be_turned(now: list[str | None], later: list[str]) -> None:
    """Whatever the outstanding ballots say, the winner stays the winner."""
    vote = Vote(ballots=ballots(*now), outstanding=len(later))
    event = count(TRUNK, vote, plain_groups(cast(vote)) or ())
    assert len(event.abstained) == now.count(None)
    if event.decided:
        full = Vote(ballots=ballots(*now, *later))
        assert count(TRUNK, full, plain_groups(cast(full)) or ()).winner == event.winner


@given(st.lists(st.sampled_from(["ada", "bob"]), min_size=1, max_size=9), st.integers(1, 4))
def test_an_undecided_vote_can_be_turned(now: list[str], outstanding: int) -> None:
    vote = Vote(ballots=ballots(*now), outstanding=outstanding)
    event = count(TRUNK, vote, plain_groups(cast(vote)) or ())
    if not event.decided:
        ends = set()
        for rest in (["ada"] * outstanding, ["bob"] * outstanding, ["cyd"] * outstanding):
            full = Vote(ballots=ballots(*now, *rest))
            ends.add(count(TRUNK, full, plain_groups(cast(full)) or ()).winner)
        assert len(ends) > 1


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (r"so \boxed{7}", "7"),
        (r"\boxed{1} no, \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{ }", " "),
        (r"\boxed{7", None),
        ("the answer is 7", None),
    ],
)
def test_a_box_is_found_only_where_one_is_closed(text: str, inside: str | None) -> None:
    assert boxed(text) == inside
