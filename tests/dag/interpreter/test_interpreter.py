"""The interpreter, told with small policies: what blocks whom, who is cancelled, what a failure costs."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, kinds, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.analysis.graph import EdgeKind, build
from anabranch.dag.analysis.metrics import longest_path, measure
from anabranch.dag.decoding import Decoded, Decoding, Fault, Finish, Usage
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import Budget, JobSpec, Problem
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits
from anabranch.dag.policy import _CATALOGUE, PolicyInfo
from anabranch.dag.simulator import Simulation
from anabranch.dag.state import JobState, apply
from anabranch.dag.status import JobStatus
from anabranch.dag.text import Base, Output, say


def ask(text: str, **rest: Any) -> a.Thought:
    return a.Thought(messages=(say("user", text),), label=text, **rest)


def test_a_dependent_starts_when_its_inputs_are_there_and_not_at_a_barrier(simulate: Simulate) -> None:
    """0.3 needs 0.1 alone: it starts while 0.2 still decodes (no superstep, unlike LangGraph #4673)."""

    def diamond(problem: Problem) -> a.Policy:
        first: a.Forked = yield a.Fork(children=(ask("short"), ask("long")))
        short, long = first.branches
        second: a.Forked = yield a.Fork(
            children=(a.Thought(messages=(say("user", "use ", Output(branch=short)),), after=(short,)),)
        )
        joined: a.Joined = yield a.Join(targets=(*second.branches, long))
        return a.Answer(text=joined.results[0].value)

    seen: list[str] = []

    def write(decode: Any) -> str:
        if decode.branch == "0.3":
            seen.append(decode.context.messages[-1][1])
        return {"0.1": words(10, "ten"), "0.2": words(100), "0.3": words(20, "done")}[decode.branch]

    simulation = simulate(diamond, write)
    assert seen == ["use " + words(10, "ten")]
    started = {
        r.event.branch: r.at.timestamp() for r in simulation.records if isinstance(r.event, e.SegmentStarted)
    }
    assert started[BranchId("0.3")] - started[BranchId("0.1")] == 10
    assert measure(simulation.records).critical_path_tokens == 100
    assert longest_path(build(simulation.records))[0] == 100
    assert ("0.1/1", "0.3/1", EdgeKind.DEPENDS) in set(build(simulation.records).edges())
    check(simulation)


def test_cancelling_a_branch_cascades_and_keeps_its_text(simulate: Simulate) -> None:
    def nest(problem: Problem) -> a.Policy:
        def inner() -> a.Policy:
            forked: a.Forked = yield a.Fork(children=(ask("x"), ask("y")))
            joined: a.Joined = yield a.Join(targets=forked.branches)
            return a.Answer(text=joined.results[0].value)

        forked: a.Forked = yield a.Fork(children=(a.SubPolicy(run=inner), ask("quick")))
        slow, quick = forked.branches
        yield a.Join(targets=(quick,))
        yield a.Cancel(branches=(slow,), reason="enough")
        joined: a.Joined = yield a.Join(targets=(slow,))
        return a.Answer(text=f"{joined.results[0].ended}: {joined.results[0].cause}")

    script = {"0.1.1": words(50), "0.1.2": words(60), "0.2": words(5)}
    simulation = simulate(nest, script)
    assert answer(simulation).text == "cancelled: enough"
    assert [ended(simulation)[branch] for branch in ("0.1", "0.1.1", "0.1.2")] == ["BranchCancelled"] * 3
    aborted = [f for f in of_kind(simulation, e.SegmentFinished) if f.decoded.finish is Finish.ABORT]
    assert [(f.branch, f.decoded.usage.completion_tokens) for f in aborted] == [("0.1.1", 5), ("0.1.2", 5)]
    check(simulation)


def test_a_branch_is_retried_with_its_seed_and_then_becomes_a_value(simulate: Simulate) -> None:
    def one(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(ask("x"), ask("y")))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=" / ".join(result.value or result.cause for result in joined.results))

    broken = Fault(cause="engine-error", detail="boom")
    script = {"0.1": [broken, "well"], "0.2": [broken, broken, broken, broken]}
    simulation = simulate(one, script, limits=Limits(attempts=3, backoff=1.0))
    assert answer(simulation).text == "well / engine-error: boom"
    seeds = {event.seed for event in of_kind(simulation, e.SegmentStarted) if event.branch == "0.1"}
    assert len(seeds) == 1
    retried = [(event.branch, event.attempt, event.delay) for event in of_kind(simulation, e.BranchRetried)]
    assert retried == [("0.1", 2, 1.0), ("0.2", 2, 1.0), ("0.2", 3, 2.0)]
    check(simulation)


