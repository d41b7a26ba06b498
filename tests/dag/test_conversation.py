"""What branches read as turns of a conversation, whom a policy may ask, and what is never an answer."""

from functools import partial

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, kinds, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.commands import Decode
from anabranch.dag.job import GATES, JobSpec, Problem
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import Base, Message, say


@pytest.mark.parametrize(
    ("messages", "turns"),
    [
        ((say("user", "In short."),), (("user", "What is due?\n\nIn short."),)),
        (
            (say("system", "Be kind."), say("user", "In short."), say("user", "In verse.")),
            (("system", "Be kind."), ("user", "What is due?\n\nIn short.\n\nIn verse.")),
        ),
        (
            (say("assistant", "Let me see."), say("user", "Well?")),
            (("user", "What is due?"), ("assistant", "Let me see."), ("user", "Well?")),
        ),
    ],
)
def test_no_two_turns_of_a_user_stand_in_a_row(
    simulate: Simulate, messages: tuple[Message, ...], turns: tuple[tuple[str, str], ...]
) -> None:
    """Chat templates of some models refuse them; all take one turn with both."""
    read = []

    def policy(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(base=Base.PROBLEM, messages=messages),))
        yield a.Join(targets=forked.branches)
        yield a.Splice(messages=messages)
        segment: a.Segment = yield a.Think()
        return a.Answer(text=segment.text)

    def write(decode: Decode) -> str:
        read.append(decode.context.messages)
        return "7"

    simulate(policy, write)
    assert read == [turns, turns]


def asks(gate: str) -> a.Policy:
    decision: a.Decision = yield a.Approve(gate=gate, subject="this")
    return a.Answer(text=f"{decision.decision} {decision.subject}")


def approved(request: e.ApprovalRequested) -> e.ApprovalDecided:
    return e.ApprovalDecided(approval=request.approval, decision="edit", edit="that", by="tester")


@pytest.mark.parametrize("gate", ["plan", "join"])
def test_a_gate_of_the_owners_stands_open_until_the_owner_closes_it(simulate: Simulate, gate: str) -> None:
    assert gate in GATES
    opened = simulate(lambda problem: asks(gate), {})
    assert answer(opened).text == "approve this"
    assert "ApprovalRequested" not in kinds(opened)
    closed = simulate(lambda problem: asks(gate), {}, approvals=(gate,), decide=approved)
    assert answer(closed).text == "edit that"
    check(closed)


def test_a_gate_of_the_policys_own_is_always_asked(simulate: Simulate) -> None:
    simulation = simulate(lambda problem: asks("spend"), {}, decide=approved)
    assert answer(simulation).text == "edit that"


def test_a_word_about_other_branches_is_never_the_answer_when_time_is_up() -> None:
    """The plan comes back at 1 and says that nothing is to be split; the trunk still writes when it is stopped."""
    messages, script = (say("user", "What is due?"),), {"0.1": '{"direct":true}', "0": words(90)}
    simulation = Simulation(JobSpec(messages=messages, policy="plan"), lambda decode: script[decode.branch])
    for at in (18, 20):
        fact = e.BudgetExceeded(resource="seconds", limit=20, spent=at)
        simulation._at(at, partial(simulation.interpreter.feed, fact))
    simulation.run()
    assert of_kind(simulation, e.BranchReturned)[0].flags == ("aside",)
    assert of_kind(simulation, e.JobFailed)[0].type == "deadline"
    check(simulation)
