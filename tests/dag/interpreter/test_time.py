"""A job's seconds: asked to wind up is one thing, out of time another."""

from functools import partial

import pytest
from tests.dag.conftest import words
from tests.dag.journals import answer, check, ended, of_kind

from anabranch.dag import events as e
from anabranch.dag.job import JobSpec
from anabranch.dag.journal.wording import in_current_words
from anabranch.dag.limits import Limits
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say

SOON = e.WindUpRequested(resource=e.Resource.SECONDS, limit=20, spent=16)
OVER = e.BudgetExceeded(resource=e.Resource.SECONDS, limit=20, spent=20)
SOON_IN_OLD_WORDS = e.BudgetExceeded(resource=e.Resource.SECONDS, limit=20, spent=16)


def run(*facts: tuple[float, e.Event]) -> Simulation:
    """One branch is there at 10, the other never; the facts come when they are due."""
    script = {"0.1": words(10, "7"), "0.2": words(500)}
    spec = JobSpec(messages=(say("user", "q"),), policy="self-consistency", params={"n": 2, "stop": "all"})
    simulation = Simulation(spec, lambda decode: script[decode.branch])
    for at, fact in facts:
        simulation._at(at, partial(simulation.interpreter.feed, fact))
    simulation.run()
    check(simulation)
    return simulation


@pytest.mark.parametrize("soon", [SOON, SOON_IN_OLD_WORDS], ids=["told", "as older journals tell it"])
def test_asked_to_wind_up_the_policy_answers_by_itself_from_what_there_is(soon: e.Event) -> None:
    simulation = run((16, soon), (20, OVER))
    assert (answer(simulation).text, answer(simulation).forced) == ("7", False)
    assert ended(simulation)["0.2"] == "BranchCancelled"
    assert OVER not in [record.event for record in simulation.records], "it ended within its budget"


def test_out_of_time_what_there_is_becomes_the_answer() -> None:
    simulation = run((20, OVER))
    assert (answer(simulation).text[-2:], answer(simulation).forced) == (" 7", True)
    assert answer(simulation).sources == ("0.1",)


def test_the_request_stops_the_children_and_only_them() -> None:
    simulation = run((0.5, SOON))
    assert [(event.branch, event.by) for event in of_kind(simulation, e.BranchCancelled)] == [
        ("0.1", "deadline"),
        ("0.2", "deadline"),
    ]


def run_to_a_gate(tokens: int, *facts: tuple[float, e.Event]) -> Simulation:
    """A job whose answer a person has to approve; it is written after so many seconds."""
    spec = JobSpec(messages=(say("user", "q"),), policy="sequential", approvals=("answer",))
    simulation = Simulation(spec, lambda decode: words(tokens, "7"), Limits(final_thoughts=True))
    for at, fact in facts:
        simulation._at(at, partial(simulation.interpreter.feed, fact))
    simulation.run()
    check(simulation)
    return simulation


REJECTED = e.ApprovalDecided(approval=1, decision=e.Choice.REJECT, reason="no")


def test_an_answer_that_a_person_rejects_is_none_though_the_job_winds_up() -> None:
    simulation = run_to_a_gate(10, (16, SOON), (17, REJECTED))
    assert [failed.type for failed in of_kind(simulation, e.JobFailed)] == ["rejected"]


@pytest.mark.parametrize("tokens", [10, 500], ids=["waits for a person", "is still written"])
def test_out_of_time_an_answer_that_nobody_has_approved_is_none(tokens: int) -> None:
    simulation = run_to_a_gate(tokens, (16, SOON), (20, OVER))
    [failed] = of_kind(simulation, e.JobFailed)
    assert (failed.type, failed.detail) == ("deadline", "no answer had been approved when the time was up")
    assert not of_kind(simulation, e.AnswerCommitted)


@pytest.mark.parametrize(
    "event",
    [
        SOON,
        OVER,
        e.BudgetExceeded(
            resource=e.Resource.TOKENS, limit=100, spent=90
        ),  # a reservation did not fit any more
        e.TextPosted(text="x"),
    ],
)
def test_what_is_said_in_current_words_stays_as_it_is(event: e.Event) -> None:
    assert in_current_words(event) == event


def test_an_older_journals_request_to_wind_up_is_told_as_that() -> None:
    assert in_current_words(SOON_IN_OLD_WORDS) == SOON