def test_a_try_waits_as_long_as_it_is_told_and_is_not_counted(simulate: Simulate) -> None:
    busy = Fault(cause="engine-error", detail="slow down", retry_after=6.0)
    simulation = simulate("sequential", {"0": [*[busy] * 20, "well"]}, limits=Limits(attempts=3, backoff=1.0))
    assert answer(simulation).text == "well"
    delays = [event.delay for event in of_kind(simulation, e.BranchRetried)]
    assert delays == [6.0, 6.0, 6.0, 8.0, *[10.0] * 16]  # the backoff still grows beyond a short wait
    check(simulation)


def test_who_is_told_to_wait_again_and_again_gives_up_in_the_end(simulate: Simulate) -> None:
    busy = Fault(cause="overloaded", detail="slow down", retry_after=60.0)
    simulation = simulate("sequential", {"0": [busy] * 100}, limits=Limits(attempts=3))
    [failed] = of_kind(simulation, e.JobFailed)
    assert (failed.type, failed.detail) == ("overloaded", "slow down")
    excused, counted = 10, 4 * 3
    assert len(of_kind(simulation, e.BranchRetried)) == excused + counted - 1
    check(simulation)


def test_waits_that_were_told_leave_the_tries_for_other_faults(simulate: Simulate) -> None:
    busy, broken = Fault(cause="overloaded", retry_after=6.0), Fault(cause="engine-error")
    simulation = simulate(
        "sequential", {"0": [*[busy] * 5, broken, broken, "well"]}, limits=Limits(attempts=3)
    )
    assert answer(simulation).text == "well"
    check(simulation)


def test_what_can_not_help_is_not_retried(simulate: Simulate) -> None:
    refused = Fault(cause="prompt-too-long", detail="9000 of 8192", retryable=False)
    simulation = simulate("sequential", {"0": [refused]})
    [failed] = of_kind(simulation, e.JobFailed)
    assert (failed.type, failed.detail) == ("prompt-too-long", "9000 of 8192")
    assert "BranchRetried" not in kinds(simulation)


def test_a_policy_that_raises_fails_its_branch_and_nothing_else(simulate: Simulate) -> None:
    def clumsy() -> a.Policy:
        yield a.Think()
        raise ZeroDivisionError("by nought")

    def careful(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.SubPolicy(run=clumsy), ask("x")))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=joined.results[1].value, flags=(joined.results[0].cause,))

    simulation = simulate(careful, {"0.1": "w", "0.2": "fine"})
    assert answer(simulation).text == "fine"
    assert ended(simulation)["0.1"] == "BranchFailed"
    check(simulation)


def test_tokens_are_reserved_before_and_settled_after(simulate: Simulate) -> None:
    """A third child waits until the first two have given back what they did not use; nobody overdraws."""

    def three(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(
            children=tuple(ask(str(i), decoding=Decoding(max_tokens=40)) for i in range(3))
        )
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=str(sum(result.tokens for result in joined.results)))

    simulation = simulate(three, {f"0.{i}": words(30) for i in (1, 2, 3)}, budget=Budget(tokens=80))
    limits = {event.branch: event.max_tokens for event in of_kind(simulation, e.SegmentStarted)}
    assert limits == {"0.1": 40, "0.2": 40, "0.3": 10}
    assert measure(simulation.records).total_tokens == 70
    check(simulation)


def test_when_the_tokens_are_spent_the_policy_must_answer_from_what_there_is(simulate: Simulate) -> None:
    script = {f"0.{i}": words(30, r"\boxed{7}") for i in range(1, 9)}
    simulation = simulate(
        "self-consistency", script, params={"n": 8}, budget=Budget(tokens=60), max_tokens=30
    )
    assert [event.resource for event in of_kind(simulation, e.BudgetExceeded)] == ["tokens"]
    assert answer(simulation).text == "7"
    assert measure(simulation.records).total_tokens == 60
    check(simulation)


@pytest.mark.parametrize(
    ("budget", "made", "reason"),
    [(Budget(branches=2), 2, "budget:branches"), (Budget(depth=0), 0, "budget:depth")],
)
def test_forks_beyond_the_budget_are_rejected_with_the_reason(
    simulate: Simulate, budget: Budget, made: int, reason: str
) -> None:
    def wide(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(ask("x"),) * 3)
        yield a.Join(targets=forked.branches)
        return a.Answer(text=f"{len(forked.branches)} {forked.rejected}")

    simulation = simulate(wide, {"0.1": "w", "0.2": "w"}, budget=budget)
    assert answer(simulation).text == f"{made} {reason}"
    assert [event.reason for event in of_kind(simulation, e.ForkRejected)] == [reason]


