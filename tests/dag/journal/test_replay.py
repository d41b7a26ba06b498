"""Replay: what the journal records as verdicts stays a verdict, however answers are compared today."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.dag.conftest import Simulate

from anabranch.dag import events as e
from anabranch.dag.actions import Ballot, Vote
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.answers.voting import count
from anabranch.dag.errors import Diverged
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.journal.replay import replay

ANSWERS = {"0.1": r"\boxed{10 m}", "0.2": r"\boxed{10 cm}", "0.3": r"\boxed{10 m}"}


def journal_of_an_earlier_release(simulate: Simulate, texts: Mapping[str, str] = ANSWERS) -> list[e.Record]:
    """The same job, by a release that took 10 m and 10 cm for equal."""
    n = len(texts)
    simulation = simulate("self-consistency", texts, params={"n": n, "window": 1, "stop": "all"})
    ballots = [Ballot(branch=BranchId(name), answer=text[7:-1] or None) for name, text in texts.items()]
    records, cast = [], 0
    for record in simulation.records:
        match record.event:
            case e.BranchesVoted():
                cast += 1
                vote = Vote(ballots=tuple(ballots[:cast]), outstanding=n - cast)
                voters = sum(ballot.answer is not None for ballot in ballots[:cast])
                groups = [tuple(range(voters))] if voters else []
                records.append(replace(record, event=count(TRUNK, vote, groups)))
            case e.AnswerCommitted() as event:
                everyone = tuple(ballot.branch for ballot in ballots if ballot.answer is not None)
                records.append(replace(record, event=replace(event, sources=everyone)))
            case _:
                records.append(record)
    assert records != simulation.records
    return records


def test_a_recorded_vote_is_a_fact(simulate: Simulate) -> None:
    interpreter = replay(journal_of_an_earlier_release(simulate))
    assert interpreter.over


def test_a_recorded_vote_is_a_fact_though_a_branch_abstained(simulate: Simulate) -> None:
    """Its ballot has no place among the answers."""
    texts = {"0.1": "", "0.2": ANSWERS["0.1"], "0.3": ANSWERS["0.2"], "0.4": ANSWERS["0.3"]}
    assert replay(journal_of_an_earlier_release(simulate, texts)).over


def test_a_journal_that_ends_before_its_vote_goes_on_with_todays_comparison(simulate: Simulate) -> None:
    records = journal_of_an_earlier_release(simulate)
    last = max(place for place, record in enumerate(records) if isinstance(record.event, e.BranchesVoted))
    assert [type(command).__name__ for command in replay(records[:last]).owed()] == ["Compare"]


def test_a_vote_of_other_ballots_diverges(simulate: Simulate) -> None:
    records = journal_of_an_earlier_release(simulate)
    place = next(i for i, record in enumerate(records) if isinstance(record.event, e.BranchesVoted))
    event = records[place].event
    assert isinstance(event, e.BranchesVoted)
    classes = (replace(event.classes[0], branches=(BranchId("0.9"),)),)
    records[place] = replace(records[place], event=replace(event, classes=classes))
    with pytest.raises(Diverged):
        replay(records)


def failed_as(simulate: Simulate, told: e.JobFailed) -> list[e.Record]:
    """The journal of a job that failed without an answer; it and its trunk failed as `told`."""
    *records, trunk, last = simulate("apr", {"0": ""}, params={"assist": "none"}).records
    assert isinstance(last.event, e.JobFailed)
    assert isinstance(trunk.event, e.BranchFailed)
    trunk = replace(trunk, event=replace(trunk.event, detail=told.detail))
    return [*records, trunk, replace(last, event=replace(told, branch=last.event.branch))]


def test_a_failure_that_was_told_in_other_words_is_the_same_failure(simulate: Simulate) -> None:
    told = e.JobFailed(branch=TRUNK, type="no-answer", title="Nothing found", detail="as 1.0 said it")
    assert replay(failed_as(simulate, told)).over


def test_a_failure_of_another_type_diverges(simulate: Simulate) -> None:
    with pytest.raises(Diverged):
        replay(failed_as(simulate, e.JobFailed(branch=TRUNK, type="deadline", title="No answer was found")))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ratings=st.lists(
        st.builds(
            e.JobRated,
            author=st.sampled_from(["Eve", "Ida", "client"]),
            score=st.floats(0, 1),
            comment=st.text(max_size=20),
        ),
        max_size=6,
    )
)
def test_ratings_behind_the_end_are_replayed_and_change_nothing_else(
    simulate: Simulate, ratings: list[e.JobRated]
) -> None:
    records = simulate("self-consistency", ANSWERS, params={"n": 3}).records
    last = records[-1]
    rated = [
        replace(last, seq=last.seq + place, at=last.at + timedelta(days=place), event=rating)
        for place, rating in enumerate(ratings, start=1)
    ]
    whole = [*records, *rated]
    interpreter = replay(whole)
    assert interpreter.over
    assert interpreter.state.ratings == {rating.author: rating for rating in ratings}
    assert measure(whole) == measure(records)
    for wrong in (records[1].event, last.event):
        with pytest.raises(Diverged):
            replay([*whole, replace(last, seq=len(whole) + 1, event=wrong)])
