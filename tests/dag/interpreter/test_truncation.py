"""An answer knows whether a limit of tokens cut its text, whatever policy gave it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import check, of_kind
from tests.dag.policies.test_every_policy import PARAMS, POLICIES, approve, retrieve, verify
from tests.dag.policies.writers import part

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.decoding.tools import Call
from anabranch.dag.ids import TRUNK
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import Budget, JobSpec, Problem
from anabranch.dag.journal.replay import replay
from anabranch.dag.policies.sequential import sequential
from anabranch.dag.simulator import Simulation
from anabranch.dag.status import JobStatus
from anabranch.dag.text import say

SHORT = {"dynasor": {"tokens": 16}}
"""Its chains are the only ones that go on over many segments: in a long text without an answer none is found."""
SILENCE = " "
"""One token of which nothing is left: to the interpreter, as a thought before any text."""
Run = Callable[[str, Callable[[Decode], str], int], Simulation]


def endless(decode: Decode) -> str:
    return " ".join(f"w{decode.branch}.{decode.segment}.{word}" for word in range(500))


@pytest.fixture
def run(simulate: Simulate) -> Run:
    def simulated(policy: str, write: Callable[[Decode], str], max_tokens: int) -> Simulation:
        params = PARAMS.get(policy, {}) | SHORT.get(policy, {})
        outside: dict[str, Any] = {"verify": verify, "decide": approve, "tool": retrieve}
        return simulate(policy, write, params=params, max_tokens=max_tokens, **outside)

    return simulated


def committed(simulation: Simulation) -> e.AnswerCommitted:
    answer = simulation.interpreter.state.answer
    assert answer is not None
    return answer


@pytest.mark.parametrize("policy", POLICIES)
def test_who_is_always_cut_gives_a_cut_answer(policy: str, run: Run) -> None:
    assert committed(run(policy, endless, 12)).truncated


@pytest.mark.parametrize("policy", POLICIES)
def test_who_has_room_gives_a_whole_one(policy: str, run: Run) -> None:
    simulation = run(policy, lambda decode: part(policy, decode), 1000)
    if not any(branch.cut for branch in simulation.interpreter.state.branches.values()):
        assert not committed(simulation).truncated


def test_an_answer_that_stands_whole_in_a_cut_text_is_whole(simulate: Simulate) -> None:
    script = {f"0.{n}": f"It is \\boxed{{42}}. {words(50)}" for n in (1, 2, 3)}
    answer = committed(simulate("self-consistency", script, params={"n": 3}, max_tokens=20))
    assert (answer.text, answer.truncated) == ("42", False)


def test_an_answer_that_one_whole_text_gives_too_is_whole(simulate: Simulate) -> None:
    cut = f"{words(18)} is 42 {words(50)}"
    answer = committed(
        simulate(
            "self-consistency",
            {"0.1": cut, "0.2": cut, "0.3": "It is \\boxed{42}."},
            params={"n": 3},
            max_tokens=20,
        )
    )
    assert (answer.text, answer.truncated) == ("42", False)


def test_one_cut_point_of_a_skeleton_cuts_the_answer(simulate: Simulate) -> None:
    script = {"0.1": "A", "0": "1. one\n2. two\n", "0.2": words(500), "0.3": words(5)}
    simulation = simulate("skeleton-of-thought", script, max_tokens=30)
    assert not simulation.interpreter.state.branches[TRUNK].cut
    assert committed(simulation).truncated


def test_a_journal_from_before_it_was_told_replays_the_same(run: Run) -> None:
    simulation = run("sequential", endless, 12)
    assert any(
        isinstance(record.event, e.SegmentFinished) and record.event.decoded.finish is Finish.LENGTH
        for record in simulation.records
    )
    older = [
        replace(record, event=replace(record.event, truncated=False))
        if isinstance(record.event, e.AnswerCommitted)
        else record
        for record in simulation.records
    ]
    assert replay(older).state.status == simulation.interpreter.state.status


def test_a_thought_that_a_limit_cut_before_its_first_word_is_an_empty_answer_that_was_cut(
    simulate: Simulate,
) -> None:
    simulation = simulate("sequential", {"0": SILENCE}, max_tokens=1)
    answer = committed(simulation)
    assert (answer.text, answer.sources, answer.truncated, answer.forced) == ("", (TRUNK,), True, False)
    assert simulation.interpreter.state.status is JobStatus.SUCCEEDED
    check(simulation)


def test_so_it_is_where_the_limit_is_the_budget(simulate: Simulate) -> None:
    answer = committed(simulate("sequential", {"0": SILENCE}, budget=Budget(tokens=1)))
    assert (answer.text, answer.truncated) == ("", True)


def test_who_stops_by_itself_without_a_word_has_no_answer(simulate: Simulate) -> None:
    simulation = simulate("sequential", {"0": SILENCE}, max_tokens=2)
    assert simulation.interpreter.state.answer is None
    assert of_kind(simulation, e.JobFailed)[0].detail == "the model wrote nothing"


def test_what_others_have_said_comes_before_an_empty_answer(simulate: Simulate) -> None:
    """The budget is spent on a thought; a branch had returned something before."""

    def policy(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(),))
        yield a.Join(targets=forked.branches)
        yield a.Think()
        return (yield from sequential(problem))

    answer = committed(simulate(policy, {"0.1": "It is 7.", "0": SILENCE}, budget=Budget(tokens=4)))
    assert (answer.text, answer.forced) == ("It is 7.", True)


def test_the_best_sample_is_cut_where_it_was_before_its_first_word(simulate: Simulate) -> None:
    samples = {f"0.{n}": SILENCE for n in (1, 2)} | {"0.3": "0", "0.4": "0"}
    answer = committed(simulate("best-of-n", samples, params={"n": 2}, max_tokens=1))
    assert (answer.text.strip(), answer.truncated) == ("", True)


@pytest.mark.parametrize("stop", ["all", "quorum"])
def test_samples_that_were_all_cut_before_a_word_make_an_empty_answer_that_was_cut(
    simulate: Simulate, stop: str
) -> None:
    samples = {f"0.{n}": SILENCE for n in (1, 2, 3)}
    simulation = simulate("self-consistency", samples, params={"n": 3, "stop": stop}, max_tokens=1)
    answer = committed(simulation)
    assert (answer.text, answer.truncated, answer.sources) == ("", True, ("0.1", "0.2", "0.3"))


def test_but_not_where_one_of_them_has_written(simulate: Simulate) -> None:
    samples = {"0.1": SILENCE, "0.2": SILENCE, "0.3": "so:\nseven"}
    simulation = simulate("self-consistency", samples, params={"n": 3}, max_tokens=2)
    assert of_kind(simulation, e.JobFailed)[0].type == "no-answer"


def test_an_empty_answer_of_a_sample_that_ended_by_itself_is_whole(simulate: Simulate) -> None:
    samples = {"0.1": SILENCE, "0.2": words(3), "0.3": "10", "0.4": "0"}
    answer = committed(simulate("best-of-n", samples, params={"n": 2}, max_tokens=2))
    assert (answer.text.strip(), answer.truncated) == ("", False)


def test_calls_without_a_text_are_no_cut_answer() -> None:
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "q"),), policy="sequential")
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
    interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    called = Decoded(text="", finish=Finish.LENGTH, calls=(Call(name="f", arguments="{}"),))
    interpreter.feed(e.SegmentFinished(segment=1, attempt=1, decoded=called))
    assert interpreter.state.answer is not None
    assert not interpreter.state.answer.truncated
