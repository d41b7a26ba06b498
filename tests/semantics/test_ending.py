"""Ends: answers with live branches, cancellation and its races, retries, recovery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind, steps_of
from tests.dag.journals import ended as endings
from tests.dag.policies.test_async_think import TRAINED, paper_example
from tests.semantics.scenes import begun, ended

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault, Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits

BROKEN = Fault(cause="engine-error", detail="boom")


# -- 3 ----------------------------------------------


def test_03_an_answer_cancels_what_lives_and_books_it_as_waste_outside_of_t(simulate: Simulate) -> None:
    script = {"0": f"<FORK-1>a</FORK-1> {words(10, '<ANSWER>x</ANSWER>')}", "0.1": words(500)}
    simulation = simulate("async-think", script, params=TRAINED)
    assert endings(simulation)["0.1"] == "BranchCancelled"
    metrics = measure(simulation.records)
    assert (metrics.critical_path_tokens, metrics.total_tokens, metrics.waste_tokens) == (11, 21, 10)


def test_03_what_comes_after_the_commit_changes_nothing() -> None:
    """The loser finishes all the same: its tokens are counted, its text is read by nobody, and the job is over."""
    interpreter = begun("self-consistency", n=2, stop="first")
    interpreter.feed(ended("0.1", "7"))
    assert interpreter.state.answer is not None
    step = interpreter.feed(ended("0.2", "8", tokens=5))
    assert [type(event) for event in step.events] == [e.SegmentFinished, e.JobSucceeded]
    assert interpreter.state.answer.text == "7"
    assert interpreter.state.usage.completion_tokens == 6
    assert interpreter.feed(ended("0.2", "9", segment=2)).events == ()


# -- 15 ----------------------------------------------


def test_15_a_cancellation_is_told_to_the_engine_and_keeps_what_was_written() -> None:
    interpreter = begun("self-consistency", n=2)
    step = interpreter.feed(
        e.BranchCancelled(branch=BranchId("0.1"), reason="enough", by=e.CancelledBy.CLIENT)
    )
    assert c.Abort(branch=BranchId("0.1"), segment=1) in step.commands
    interpreter.feed(ended("0.1", "half of", Finish.ABORT, tokens=2))
    assert interpreter.state.branches[BranchId("0.1")].own == "half of"
    assert interpreter.state.usage.completion_tokens == 2


def test_15_cancelling_twice_is_cancelling_once() -> None:
    interpreter = begun("self-consistency", n=2)
    cancelled = e.BranchCancelled(branch=BranchId("0.1"), reason="enough", by=e.CancelledBy.CLIENT)
    assert interpreter.feed(cancelled).events[0] == cancelled
    assert interpreter.feed(cancelled).events == ()


@pytest.mark.parametrize("cancel_first", [True, False])
def test_15_cancel_and_completion_race_to_exactly_one_ending(cancel_first: bool) -> None:
    interpreter = begun("self-consistency", n=2, stop="all")
    facts: list[e.Event] = [
        e.BranchCancelled(branch=BranchId("0.1"), reason="enough", by=e.CancelledBy.CLIENT),
        ended("0.1", "7"),
    ]
    events = [
        event for fact in (facts if cancel_first else facts[::-1]) for event in interpreter.feed(fact).events
    ]
    terminal = [
        event for event in events if isinstance(event, e.TERMINAL_OF_BRANCH) and event.branch == "0.1"
    ]
    assert [type(event) for event in terminal] == [e.BranchCancelled if cancel_first else e.BranchReturned]
    assert interpreter.state.branches[BranchId("0.1")].own == "7"


@given(st.permutations(["cancel job", "cancel 0.1", "finish 0.1", "finish 0.2", "cancel 0.1 again"]))
def test_15_in_whatever_order_they_come(order: list[str]) -> None:
    interpreter = begun("self-consistency", n=2, stop="all")
    facts: dict[str, e.Event] = {
        "cancel job": e.BranchCancelled(reason="no longer needed", by=e.CancelledBy.CLIENT),
        "cancel 0.1": e.BranchCancelled(branch=BranchId("0.1"), reason="enough", by=e.CancelledBy.CLIENT),
        "cancel 0.1 again": e.BranchCancelled(
            branch=BranchId("0.1"), reason="enough", by=e.CancelledBy.CLIENT
        ),
        "finish 0.1": ended("0.1", "7"),
        "finish 0.2": ended("0.2", "7"),
    }
    events = [event for name in order for event in interpreter.feed(facts[name]).events]
    terminal = [event.branch for event in events if isinstance(event, e.TERMINAL_OF_BRANCH)]
    assert sorted(terminal) == ["0", "0.1", "0.2"]
    assert sum(isinstance(event, e.TERMINAL_OF_JOB) for event in events) == 1
    assert interpreter.over


# -- 16 ----------------------------------------------


def test_16_a_retry_has_the_same_branch_context_and_seed_and_a_new_attempt() -> None:
    interpreter = begun("self-consistency", n=1)
    seed = interpreter.open_decodes()[0].seed
    step = interpreter.feed(ended("0.1", "half", Finish.ERROR, fault=BROKEN))
    [decode] = step.commands
    assert isinstance(decode, c.Decode)
    assert (decode.branch, decode.attempt, decode.segment, decode.seed) == ("0.1", 2, 2, seed)
    assert decode.context.continuation == ""  # nothing of the failed attempt is read


def test_16_results_of_older_attempts_are_ignored() -> None:
    interpreter = begun("self-consistency", n=1)
    interpreter.feed(ended("0.1", "half", Finish.ERROR, fault=BROKEN))
    assert interpreter.feed(ended("0.1", "late")).events == ()
    assert interpreter.feed(ended("0.1", "late", segment=2, attempt=1)).events == ()
    interpreter.feed(ended("0.1", "7", segment=2, attempt=2))
    assert interpreter.state.answer is not None and interpreter.state.answer.text == "7"


def test_16_what_was_spliced_once_stays_whatever_is_decoded_again(simulate: Simulate) -> None:
    """The organizer's segment behind a join fails and is tried again: the same join, no second one, the same text."""
    script: dict[str, list[str | Fault]] = {
        "0": ["<FORK-1>a</FORK-1> <JOIN-1>", BROKEN, "<ANSWER>x</ANSWER>"],
        "0.1": ["<RETURN>first</RETURN>", "<RETURN>second</RETURN>"],
    }
    contexts: list[str] = []

    def write(decode: c.Decode) -> str | Fault:
        if decode.branch == "0":
            contexts.append(decode.context.continuation)
        return script[decode.branch].pop(0)

    simulation = simulate("async-think", write, params=TRAINED)
    assert contexts[1] == contexts[2] == "<FORK-1>a</FORK-1> <JOIN-1>first</JOIN-1>\n"
    assert len(of_kind(simulation, e.BranchesJoined)) == 1
    check(simulation)


