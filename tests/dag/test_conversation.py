"""What branches read as turns of a conversation, whom a policy may ask, and what is never an answer."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, kinds, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.commands import Decode
from anabranch.dag.job import GATES, JobSpec, Problem
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import Base, Context, Message, Role, say


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
        (
            (say("assistant", "[Called the tool tax]"), say("tool", "[Result of the tool tax]\n7")),
            (
                ("user", "What is due?"),
                ("assistant", "[Called the tool tax]"),
                ("user", "[Result of the tool tax]\n7"),
            ),
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


def contexts_of(simulate: Simulate, policy: Callable[[Problem], a.Policy], **spec: Any) -> list[Context]:
    """What each decode of this policy was sent, in order."""
    sent: list[Context] = []

    def write(decode: Decode) -> str:
        sent.append(decode.context)
        return " It is 7."

    simulate(policy, write, **spec)
    return sent


def thinks_twice(problem: Problem, *said: Message) -> a.Policy:
    """A child and the trunk think about the problem, each with what is said; then the trunk goes on."""
    forked: a.Forked = yield a.Fork(children=(a.Thought(base=Base.PROBLEM, messages=said),))
    yield a.Join(targets=forked.branches)
    yield a.Splice(messages=said)
    yield a.Think()
    segment: a.Segment = yield a.Think()
    return a.Answer(text=segment.text)


BEGUN = (say("user", "What is due?"), say("assistant", "So far,"))
ASKED: tuple[tuple[Role, str], ...] = (("user", "What is due?"),)


def test_a_last_assistant_turn_is_continued_by_all_who_think_about_the_problem(simulate: Simulate) -> None:
    first, trunk, later = contexts_of(simulate, thinks_twice, messages=BEGUN)
    assert first == trunk == Context(ASKED, "So far,")
    assert later == Context(ASKED, "So far, It is 7.")


def test_a_system_message_interrupts_no_turn_that_was_begun(simulate: Simulate) -> None:
    first, trunk, _ = contexts_of(
        simulate, lambda problem: thinks_twice(problem, say("system", "Be kind.")), messages=BEGUN
    )
    assert first == trunk == Context((("system", "Be kind."), *ASKED), "So far,")


def test_a_users_word_closes_the_turn_that_was_begun(simulate: Simulate) -> None:
    first, trunk, _ = contexts_of(
        simulate, lambda problem: thinks_twice(problem, say("user", "Well?")), messages=BEGUN
    )
    assert first == trunk == Context((*ASKED, ("assistant", "So far,"), ("user", "Well?")))


def test_a_turn_that_began_with_an_opening_is_one_turn_when_it_is_closed(simulate: Simulate) -> None:
    def child() -> a.Policy:
        yield a.Think()
        yield a.Splice(messages=(say("user", "Sure?"),))
        segment: a.Segment = yield a.Think()
        return a.Answer(text=segment.text)

    def policy(problem: Problem) -> a.Policy:
        opened = a.SubPolicy(run=child, base=Base.PROBLEM, opening=("So far,",))
        forked: a.Forked = yield a.Fork(children=(opened,))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=joined.results[0].value)

    _, second = contexts_of(simulate, policy)
    assert second == Context((*ASKED, ("assistant", "So far, It is 7."), ("user", "Sure?")))


def test_what_was_begun_is_not_part_of_the_question() -> None:
    problem = Problem.of(BEGUN, 0)
    assert (problem.question, problem.messages) == ("What is due?", BEGUN[:1])


def test_a_raw_prompt_is_continued_to_the_letter(simulate: Simulate) -> None:
    """No role, no template, no blank is added: this is what a model reads that was trained on completions."""
    prompt = "Moving to Node #0\n"
    first, trunk, later = contexts_of(simulate, thinks_twice, question=prompt, raw=True)
    assert first == trunk == Context((), prompt)
    assert later == Context((), prompt + " It is 7.")
    assert all(context.raw for context in (first, trunk, later))


def test_a_child_inherits_a_raw_prompt_from_its_parent(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        assert problem.raw
        yield a.Think()
        forked: a.Forked = yield a.Fork(children=(a.Thought(base=Base.PARENT, opening=(" So",)),))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=joined.results[0].value)

    _, inherited = contexts_of(simulate, policy, question="1 2 3", raw=True)
    assert inherited == Context((), "1 2 3 It is 7. So")


def test_messages_to_a_raw_prompt_are_paragraphs_of_it(simulate: Simulate) -> None:
    """A policy that speaks in messages works on a completion model, too."""
    said = (say("system", "Be kind."), say("user", "Well?"))
    first, trunk, _ = contexts_of(
        simulate, lambda problem: thinks_twice(problem, *said), question="1 2 3", raw=True
    )
    assert first == trunk == Context((), "Be kind.\n\n1 2 3\n\nWell?\n\n")


def test_messages_of_its_own_make_a_branch_of_a_raw_job_a_conversation(simulate: Simulate) -> None:
    """A judge, for one: isolated from the problem's text, it is asked in a chat."""

    def policy(problem: Problem) -> a.Policy:
        judge = a.Thought(messages=(say("user", "Which is best?"),))
        forked: a.Forked = yield a.Fork(children=(judge,))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=joined.results[0].value)

    assert contexts_of(simulate, policy, raw=True) == [Context((("user", "Which is best?"),))]


def asks(gate: str) -> a.Policy:
    decision: a.Decision = yield a.Approve(gate=gate, subject="this")
    return a.Answer(text=f"{decision.decision} {decision.subject}")


def approved(request: e.ApprovalRequested) -> e.ApprovalDecided:
    return e.ApprovalDecided(approval=request.approval, decision=e.Choice.EDIT, edit="that", by="tester")


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
        fact = e.BudgetExceeded(resource=e.Resource.SECONDS, limit=20, spent=at)
        simulation._at(at, partial(simulation.interpreter.feed, fact))
    simulation.run()
    assert of_kind(simulation, e.BranchReturned)[0].flags == ("aside",)
    assert of_kind(simulation, e.JobFailed)[0].type == "deadline"
    check(simulation)