def test_width_bounds_what_is_decoded_at_once(simulate: Simulate) -> None:
    script = {f"0.{i}": words(10, "7") for i in range(1, 8)}
    simulation = simulate("self-consistency", script, params={"n": 7, "stop": "all"}, limits=Limits(width=2))
    assert measure(simulation.records).wall_seconds == 40  # four rounds of ten
    check(simulation)


def test_a_fork_with_places_lets_the_next_child_in_when_one_ends(simulate: Simulate) -> None:
    def queue(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(ask("x"),) * 4, capacity=2, overflow=a.Overflow.QUEUE)
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    simulation = simulate(queue, {f"0.{i}": words(10) for i in (1, 2, 3, 4)})
    assert measure(simulation.records).wall_seconds == 20
    check(simulation)


def test_a_deadline_join_takes_what_has_arrived(simulate: Simulate) -> None:
    def hurry(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(ask("quick"), ask("slow")))
        joined: a.Joined = yield a.Join(targets=forked.branches, mode=a.Mode.DEADLINE, seconds=20)
        return a.Answer(text=joined.results[0].value, sources=joined.pending)

    simulation = simulate(hurry, {"0.1": words(10, "ten"), "0.2": words(500)})
    assert answer(simulation).sources == ("0.2",)
    assert measure(simulation.records).wall_seconds == 20
    check(simulation)


def test_a_client_cancels_the_job_and_the_last_tokens_are_counted(simulate: Simulate) -> None:
    script = {f"0.{i}": words(100) for i in (1, 2)}
    simulation = simulate("self-consistency", script, params={"n": 2}, cancel_at=7)
    assert kinds(simulation)[-1] == "JobCancelled"
    assert measure(simulation.records).total_tokens == 14
    check(simulation)


def test_gates_park_the_job_until_a_person_decides(simulate: Simulate) -> None:
    def decide(request: e.ApprovalRequested) -> e.ApprovalDecided:
        if request.gate == "fork":
            assert request.subject == "a\nb"
            return e.ApprovalDecided(
                branch=request.branch,
                approval=request.approval,
                decision=e.Choice.EDIT,
                edit="a\nbetter",
                by="ada",
            )
        return e.ApprovalDecided(
            branch=request.branch, approval=request.approval, decision=e.Choice.APPROVE, by="ada"
        )

    def two(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(ask("a"), ask("b")))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=joined.results[1].value)

    def write(decode: Any) -> str:
        return str(decode.context.messages[-1][1]).upper()

    simulation = simulate(two, write, approvals=("fork", "answer"), decide=decide)
    assert answer(simulation).text == "BETTER"
    check(simulation)


def test_what_a_branch_asked_is_withdrawn_when_it_is_cancelled(simulate: Simulate) -> None:
    """The job waits for nobody's word on a branch that has ended, and a decision about it comes too late."""

    def asks(problem: Problem) -> a.Policy:
        yield a.Approve(gate="a gate of its own", subject="go on?")
        return a.Answer(text="never")

    def parent(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(ask("quick"), a.SubPolicy(run=lambda: asks(problem))))
        yield a.Join(targets=forked.branches[:1])
        yield a.Prune(branches=forked.branches[1:], rule="late")
        yield a.Think()
        return a.Answer(text="done")

    simulation = simulate(parent, {"0": words(3), "0.1": words(3)})
    [cancelled] = of_kind(simulation, e.BranchCancelled)
    assert (cancelled.branch, cancelled.withdrawn) == ("0.2", (1,))
    check(simulation)
    state, statuses = JobState(), dict[str, JobStatus]()
    for record in simulation.records:
        statuses[type(record.event).__name__] = apply(state, record.event).status
    assert (statuses["ApprovalRequested"], statuses["BranchCancelled"]) == ("waiting", "running")
    *_, thinks = [i for i, each in enumerate(simulation.records) if isinstance(each.event, e.SegmentStarted)]
    late = e.ApprovalDecided(branch=BranchId("0.2"), approval=1, decision=e.Choice.APPROVE)
    assert replay(simulation.records[: thinks + 1]).feed(late).events == ()