def test_16_past_its_retries_a_branch_is_a_value_and_never_fails_the_job(simulate: Simulate) -> None:
    script = {"0.1": [BROKEN] * 3, "0.2": "7"}
    simulation = simulate(
        "self-consistency", script, params={"n": 2, "stop": "all"}, limits=Limits(attempts=3)
    )
    assert answer(simulation).text == "7"
    assert [event.attempts for event in of_kind(simulation, e.BranchFailed)] == [3]


# -- 17 ----------------------------------------------


def test_17_from_every_point_at_which_an_organizer_can_be_lost_the_same_job_comes_out(
    simulate: Simulate,
) -> None:
    """Replay what is there and tell the rest as it was: no state lives anywhere but in the journal."""
    records = simulate("async-think", paper_example(), params=TRAINED).records
    for lost in steps_of(records):
        interpreter = replay(records[:lost])
        for record in records[lost:]:
            if isinstance(record.event, e.JobClaimed | e.SegmentFinished):
                interpreter.feed(record.event)
        assert interpreter.over
        assert interpreter.state.answer == answer_of(records)


def test_17_an_unfinished_segment_goes_on_from_its_last_durable_text() -> None:
    interpreter = begun("sequential")
    interpreter.feed(e.JobClaimed(owner="second", attempt=2))
    step = interpreter.feed(ended(text="one two", finish=Finish.INTERRUPTED, tokens=2))
    [decode] = step.commands
    assert isinstance(decode, c.Decode)
    assert (decode.context.continuation, decode.segment, decode.attempt) == ("one two", 2, 1)
    interpreter.feed(ended(text=" three", segment=2))
    assert interpreter.state.answer is not None and interpreter.state.answer.text == "one two three"


def test_17_a_parent_parked_in_a_join_or_a_gate_owes_nothing_to_a_process(simulate: Simulate) -> None:
    """After a replay the interpreter asks for nothing again but for what a worker owes: no process waits for people."""
    records = simulate(
        "self-consistency",
        lambda decode: "7",
        params={"n": 2, "stop": "all"},
        approvals=("answer",),
        decide=_approve,
    ).records
    asked = next(i for i, r in enumerate(records) if isinstance(r.event, e.ApprovalRequested))
    parked = replay(records[: asked + 1])
    assert (parked.owed(), parked.open_decodes()) == ((), ())
    assert parked.state.status == "waiting"


def answer_of(records: list[e.Record]) -> e.AnswerCommitted:
    return next(record.event for record in records if isinstance(record.event, e.AnswerCommitted))


def _approve(request: e.ApprovalRequested) -> e.ApprovalDecided:
    return e.ApprovalDecided(
        branch=request.branch, approval=request.approval, decision=e.Choice.APPROVE, by="ada"
    )
