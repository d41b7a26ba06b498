"""The final thought: it is marked in the journal, and what was written of it stands whatever happens to its decode."""

import json

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import events as e
from anabranch.dag.commands import Abort, Decode
from anabranch.dag.decoding import Decoded, Fault, Finish, Structure, Usage
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.interpreter import Interpreter, Step
from anabranch.dag.interpreter.retries import goes_on
from anabranch.dag.job import AnswerFormat, Budget, JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.text import say
from anabranch.dag.vocabulary import Cause

MARKED = Limits(final_thoughts=True)
OVER = e.BudgetExceeded(resource=e.Resource.SECONDS, limit=20, spent=20)
SOON = e.WindUpRequested(resource=e.Resource.SECONDS, limit=20, spent=16)
DIED = Fault(cause=Cause.REPLICA_DIED)


def begin(
    policy: str = "sequential",
    limits: Limits = MARKED,
    form: AnswerFormat | None = None,
    budget: Budget | None = None,
    begun: str = "",
) -> Interpreter:
    spec = JobSpec(
        messages=(say("user", "What?"), *([say("assistant", begun)] if begun else [])),
        policy=policy,
        answer_format=form or AnswerFormat(),
        budget=budget or Budget(),
    )
    interpreter = Interpreter()
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v", limits=limits))
    interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    return interpreter


def end(
    interpreter: Interpreter, text: str, finish: Finish = Finish.EOS, *, fault: Fault | None = None
) -> Step:
    """Ends the open segment of the trunk."""
    opened = interpreter.state.branches[TRUNK].open
    assert opened is not None
    tokens = Usage(completion_tokens=len(text.split()))
    decoded = Decoded(text=text, finish=finish, usage=tokens, fault=fault)
    return interpreter.feed(
        e.SegmentFinished(segment=opened.segment, attempt=opened.attempt, decoded=decoded)
    )


def committed(step: Step) -> e.AnswerCommitted:
    (found,) = (event for event in step.events if isinstance(event, e.AnswerCommitted))
    return found


@pytest.mark.parametrize(
    ("policy", "script", "final"),
    [
        ("sequential", {"0": "7"}, ["0"]),
        ("self-consistency", {"0.1": "7", "0.2": "7"}, []),
        ("para-thinker", {"0.1": "7", "0.2": "7", "0.3": "So 7."}, ["0.3"]),
    ],
)
def test_what_a_policy_answers_with_is_marked_and_no_candidate_is(
    simulate: Simulate, policy: str, script: dict[str, str], final: list[str]
) -> None:
    params = {"n": 2} if policy == "self-consistency" else {"paths": 2} if policy == "para-thinker" else {}
    simulation = simulate(policy, script, params=params, limits=MARKED)
    assert [one.branch for one in of_kind(simulation, e.SegmentStarted) if one.final] == final
    check(simulation)


def test_a_journal_of_an_older_release_has_no_marks(simulate: Simulate) -> None:
    simulation = simulate("sequential", {"0": "7"})
    assert not any(one.final for one in of_kind(simulation, e.SegmentStarted))


def test_a_form_cannot_be_entered_midway() -> None:
    form = AnswerFormat(structure=Structure(regex="[0-9]+"))
    opened = begin(form=form).state.branches[TRUNK].open
    assert opened is not None and opened.final and not goes_on(opened)


def test_a_decode_whose_replica_died_goes_on_from_the_text_that_arrived() -> None:
    interpreter = begin()
    step = end(interpreter, "The largest ", Finish.INTERRUPTED, fault=DIED)
    assert [type(event) for event in step.events] == [e.SegmentFinished, e.BranchRetried, e.SegmentStarted]
    (decode,) = step.commands
    assert isinstance(decode, Decode) and decode.context.continuation == "The largest "
    assert committed(end(interpreter, "is Jupiter. ")).text == "The largest is Jupiter."


def test_a_decode_that_keeps_failing_fails_the_branch_as_any_other() -> None:
    interpreter = begin(limits=Limits(final_thoughts=True, attempts=2))
    broken = Fault(cause=Cause.ENGINE_ERROR)
    end(interpreter, "a ", Finish.INTERRUPTED, fault=broken)
    last = end(interpreter, "b ", Finish.INTERRUPTED, fault=broken).events[-1]
    assert isinstance(last, e.JobFailed) and last.type == Cause.ENGINE_ERROR