def test_a_journal_that_does_not_tell_what_was_withdrawn_replays(simulate: Simulate) -> None:
    """As earlier releases wrote it."""

    def asks(problem: Problem) -> a.Policy:
        yield a.Approve(gate="a gate of its own", subject="go on?")
        return a.Answer(text="never")

    def parent(problem: Problem) -> a.Policy:
        yield a.Fork(children=(a.SubPolicy(run=lambda: asks(problem)),))
        yield a.Think()
        return a.Answer(text="done")

    records = simulate(parent, {"0": "thought"}).records
    older = [
        replace(each, event=replace(each.event, withdrawn=()))
        if isinstance(each.event, e.TERMINAL_OF_BRANCH)
        else each
        for each in records
    ]
    assert older[-1] == records[-1]
    assert replay(older).over


def test_a_rejected_answer_fails_the_job(simulate: Simulate) -> None:
    def decide(request: e.ApprovalRequested) -> e.ApprovalDecided:
        return e.ApprovalDecided(
            branch=TRUNK, approval=request.approval, decision=e.Choice.REJECT, reason="wrong"
        )

    simulation = simulate("sequential", {"0": "7"}, approvals=("answer",), decide=decide)
    assert of_kind(simulation, e.JobFailed)[0].type == "rejected"
    check(simulation)


def test_an_interrupted_segment_goes_on_from_its_checkpoint() -> None:
    """An organizer is lost after 'one two'; its successor continues, and the policy sees one segment."""
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "count"),), policy="sequential")
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
    interpreter.feed(e.JobClaimed(owner="first", attempt=1))
    lost = Decoded(text="one two", finish=Finish.INTERRUPTED, usage=Usage(completion_tokens=2))
    step = interpreter.feed(e.SegmentFinished(segment=1, attempt=1, decoded=lost))
    [decode] = step.commands
    assert decode.context.continuation == "one two"  # type: ignore[union-attr]
    assert (decode.segment, decode.decoding.max_tokens) == (2, 510)  # type: ignore[union-attr]
    rest = Decoded(text=" three", finish=Finish.EOS, usage=Usage(completion_tokens=1))
    step = interpreter.feed(e.SegmentFinished(segment=2, attempt=1, decoded=rest))
    assert any(
        isinstance(event, e.AnswerCommitted) and event.text == "one two three" for event in step.events
    )


def test_a_result_of_an_older_attempt_is_ignored() -> None:
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "count"),), policy="sequential")
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
    interpreter.feed(e.JobClaimed(owner="first", attempt=1))
    error = Decoded(text="", finish=Finish.ERROR, fault=Fault(cause="replica-died"))
    interpreter.feed(e.SegmentFinished(segment=1, attempt=1, decoded=error))
    late = Decoded(text="late", finish=Finish.EOS)
    assert interpreter.feed(e.SegmentFinished(segment=1, attempt=1, decoded=late)).events == ()


def tree(problem: Problem, *, shape: tuple[tuple[int, str], ...]) -> a.Policy:
    """Forks as the shape says, joins in every mode, cancels what is left."""
    for width, mode in shape:
        forked: a.Forked = yield a.Fork(children=(a.Thought(base=Base.PROBLEM),) * width)
        joined: a.Joined = yield a.Join(targets=forked.branches, mode=a.Mode(mode), count=1)
        if width % 2:
            yield a.Cancel(branches=joined.pending, reason="odd")
    return a.Answer(text="done")


@settings(max_examples=150, deadline=None)
@given(
    shape=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["all", "first", "first-k"])), min_size=1, max_size=4
    ),
    lengths=st.lists(st.integers(0, 30), min_size=16, max_size=16),
    faults=st.sets(st.integers(0, 15), max_size=5),
    width=st.integers(1, 6),
    cancel_at=st.none() | st.integers(0, 60),
)
def test_any_order_of_outcomes_keeps_the_invariants(
    shape: list[tuple[int, str]], lengths: list[int], faults: set[int], width: int, cancel_at: int | None
) -> None:
    """Exactly one terminal event per branch and job, and a replay that agrees, from every prefix."""
    _CATALOGUE["tree"] = PolicyInfo(name="tree", title="", paper="", use_when="", function=tree)
    try:

        def write(decode: Any) -> str | Fault:
            number = (int(decode.branch.split(".")[1]) * 7 + decode.attempt) % 16
            return Fault(cause="engine-error") if number in faults else words(lengths[number])

        spec = JobSpec(messages=(say("user", "q"),), policy="tree", params={"shape": tuple(shape)})
        simulation = Simulation(spec, write, Limits(width=width, backoff=0.5), cancel_at=cancel_at)
        simulation.run()
        check(simulation)
    finally:
        del _CATALOGUE["tree"]
