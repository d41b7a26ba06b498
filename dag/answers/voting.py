"""Counts votes: abstentions counted, ties ruled, weights kept, and the moment from which nobody else can win."""

from collections.abc import Iterable

from anabranch.dag.actions import Ballot, Vote, Voted
from anabranch.dag.answers.equality import Groups
from anabranch.dag.events import AnswerClass, BranchesVoted
from anabranch.dag.ids import BranchId

FIRST_CAST = "first ballot cast"


def cast(vote: Vote) -> tuple[str, ...]:
    """Lists the answers of those that did not abstain, in the order of their ballots."""
    return tuple(ballot.answer for ballot in vote.ballots if ballot.answer is not None)


def _cast(vote: Vote) -> list[Ballot]:
    return [ballot for ballot in vote.ballots if ballot.answer is not None]


def select_compared(vote: Vote) -> tuple[str, ...]:
    """Selects those of `cast` that may mean the same though they are written differently."""
    return tuple(ballot.answer for ballot in _cast(vote) if ballot.answer is not None and not ballot.exact)


def partition(vote: Vote, groups: Groups) -> Groups:
    """Parts `cast(vote)` into groups, given those of `select_compared(vote)`; exact answers group by their letters."""
    ballots = _cast(vote)
    places = [place for place, ballot in enumerate(ballots) if not ballot.exact]
    exact: dict[str, list[int]] = {}
    for place, ballot in enumerate(ballots):
        if ballot.exact:
            exact.setdefault(ballot.answer or "", []).append(place)
    meant = (tuple(places[index] for index in group) for group in groups)
    return (*meant, *map(tuple, exact.values()))


def count(branch: BranchId, vote: Vote, groups: Iterable[tuple[int, ...]]) -> BranchesVoted:
    """Counts a vote; `groups` partitions the indices of `cast(vote)` by meaning."""
    ballots, answers = _cast(vote), cast(vote)
    classes = [
        AnswerClass(
            answer=answers[group[0]],
            branches=tuple(ballots[index].branch for index in group),
            weight=sum(ballots[index].weight for index in group),
        )
        for group in sorted(groups, key=min)
    ]
    ranked = sorted(classes, key=lambda each: -each.weight)  # stable: of equals, the first cast leads
    tied = len(ranked) > 1 and ranked[0].weight == ranked[1].weight
    return BranchesVoted(
        branch=branch,
        classes=tuple(ranked),
        abstained=tuple(ballot.branch for ballot in vote.ballots if ballot.answer is None),
        winner=ranked[0].answer if ranked else None,
        decided=bool(ranked) and _is_settled(ranked, classes, vote.outstanding),
        tie=FIRST_CAST if tied else "",
    )


def _is_settled(ranked: list[AnswerClass], by_age: list[AnswerClass], outstanding: float) -> bool:
    """Tells whether the leader stays the winner whatever the outstanding ballots say."""
    leader = ranked[0]
    if leader.weight < outstanding:
        return False  # an answer not yet seen could take them all
    born = {id(each): place for place, each in enumerate(by_age)}
    for other in ranked[1:]:
        reach = other.weight + outstanding
        older = born[id(other)] < born[id(leader)]
        if reach > leader.weight or (reach == leader.weight and older):
            return False
    return True


def outcome(event: BranchesVoted) -> Voted:
    """Tells the policy the outcome of a recorded vote."""
    return Voted(
        classes=event.classes,
        winner=event.winner,
        supporters=event.classes[0].branches if event.classes else (),
        decided=event.decided,
    )