def test_when_time_is_up_what_it_has_written_is_the_answer() -> None:
    interpreter = begin()
    step = interpreter.feed(OVER)
    assert [type(command) for command in step.commands] == [Abort] and len(step.events) == 1
    told = committed(end(interpreter, " The largest is", Finish.ABORT))
    assert (told.text, told.forced, told.sources) == ("The largest is", True, (TRUNK,))
    assert interpreter.over


def test_when_time_is_up_an_answer_that_was_begun_goes_on_with_the_blanks_that_join_it() -> None:
    interpreter = begin(begun="The largest is")
    interpreter.feed(OVER)
    assert committed(end(interpreter, " Jupiter, ", Finish.ABORT)).text == " Jupiter,"


@pytest.mark.parametrize(
    ("policy", "script"),
    [
        ("sequential", {"0": "    return 7\n"}),
        ("best-of-n", {"0.1": "    return 7", "0.2": "10"}),
        ("plan", {"0.1": '{"subtasks":[]}', "0": "    return 7\n"}),
        ("skeleton-of-thought", {"0.1": "C", "0": "    return 7\n"}),
        ("retrieval", {"0.1": "    return 7\n"}),
        ("recursive-aggregation", {"0.1": "    return 7\n"}),
    ],
)
def test_an_answer_that_was_begun_goes_on_with_the_blanks_that_join_it(
    simulate: Simulate, policy: str, script: dict[str, str]
) -> None:
    params = {
        "best-of-n": {"n": 1},
        "recursive-aggregation": {"population": 1, "steps": 1, "subset": 1},
        "retrieval": {"tools": []},
    }.get(policy, {})
    messages = (say("user", "Write f."), say("assistant", "def f():\n"))
    simulation = simulate(policy, script, params=params, messages=messages)
    assert answer(simulation).text == "    return 7"


def test_when_time_is_up_what_an_interrupted_decode_has_written_counts() -> None:
    interpreter = begin()
    end(interpreter, "The largest ", Finish.INTERRUPTED, fault=DIED)
    interpreter.feed(OVER)
    assert committed(end(interpreter, "", Finish.ABORT)).text == "The largest"


def test_a_second_word_that_time_is_up_changes_nothing() -> None:
    interpreter = begin()
    interpreter.feed(OVER)
    assert interpreter.feed(OVER) == Step()


def test_where_it_has_written_nothing_there_is_no_answer_in_it() -> None:
    interpreter = begin()
    interpreter.feed(OVER)
    assert isinstance(end(interpreter, " ", Finish.ABORT).events[-1], e.JobFailed)


def test_its_text_ends_before_a_stop_string_also_when_time_is_up() -> None:
    interpreter = begin(form=AnswerFormat(stop=("END",)))
    end(interpreter, "Jupiter EN", Finish.INTERRUPTED)
    interpreter.feed(OVER)
    assert committed(end(interpreter, "D and more", Finish.ABORT)).text == "Jupiter"


def test_where_time_runs_short_the_branch_that_writes_the_answer_writes_on(simulate: Simulate) -> None:
    parts = [{"id": name, "question": f"{name}?", "after": ()} for name in ("a", "b")]
    plan = json.dumps({"subtasks": parts, "synthesis": "s"}, separators=(",", ":"))
    script = {"0.1": plan, "0.2": "1", "0.3": "2", "0.4": words(10)}
    whole = simulate("plan", script, limits=MARKED)
    (began,) = (
        number
        for number, record in enumerate(whole.records)
        if isinstance(record.event, e.SegmentStarted) and record.event.final
    )
    interpreter = Interpreter()
    for record in whole.records[: began + 1]:
        if isinstance(record.event, e.JobSubmitted | e.JobClaimed | e.SegmentFinished):
            interpreter.feed(record.event)
    step = interpreter.feed(SOON)
    assert [type(event) for event in step.events] == [e.WindUpRequested]
    decoded = Decoded(text="so far ", finish=Finish.ABORT)
    interpreter.feed(OVER)
    told = interpreter.feed(e.SegmentFinished(branch=BranchId("0.4"), segment=1, attempt=1, decoded=decoded))
    assert (committed(told).text, committed(told).sources) == ("so far", ("0.4",))
    assert answer(whole).text == words(10)


def test_where_the_budget_leaves_nothing_to_go_on_with_what_it_has_written_stands() -> None:
    interpreter = begin(budget=Budget(tokens=2))
    step = end(interpreter, "The largest ", Finish.INTERRUPTED)
    assert committed(step).text == "The largest"
