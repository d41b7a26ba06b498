"""Thoughts: whose they are, who reads them, and how a decode goes on from one."""

from typing import Any

import pytest
from tests.dag.conftest import Simulate
from tests.dag.policies.test_every_policy import retrieve

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag import policy as entries
from anabranch.dag.commands import Command, Decode
from anabranch.dag.decoding import Decoded, Decoding, Finish, Thinking, Usage
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import JobSpec, Problem, Sampling
from anabranch.dag.policy import PolicyInfo, catalogue
from anabranch.dag.text import Output, say

TRAINED = {name for name, info in catalogue().items() if info.raw_thoughts}
PUBLISHED = {"async-think", "thread-weaver", "multiverse", "apr", "para-thinker", "npr", "parallel-r1"}
UNTRAINED = {
    "sequential",
    "self-consistency",
    "best-of-n",
    "plan",
    "tree-of-thoughts",
    "deep-conf",
    "dynasor",
    "auto",
}
TAGS = {"assist": "none"}
"""The model was trained for the policy's tags: nobody helps it."""


def test_only_trained_protocols_read_what_is_thought() -> None:
    assert PUBLISHED <= TRAINED
    assert not UNTRAINED & TRAINED


@pytest.mark.parametrize(
    ("name", "params", "reads"),
    [(name, {}, False) for name in sorted(catalogue())] + [(name, TAGS, True) for name in sorted(TRAINED)],
)
def test_each_decode_is_asked_for_as_its_policy_reads(
    name: str, params: dict[str, Any], reads: bool, simulate: Simulate
) -> None:
    asked: list[Decode] = []

    def write(decode: Decode) -> str:
        asked.append(decode)
        return "It is 7."

    simulate(name, write, params=params, tool=retrieve)
    assert {decode.decoding.raw_thoughts for decode in asked} == {reads}


def test_a_nested_policy_reads_as_it_does_itself(simulate: Simulate) -> None:
    def nests(problem: Problem) -> a.Policy:
        job = a.SubJob(policy="para-thinker", messages=(say("user", "?"),), params=TAGS)
        forked: a.Forked = yield a.Fork(children=(job, a.Thought(messages=(say("user", "?"),))))
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    raw: dict[str, bool] = {}

    def write(decode: Decode) -> str:
        raw[decode.branch] = decode.decoding.raw_thoughts
        return "It is 7."

    simulate(nests, write)
    assert raw["0.1.1"]
    assert not raw["0.2"]


def begun(sampling: Sampling) -> Interpreter:
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "count"),), policy="sequential", sampling=sampling)
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
    interpreter.feed(e.JobClaimed(owner="first", attempt=1))
    return interpreter


def only(commands: tuple[Command, ...]) -> Decode:
    (decode,) = commands
    assert isinstance(decode, Decode)
    return decode


def test_a_thought_that_was_interrupted_goes_on_and_no_budget_of_it_begins_anew() -> None:
    interpreter = begun(Sampling(max_tokens=None, thinking=Thinking.ON, thinking_tokens=10))
    spent = Usage(completion_tokens=4, reasoning_tokens=4)
    lost = Decoded(text="", thought="one two", finish=Finish.INTERRUPTED, usage=spent)
    again = only(interpreter.feed(e.SegmentFinished(segment=1, attempt=1, decoded=lost)).commands)
    assert (again.context.thought, again.context.continuation) == ("one two", "")
    assert (again.decoding.thinking, again.decoding.thinking_tokens) == (Thinking.ON, 6)

    wrote = Decoded(text="sev", thought=" three", finish=Finish.INTERRUPTED, usage=spent)
    last = only(interpreter.feed(e.SegmentFinished(segment=2, attempt=1, decoded=wrote)).commands)
    assert (last.context.thought, last.context.continuation) == ("one two three", "sev")

    rest = Decoded(text="en", finish=Finish.EOS, usage=Usage(completion_tokens=1))
    step = interpreter.feed(e.SegmentFinished(segment=3, attempt=1, decoded=rest))
    (given,) = [event for event in step.events if isinstance(event, e.AnswerCommitted)]
    assert given.text == "seven"
    assert interpreter.state.usage == Usage(completion_tokens=9, reasoning_tokens=8)


def test_what_other_branches_read_holds_no_thoughts(monkeypatch: pytest.MonkeyPatch) -> None:
    def reads(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(messages=(say("user", "?"),)),))
        (child,) = forked.branches
        yield a.Splice(messages=(say("user", "Read: ", Output(branch=child)),))
        segment: a.Segment = yield a.Think(Decoding())
        return a.Answer(text=segment.text)

    info = PolicyInfo(name="reads", title="", paper="", use_when="", function=reads)
    monkeypatch.setitem(entries._CATALOGUE, "reads", info)
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "q"),), policy="reads")
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="0"))
    child = only(interpreter.feed(e.JobClaimed(owner="o", attempt=1)).commands)
    decoded = Decoded(text="four", thought="two and two", finish=Finish.EOS)
    fact = e.SegmentFinished(branch=child.branch, segment=1, attempt=1, decoded=decoded)
    trunk = only(interpreter.feed(fact).commands)
    assert "Read: four" in str(trunk.context.messages)
    assert "two and two" not in str(trunk.context)
