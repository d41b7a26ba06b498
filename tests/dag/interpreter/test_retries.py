"""When a failed decode is tried again: how often, how long after, and what uses up no try."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.decoding import Decoding, Fault
from anabranch.dag.interpreter.decode_run import DecodeRun
from anabranch.dag.interpreter.decodes import DENIALS
from anabranch.dag.interpreter.retries import (
    LONGEST_BACKOFF,
    LONGEST_WAIT,
    NOT_THE_BRANCHS_FAULT,
    allowed_tries,
    excuse_told_wait,
    retry_delay,
)
from anabranch.dag.job import Budget, Problem
from anabranch.dag.limits import Limits

LIMITS = Limits(attempts=3, backoff=0.2)


def tries(simulate: Simulate, fault: Fault, limits: Limits = LIMITS) -> int:
    """How often a decode that always fails so is tried."""
    simulation = simulate("sequential", {"0": fault}, limits=limits)
    check(simulation)
    return len(of_kind(simulation, e.SegmentStarted))


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("cause", ["engine-error", "timeout", "anything"])
def test_a_fault_of_the_decode_uses_up_its_tries(simulate: Simulate, cause: str, attempts: int) -> None:
    assert tries(simulate, Fault(cause=cause), Limits(attempts=attempts)) == attempts


@pytest.mark.parametrize("cause", NOT_THE_BRANCHS_FAULT)
def test_what_is_not_the_branchs_fault_is_tried_four_times_as_often(simulate: Simulate, cause: str) -> None:
    assert tries(simulate, Fault(cause=cause)) == 4 * LIMITS.attempts


def test_these_are_not_the_branchs_fault() -> None:
    assert set(NOT_THE_BRANCHS_FAULT) == {"organizer-lost", "replica-died", "overloaded", "upstream-away"}


def test_what_cannot_help_is_not_tried_again(simulate: Simulate) -> None:
    assert tries(simulate, Fault(cause="replica-died", retryable=False)) == 1


def test_the_delay_doubles_up_to_its_bound() -> None:
    delays = [retry_delay(LIMITS, attempt, Fault(cause="timeout")) for attempt in (1, 2, 3, 6, 7, 20)]
    assert delays == [0.2, 0.4, 0.8, pytest.approx(6.4), LONGEST_BACKOFF, LONGEST_BACKOFF]
    assert LONGEST_BACKOFF == 10.0


def test_after_a_lost_organizer_there_is_nothing_to_wait_for() -> None:
    assert retry_delay(LIMITS, 9, Fault(cause="organizer-lost")) == 0.0


@pytest.mark.parametrize(("told", "delay"), [(0.1, 0.8), (6.0, 6.0), (30.0, 30.0)])
def test_a_told_time_is_kept_and_never_shortens_the_delay(told: float, delay: float) -> None:
    assert retry_delay(LIMITS, 3, Fault(cause="overloaded", retry_after=told)) == delay


def test_told_waits_are_not_counted_until_they_are_too_long_in_all(simulate: Simulate) -> None:
    """60 s each: ten waits cost no try, the eleventh is the first of twelve."""
    fault = Fault(cause="overloaded", retry_after=60.0)
    assert tries(simulate, fault) == LONGEST_WAIT / 60 + allowed_tries(LIMITS, fault)
    assert LONGEST_WAIT == 600.0


def test_however_short_a_wait_was_told_its_try_is_not_counted() -> None:
    decodes = DecodeRun()
    excuse_told_wait(decodes, Fault(cause="overloaded", retry_after=0.5), 0.5)
    excuse_told_wait(decodes, Fault(cause="overloaded"), 2.0)
    assert (decodes.excused, decodes.waited) == (1, 0.5)


def test_the_journal_says_each_retry_with_its_cause_and_delay(simulate: Simulate) -> None:
    simulation = simulate("sequential", {"0": [Fault(cause="timeout"), Fault(cause="x"), "7"]}, limits=LIMITS)
    retried = of_kind(simulation, e.BranchRetried)
    assert [(r.attempt, r.cause, r.delay) for r in retried] == [(2, "timeout", 0.2), (3, "x", 0.4)]
    assert answer(simulation).text == "7"
    check(simulation)


def test_a_policy_that_asks_on_without_budget_gets_eight_empty_segments_and_is_stopped(
    simulate: Simulate,
) -> None:
    seen: list[str] = []

    def asks(problem: Problem) -> a.Policy:
        while True:
            segment: a.Segment = yield a.Think(Decoding(max_tokens=10))
            seen.append(segment.text)

    simulation = simulate(asks, {"0": words(10)}, budget=Budget(tokens=10))
    assert DENIALS == 8
    assert seen == [words(10), *[""] * 8]
    assert of_kind(simulation, e.BudgetExceeded) == [
        e.BudgetExceeded(resource=e.Resource.TOKENS, limit=10.0, spent=10.0)
    ]
    assert answer(simulation).forced, "what it wrote before is the answer"
    check(simulation)
