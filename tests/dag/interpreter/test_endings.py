"""What stands when a job has to end, and who goes on when a branch has ended."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag import policy as catalogue
from anabranch.dag.decoding import Decoded, Decoding, Finish, Usage
from anabranch.dag.errors import NoAnswer
from anabranch.dag.grammars import GRAMMARS
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import Budget, JobSpec, Problem, Sampling
from anabranch.dag.limits import Limits
from anabranch.dag.policy import PolicyInfo
from anabranch.dag.text import Output, say


@pytest.mark.parametrize(
    ("known", "left"),
    [(True, "1 < 2 <Parallel> and 7"), (False, "1 < 2  and 7")],
    ids=["its own marks", "all, where it is gone"],
)
def test_last_words_are_without_marks(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch, known: bool, left: str
) -> None:
    """Another grammar's mark is text to this reader, as long as it is known which are its own."""

    def policy(problem: Problem) -> a.Policy:
        yield a.Think(decoding=Decoding(grammar="async-think"))
        if not known:
            monkeypatch.delitem(GRAMMARS, "async-think")
        yield a.Think()
        raise NoAnswer("nothing fits")

    text = "1 < 2 <Parallel> and 7"
    simulation = simulate(policy, {"0": [text, "more"]}, budget=Budget(tokens=6))
    assert (answer(simulation).text, answer(simulation).forced) == (left, True)


@pytest.mark.parametrize(("stands", "text"), [(True, "'a b'"), (False, "''")])
def test_what_was_interrupted_when_nothing_is_left_stands_as_the_operator_says(
    monkeypatch: pytest.MonkeyPatch, stands: bool, text: str
) -> None:
    def policy(problem: Problem) -> a.Policy:
        segment: a.Segment = yield a.Think()
        return a.Answer(text=repr(segment.text))

    info = PolicyInfo(name="under-test", title="", paper="", use_when="", function=policy)
    monkeypatch.setitem(catalogue._CATALOGUE, "under-test", info)
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "q"),), policy="under-test", budget=Budget(tokens=2))
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v", limits=Limits(final_thoughts=stands)))
    interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    lost = Decoded(text="a b", finish=Finish.INTERRUPTED, usage=Usage(completion_tokens=2))
    step = interpreter.feed(e.SegmentFinished(segment=1, attempt=1, decoded=lost))
    assert [event.text for event in step.events if isinstance(event, e.AnswerCommitted)] == [text]


def test_who_waited_for_what_it_reads_takes_a_place_beside_its_own_siblings(simulate: Simulate) -> None:
    """Of two that read a third, below a branch that lets one work at a time, the second waits for the first."""

    def below() -> a.Policy:
        first: a.Forked = yield a.Fork(children=(a.Thought(),), capacity=1)
        readers = (a.Thought(after=first.branches), a.Thought(after=first.branches))
        forked: a.Forked = yield a.Fork(children=readers, capacity=1, overflow=a.Overflow.QUEUE)
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=" ".join(result.value for result in joined.results))

    def policy(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.SubPolicy(run=below),))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=joined.results[0].value)

    simulation = simulate(policy, {"0.1.1": words(2), "0.1.2": words(3), "0.1.3": words(4)})
    begin = simulation.records[0].at
    started = [
        (record.event.branch, (record.at - begin).total_seconds())
        for record in simulation.records
        if isinstance(record.event, e.SegmentStarted)
    ]
    assert started == [("0.1.1", 0), ("0.1.2", 2), ("0.1.3", 5)]
    check(simulation)


@pytest.mark.parametrize("spent", ["tokens", "cost"])
def test_the_budget_that_is_spent_is_named_though_the_other_has_little_left(spent: str) -> None:
    """One token is left of one budget, and nothing of the other."""
    budget = Budget(tokens=10 if spent == "tokens" else 11, cost=0.1 if spent == "cost" else 0.11)
    interpreter = Interpreter()
    spec = JobSpec(
        messages=(say("user", "q"),), policy="sequential", budget=budget, sampling=Sampling(max_tokens=20)
    )
    limits = Limits(completion_price=0.01)
    events = list(interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v", limits=limits)).events)
    interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    lost = Decoded(text="a", finish=Finish.INTERRUPTED, usage=Usage(completion_tokens=10))
    events += interpreter.feed(e.SegmentFinished(segment=1, attempt=1, decoded=limits.priced(lost))).events
    assert [event.resource for event in events if isinstance(event, e.BudgetExceeded)] == [spent]


def test_a_job_whose_time_was_up_before_anybody_claimed_it_ends_when_somebody_does() -> None:
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "q"),), policy="self-consistency", params={"n": 2})
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
    over = e.BudgetExceeded(resource=e.Resource.SECONDS, limit=20, spent=20)
    assert interpreter.feed(over).events == (over,)
    step = interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    assert step.commands == ()
    assert isinstance(step.events[-1], e.JobFailed)


def test_a_gate_tells_what_waits_at_it() -> None:
    interpreter = Interpreter()
    spec = JobSpec(
        messages=(say("user", "q"),), policy="self-consistency", params={"n": 2}, approvals=("fork",)
    )
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
    [asked] = [
        event
        for event in interpreter.feed(e.JobClaimed(owner="o", attempt=1)).events
        if isinstance(event, e.ApprovalRequested)
    ]
    waiting = interpreter.parked_at(asked.approval)
    assert waiting is not None
    assert isinstance(waiting.action, a.Fork)
    assert [interpreter.parked_at(number) for number in (0, 2)] == [None, None]


def test_a_nested_job_that_reads_outputs_names_the_first_of_them(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(), a.Thought()))
        read = tuple(Output(branch=branch) for branch in forked.branches)
        yield a.Fork(children=(a.SubJob(policy="sequential", messages=(say("user", *read),)),))
        raise AssertionError("the job has failed")

    [failed] = of_kind(simulate(policy, {"0.1": "x", "0.2": "y"}), e.JobFailed)
    assert failed.detail.startswith("a nested sequential job reads 0.1: its policy looks at its messages")
