"""The deltas of an answer: what is told as its text is its text, whatever order records and live text come in."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.policies.test_every_policy import PARAMS, POLICIES, approve, retrieve, verify
from tests.dag.policies.writers import part

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.job import AnswerFormat, JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say
from anabranch.service.api.answering.answer_stream import (
    AnswerStream,
    Content,
    Delta,
    Ended,
    Reasoning,
    Replaced,
)
from anabranch.service.api.live.text import LiveText

SPEC = JobSpec(messages=(say("user", "What?"),), policy="sequential")
BEGUN = replace(SPEC, messages=(*SPEC.messages, say("assistant", "def f(x):\n")))
BRANCH = BranchId("0.3")


def record(event: e.Event) -> e.Record:
    return e.Record(job=JobId("j"), seq=1, epoch=1, at=datetime.now(UTC), event=event, prev_hash="", hash="")


def started(
    segment: int = 1, branch: str = TRUNK, *, final: bool = True, structured: bool = False
) -> e.Record:
    return record(
        e.SegmentStarted(branch=BranchId(branch), segment=segment, final=final, structured=structured)
    )


def finished(text: str, segment: int = 1, branch: str = TRUNK, finish: Finish = Finish.EOS) -> e.Record:
    fault = Fault(cause="replica-died") if finish is Finish.ERROR else None
    decoded = Decoded(text=text, finish=finish, fault=fault)
    return record(e.SegmentFinished(branch=BranchId(branch), segment=segment, attempt=1, decoded=decoded))


def answered(text: str) -> list[e.Record]:
    return [record(e.AnswerCommitted(text=text)), record(e.JobSucceeded())]


def live(text: str, at: int = 0, segment: int = 1, branch: str = TRUNK, *, final: bool = True) -> LiveText:
    return LiveText(branch=BranchId(branch), segment=segment, final=final, at=at, text=text)


def contents(deltas: list[Delta]) -> list[str]:
    return [delta.text for delta in deltas if isinstance(delta, Content)]


def test_the_final_thought_is_told_while_it_is_decoded() -> None:
    stream = AnswerStream(SPEC)
    assert stream.read([started()], [live(" The")]) == [Content("The")]
    assert stream.read([], [live(" largest ", 4)]) == [Content(" largest")]
    end = [finished(" The largest is Jupiter.\n"), *answered("The largest is Jupiter.")]
    assert stream.read(end) == [Content(" is Jupiter."), Ended(answered=True)]
    assert stream.told == "The largest is Jupiter."


def test_an_answer_that_was_begun_goes_on_with_the_blanks_that_join_it() -> None:
    stream = AnswerStream(BEGUN)
    assert stream.read([started()], [live("    ")]) == []
    assert stream.read([], [live("if x:\n", 4)]) == [Content("    if x:")]
    end = [finished("    if x:\n        return 1\n"), *answered("    if x:\n        return 1")]
    assert stream.read(end) == [Content("\n        return 1"), Ended(answered=True)]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
def test_whatever_policy_answers_what_is_told_of_its_final_thought_is_its_answer(
    policy: str, begun: bool
) -> None:
    spec = replace(BEGUN if begun else SPEC, policy=policy, params=PARAMS.get(policy, {}))
    outside: dict[str, Any] = {"verify": verify, "decide": approve, "tool": retrieve}
    simulation = Simulation(
        spec, lambda decode: f"\n  {part(policy, decode)} \n", Limits(final_thoughts=True), **outside
    )
    simulation.run()
    stream = AnswerStream(spec)
    deltas = stream.read(simulation.records)
    answer = simulation.interpreter.state.answer
    assert answer is not None
    assert not any(isinstance(delta, Replaced) for delta in deltas)
    assert stream.told == answer.text


def test_what_other_branches_write_is_reasoning_when_they_have_written_it() -> None:
    stream = AnswerStream(SPEC)
    assert (
        stream.read([started(branch="0.1", final=False)], [live("I think", branch="0.1", final=False)]) == []
    )
    assert stream.read([finished("I think 7", branch="0.1")]) == [Reasoning("[0.1] I think 7\n")]
    assert stream.read(answered("7")) == [Content("7"), Ended(answered=True)]


def test_text_that_comes_before_the_record_of_its_segment_waits_for_it() -> None:
    stream = AnswerStream(SPEC)
    assert stream.read([], [live("The")]) == []
    assert stream.read([started()], [live(" end", 3)]) == [Content("The end")]


def test_an_interrupted_segment_goes_on_in_the_next_one() -> None:
    stream = AnswerStream(SPEC)
    told = stream.read([started()], [live("The lar")])
    told += stream.read([], [live("est is", segment=2)])
    told += stream.read([finished("The larg", finish=Finish.INTERRUPTED), started(2)])
    told += stream.read([finished("est is Jupiter.", 2), *answered("The largest is Jupiter.")])
    assert contents(told) == ["The lar", "gest is", " Jupiter."]


@pytest.mark.parametrize(
    ("spec", "begins"),
    [
        (SPEC, started(structured=True)),
        (replace(SPEC, approvals=("answer",)), started()),
        (SPEC, started(final=False)),
    ],
    ids=["has a form", "a person has to approve it", "is no final thought"],
)
def test_an_answer_that_may_still_change_comes_when_it_is_decided(spec: JobSpec, begins: e.Record) -> None:
    stream = AnswerStream(spec)
    assert contents(stream.read([begins], [live("4")])) == []
    assert contents(stream.read([finished("42")])) == []
    assert contents(stream.read(answered("42"))) == ["42"]


def test_a_final_thought_that_said_nothing_leaves_the_word_to_the_next() -> None:
    stream = AnswerStream(SPEC)
    told = stream.read([started(branch="0.3"), finished(" \n", branch="0.3"), started()], [live("Well")])
    assert contents(told) == ["Well"]


def test_an_answer_other_than_what_was_told_is_never_passed_off_as_it() -> None:
    stream = AnswerStream(SPEC)
    stream.read([started(branch="0.3")], [live("It is ", branch="0.3")])
    told = stream.read([finished("It is ", branch="0.3", finish=Finish.ERROR), started()], [live("That is")])
    assert contents(told) == []
    assert stream.read(answered("That is 7.")) == [Replaced("It is", "That is 7."), Ended(answered=True)]


def test_what_is_decoded_again_and_says_the_same_is_told_once() -> None:
    stream = AnswerStream(SPEC)
    stream.read([started(branch="0.3")], [live("It is ", branch="0.3")])
    again = [finished("It is ", branch="0.3", finish=Finish.ERROR), started(), finished("It is 7.")]
    assert contents(stream.read([*again, *answered("It is 7.")])) == [" 7."]


@given(come=st.integers(0, 6), answer=st.sampled_from(["It is 7.", "That is 7."]))
def test_what_is_told_of_a_failed_final_thought_follows_from_its_record(come: int, answer: str) -> None:
    stream = AnswerStream(SPEC)
    told = stream.read([started(branch="0.3")], [live("It is "[:come], branch="0.3")] if come else [])
    told += stream.read([finished("It is ", branch="0.3", finish=Finish.ERROR)])
    assert "".join(contents(told)) == "It is"
    again = stream.read([started(), finished(answer), *answered(answer)])
    rest = Content(" 7.") if answer.startswith("It is") else Replaced("It is", answer)
    assert again == [rest, Ended(answered=True)]


def test_a_final_thought_that_failed_before_it_wrote_anything_goes_on_in_the_next_segment() -> None:
    stream = AnswerStream(SPEC)
    told = stream.read([started(), finished("", finish=Finish.ERROR), started(2)], [live("Well", segment=2)])
    assert contents(told) == ["Well"]


def test_a_job_that_fails_ends_without_an_answer() -> None:
    stream = AnswerStream(SPEC)
    stream.read([started()], [live("It is")])
    assert stream.read([record(e.JobFailed(type="t", title="t"))]) == [Ended(answered=False)]


@st.composite
def tellings(draw: st.DrawFn) -> tuple[AnswerFormat, str, list[e.Record | LiveText]]:
    """A final thought in segments; each piece of its live text comes at any time, or never, or twice, with records
    in their order."""
    alphabet = "ab E\n"
    texts = draw(st.lists(st.text(alphabet, max_size=20), min_size=1, max_size=4))
    form = AnswerFormat(stop=tuple(draw(st.lists(st.text("abE", min_size=1, max_size=3), max_size=2))))
    answer = form.cut("".join(texts)).strip()
    records: list[e.Record] = []
    pieces: list[LiveText] = []
    for segment, text in enumerate(texts, start=1):
        finish = Finish.EOS if segment == len(texts) else Finish.INTERRUPTED
        records += [started(segment), finished(text, segment, finish=finish)]
        cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=4)) | {0})
        ends = [*cuts[1:], draw(st.integers(cuts[-1], len(text)))]
        pieces += [live(text[at:end], at, segment) for at, end in zip(cuts, ends, strict=True)]
    pieces = draw(st.permutations(pieces * draw(st.integers(1, 2)))) if draw(st.booleans()) else pieces
    told: list[e.Record | LiveText] = [*records, *answered(answer)]
    for piece in pieces:
        told.insert(draw(st.integers(0, len(told))), piece)
    return form, answer, told


@given(tellings())
def test_the_contents_are_the_answer_exactly_in_whatever_order_they_come(
    telling: tuple[AnswerFormat, str, list[e.Record | LiveText]],
) -> None:
    form, answer, told = telling
    stream = AnswerStream(replace(SPEC, answer_format=form))
    deltas: list[Delta] = []
    for each in told:
        deltas += stream.read([each]) if isinstance(each, e.Record) else stream.read([], [each])
    assert "".join(contents(deltas)) == answer == stream.told
    assert [type(delta) for delta in deltas if not isinstance(delta, Content)] == [Ended]
