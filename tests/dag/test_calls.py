"""A job's owner offers tools: the final thought may call them, and calls are voted on by what they mean."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.conftest import Simulate
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import events as e
from anabranch.dag.commands import Decode
from anabranch.dag.decoding.tools import Call, Tool, Tools, meaning_of
from anabranch.dag.job import AnswerFormat
from anabranch.dag.policy import catalogue
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import Message, Turn, say
from anabranch.dag.text.context import render
from anabranch.service.store.codec import decode, encode, spec_from_json, spec_to_json

WEATHER = Tools(offered=(Tool(name="weather", parameters={"type": "object"}),))
OFFERED = AnswerFormat(tools=WEATHER)
ROME = (Call(name="weather", arguments='{"city": "Rome", "days": 2}', id="call-1"),)
ROME_AGAIN = (Call(name="weather", arguments='{"days":2.0,"city":"Rome"}', id="other"),)
PARIS = (Call(name="weather", arguments='{"city": "paris", "days": 2}'),)


class Writer:
    """Writes or calls what is asked, and remembers which branches were offered tools."""

    def __init__(self, written: dict[str, Any]) -> None:
        self.written = written
        self.offered: list[str] = []
        self.read: dict[str, str] = {}

    def __call__(self, decode: Decode) -> Any:
        if decode.decoding.tools is not None:
            self.offered.append(decode.branch)
        self.read[decode.branch] = "\n".join(text for _, text in decode.context.messages)
        return self.written[decode.branch]


def test_the_one_line_of_thought_calls(simulate: Simulate) -> None:
    simulation = simulate("sequential", Writer({"0": ROME}), answer_format=OFFERED)
    assert (answer(simulation).text, answer(simulation).calls) == ("", ROME)
    assert of_kind(simulation, e.BranchReturned)[-1].calls == ROME
    check(simulation)


def test_samples_vote_on_names_and_arguments(simulate: Simulate) -> None:
    write = Writer({"0.1": PARIS, "0.2": ROME, "0.3": ROME_AGAIN, "0.4": "It rains."})
    simulation = simulate("self-consistency", write, params={"n": 4, "stop": "all"}, answer_format=OFFERED)
    assert answer(simulation).calls == ROME
    assert set(answer(simulation).sources) == {"0.2", "0.3"}
    assert sorted(write.offered) == ["0.1", "0.2", "0.3", "0.4"]
    check(simulation)


def test_arguments_that_differ_in_a_capital_letter_differ(simulate: Simulate) -> None:
    other = (Call(name="weather", arguments='{"city": "PARIS", "days": 2}'),)
    write = Writer({"0.1": PARIS, "0.2": other})
    simulation = simulate("self-consistency", write, params={"n": 2, "stop": "all"}, answer_format=OFFERED)
    assert len(of_kind(simulation, e.BranchesVoted)[-1].classes) == 2


def test_formulas_beside_calls_are_judged_by_a_worker(simulate: Simulate) -> None:
    write = Writer({"0.1": r"\boxed{x+1}", "0.2": ROME, "0.3": r"\boxed{x+2}", "0.4": ROME_AGAIN})
    simulation = simulate("self-consistency", write, params={"n": 4, "stop": "all"}, answer_format=OFFERED)
    classes = of_kind(simulation, e.BranchesVoted)[-1].classes
    assert classes[0].branches == ("0.2", "0.4")
    assert len(classes) == 3
    check(simulation)


def test_a_call_with_broken_arguments_abstains(simulate: Simulate) -> None:
    broken = (Call(name="weather", arguments='{"city": '),)
    write = Writer({"0.1": broken, "0.2": ROME})
    simulation = simulate("self-consistency", write, params={"n": 2, "stop": "all"}, answer_format=OFFERED)
    assert of_kind(simulation, e.BranchesVoted)[-1].abstained == ("0.1",)
    assert answer(simulation).calls == ROME


def test_a_judge_reads_what_is_called_in_words(simulate: Simulate) -> None:
    write = Writer({"0.1": ROME, "0.2": PARIS, "0.3": "3", "0.4": "9"})
    simulation = simulate("best-of-n", write, params={"n": 2, "stop": "all"}, answer_format=OFFERED)
    assert answer(simulation).calls == PARIS
    assert '[Called the tool weather with {"city": "Rome", "days": 2}]' in write.read["0.3"]
    assert sorted(write.offered) == ["0.1", "0.2"]


@pytest.mark.parametrize(
    ("policy", "written", "params"),
    [
        ("plan", {"0.1": '{"subtasks": []}', "0": ROME}, {}),
        ("para-thinker", {"0.1": "It is 7.", "0.2": "It is 8.", "0.3": ROME}, {"paths": 2, "stop": "all"}),
    ],
)
def test_the_last_thought_calls(
    policy: str, written: dict[str, Any], params: dict[str, Any], simulate: Simulate
) -> None:
    simulation = simulate(policy, Writer(written), params=params, answer_format=OFFERED)
    assert answer(simulation).calls == ROME
    check(simulation)


def test_every_policy_that_may_call_marks_its_answer() -> None:
    able = {name for name, info in catalogue().items() if info.may_call}
    assert able == {
        *("auto", "best-of-n", "deep-conf", "para-thinker", "plan", "recursive-aggregation", "retrieval"),
        *("self-consistency", "sequential"),
    }
    assert all(catalogue()[name].marks_answer for name in able)


def test_an_approved_answer_keeps_its_calls_and_an_edited_one_is_text(simulate: Simulate) -> None:
    def gated(**decided: Any) -> Simulation:
        return simulate(
            "sequential",
            Writer({"0": ROME}),
            answer_format=OFFERED,
            approvals=("answer",),
            decide=lambda asked: e.ApprovalDecided(approval=asked.approval, **decided),
        )

    approved = gated(decision=e.Choice.APPROVE)
    assert answer(approved).calls == ROME
    assert of_kind(approved, e.ApprovalRequested)[0].subject == ROME[0].in_words()
    edited = gated(decision=e.Choice.EDIT, edit="No.")
    assert (answer(edited).text, answer(edited).calls) == ("No.", ())


CONVERSATION = (
    say("user", "Rome?"),
    Message("assistant", ("I look.",), ROME),
    Message("tool", ("sunny",), result_of="call-1"),
    say("user", "And now?"),
)


def test_a_conversation_with_calls_is_read_as_such_and_in_words(simulate: Simulate) -> None:
    simulation = simulate("sequential", {"0": "Go."}, messages=CONVERSATION)
    context = render(simulation.interpreter.state, simulation.interpreter.state.branches["0"].id)  # type: ignore[index]
    assert context.turns == (
        Turn("user", "Rome?"),
        Turn("assistant", "I look.", ROME),
        Turn("tool", "sunny", result_of="call-1", name="weather"),
        Turn("user", "And now?"),
    )
    assert context.messages == (
        ("user", "Rome?"),
        ("assistant", f"I look.\n{ROME[0].in_words()}"),
        ("user", "[Result of the tool weather]\nsunny\n\nAnd now?"),
    )
    assert context.continuation == "Go."


def test_a_conversation_without_calls_has_messages_alone(simulate: Simulate) -> None:
    simulation = simulate("sequential", {"0": "Go."})
    assert render(simulation.interpreter.state, simulation.interpreter.state.branches["0"].id).turns == ()  # type: ignore[index]


def test_calls_are_journaled_and_read_back(simulate: Simulate) -> None:
    simulation = simulate("sequential", Writer({"0": ROME}), answer_format=OFFERED, messages=CONVERSATION)
    for record in simulation.records:
        encoded = encode(record.event)
        assert "calls" not in encoded.payload or "weather" in encoded.payload
        assert spec_from_json(spec_to_json(simulation.spec)) == simulation.spec
        assert decode(encoded.kind, record.event.branch, json.loads(encoded.payload)) == record.event


ARGUMENTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.integers(-9, 9) | st.text(max_size=3) | st.booleans() | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_size=4,
)


@given(ARGUMENTS, ARGUMENTS)
def test_calls_mean_the_same_where_their_arguments_are_the_same_json(left: Any, right: Any) -> None:
    def meant(value: Any, **how: Any) -> str | None:
        return meaning_of((Call(name="f", arguments=json.dumps(value, **how)),))

    assert meant(left, indent=2) == meant(dict(reversed(left.items())))
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (meant(left) == meant(right)) == same


def test_what_is_nested_deeper_than_anybody_means_means_nothing_however_much_stack_is_left() -> None:
    def meant(depth: int) -> str | None:
        return meaning_of((Call(name="f", arguments=f'{{"a":{"[" * depth}1.0{"]" * depth}}}'),))

    assert meant(50) is not None
    assert [meant(depth) for depth in (100, 400, 600, 900, 100_000)] == [None] * 5


def test_half_a_character_in_arguments_votes_as_the_journal_holds_it() -> None:
    half = (Call(name="f", arguments='{"a": "\\ud800"}'),)
    assert meaning_of(half) == meaning_of((Call(name="f", arguments='{"a": "\ufffd"}'),))


@pytest.mark.parametrize("arguments", ["", "[1]", "3", "{", "[" * 100_000])
def test_what_is_no_object_means_nothing(arguments: str) -> None:
    assert meaning_of((Call(name="f", arguments=arguments),)) is None
