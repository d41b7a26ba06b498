"""Counting votes."""

from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.actions import Ballot, Vote
from anabranch.dag.answers.equality import plain_groups
from anabranch.dag.answers.voting import cast, count
from anabranch.dag.ids import TRUNK, BranchId


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
