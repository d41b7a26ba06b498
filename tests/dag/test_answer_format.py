"""What a job's owner asks of the answer's text holds for the decodes that a policy marks, and for no others."""

from typing import Any

import pytest
from tests.dag.conftest import Simulate
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoding, Purpose, Structure
from anabranch.dag.job import AnswerFormat, Problem
from anabranch.dag.policies.parts.samples import FORMAT
from anabranch.dag.text import say

SCHEMA = Structure(json_schema={"type": "object"})
JSON = AnswerFormat(structure=SCHEMA)


class Writer:
    """Writes what is asked and remembers each decoding by its branch."""

    def __init__(self, written: dict[str, str]) -> None:
        self.written = written
        self.decodings: dict[str, Decoding] = {}
        self.systems: list[str] = []

    def __call__(self, decode: Decode) -> str:
        self.decodings[decode.branch] = decode.decoding
        self.systems += [text for role, text in decode.context.messages if role == "system"]
        return self.written[decode.branch]


def test_sequential_writes_its_answer_in_the_form(simulate: Simulate) -> None:
    write = Writer({"0": '{"a": 1}'})
    simulation = simulate("sequential", write, answer_format=JSON)
    assert write.decodings["0"].structure == SCHEMA
    assert of_kind(simulation, e.SegmentStarted)[0].structured
    assert answer(simulation).text == '{"a": 1}'
    check(simulation)


@pytest.mark.parametrize(
    ("structure", "told"),
    [
        (None, ""),
        (SCHEMA, "json"),
        (Structure(choice=("yes", "no")), "text"),
        (Structure(regex="a+"), "text"),
    ],
)
def test_the_journal_says_which_kind_of_output_was_asked_for(
    simulate: Simulate, structure: Structure | None, told: str
) -> None:
    simulation = simulate("sequential", Writer({"0": "{}"}), answer_format=AnswerFormat(structure=structure))
    assert [each.output_type for each in of_kind(simulation, e.SegmentStarted)] == [told]


def test_what_the_policy_reads_itself_is_not_held_to_the_form(simulate: Simulate) -> None:
    write = Writer({"0.1": "{}", "0.2": "3", "0.3": "{}", "0.4": "7"})
    simulate("best-of-n", write, params={"n": 2, "stop": "all"}, answer_format=JSON)
    samples = [branch for branch, asked in write.decodings.items() if asked.structure == SCHEMA]
    judges = [branch for branch, asked in write.decodings.items() if asked.max_tokens == 8]
    assert (len(samples), len(judges)) == (2, 2)


def test_samples_that_are_the_same_json_count_as_one(simulate: Simulate) -> None:
    texts = {"0.1": '{"b": 2, "a": "x"}', "0.2": '{"a": "y", "b": 2}', "0.3": '{"a":"x","b":2}'}
    write = Writer(texts)
    simulation = simulate("self-consistency", write, params={"n": 3, "stop": "all"}, answer_format=JSON)
    assert answer(simulation).text == '{"a":"x","b":2}'  # the shortest was found first
    assert set(answer(simulation).sources) == {"0.1", "0.3"}
    assert all(asked.structure == SCHEMA for asked in write.decodings.values())
    assert FORMAT not in write.systems


def test_a_sample_that_was_cut_off_in_its_form_counts_for_nothing(simulate: Simulate) -> None:
    write = Writer({"0.1": '{"a": 1 , "b": 2 }', "0.2": '{"a": 3 , "b": 4 }', "0.3": '{"a": 5}'})
    limited = AnswerFormat(structure=SCHEMA, max_tokens=3)
    simulation = simulate("self-consistency", write, params={"n": 3, "stop": "all"}, answer_format=limited)
    assert answer(simulation).text == '{"a": 5}'


def test_only_the_last_decode_of_a_summary_has_the_form(simulate: Simulate) -> None:
    write = Writer({"0.1": "It is 7.", "0.2": "It is 8.", "0.3": "{}"})
    simulation = simulate("para-thinker", write, params={"paths": 2, "stop": "all"}, answer_format=JSON)
    assert [branch for branch, asked in write.decodings.items() if asked.structure] == ["0.3"]
    assert answer(simulation).text == "{}"


def test_where_no_summary_was_written_nothing_takes_its_place(simulate: Simulate) -> None:
    write = Writer({"0.1": "It is 7.", "0.2": "It is 8.", "0.3": " "})
    simulation = simulate("para-thinker", write, params={"paths": 2, "stop": "all"}, answer_format=JSON)
    assert of_kind(simulation, e.JobFailed)[0].type == "no-answer"


@pytest.mark.parametrize(
    ("policy", "written", "text"),
    [
        ("sequential", "It is 7.\n\nQuestion: and now?", "It is 7."),
        ("sequential", "\n\nQuestion: and now?", ""),
        ("self-consistency", "It is 7.\n\nQuestion: and now? 9", "7"),
        ("best-of-n", "It is 7.\n\nQuestion: and now?", "It is 7."),
    ],
)
def test_an_answer_ends_before_a_stop_string(
    policy: str, written: str, text: str, simulate: Simulate
) -> None:
    asked = AnswerFormat(stop=("Question:", "Q:"))
    params = {} if policy == "sequential" else {"n": 1}
    simulation = simulate(
        policy, lambda d: written if d.decoding.stop else "9", params=params, answer_format=asked
    )
    assert answer(simulation).text.strip() == text
    assert not answer(simulation).truncated
    check(simulation)


def test_an_answer_that_is_composed_of_parts_is_cut_all_the_same(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        segment: a.Segment = yield a.Think()
        return a.Answer(text=f"First. {segment.text}")

    simulation = simulate(policy, {"0": "Then. STOP And on."}, answer_format=AnswerFormat(stop=("STOP",)))
    assert answer(simulation).text == "First. Then. "


def test_a_nested_jobs_answer_is_not_the_jobs(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        nested = a.SubJob(policy="sequential", messages=(say("user", "And this?"),))
        forked: a.Forked = yield a.Fork(children=(nested,))
        yield a.Join(targets=forked.branches)
        segment: a.Segment = yield a.Think(Decoding(purpose=Purpose.ANSWER))
        return a.Answer(text=segment.text)

    write = Writer({"0.1": "Words.", "0": "{}"})
    simulate(policy, write, answer_format=JSON)
    assert (write.decodings["0.1"].structure, write.decodings["0"].structure) == (None, SCHEMA)


@pytest.mark.parametrize(
    ("asked", "text", "cut"),
    [
        (AnswerFormat(), "a b", "a b"),
        (AnswerFormat(stop=("b", "a")), "x a b", "x "),
        (AnswerFormat(stop=("q",)), "a b", "a b"),
    ],
)
def test_the_first_stop_string_cuts(asked: AnswerFormat, text: str, cut: str) -> None:
    assert asked.cut(text) == cut


def test_the_answers_own_limit_goes_before_the_jobs(simulate: Simulate) -> None:
    write: Any = Writer({"0": "one two three"})
    simulation = simulate("sequential", write, max_tokens=100, answer_format=AnswerFormat(max_tokens=2))
    assert write.decodings["0"].max_tokens == 2
    assert answer(simulation).truncated
