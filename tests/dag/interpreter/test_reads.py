"""Dependencies follow from what is read; a read that can never come is refused in words, and nothing is recorded."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.analysis.graph import EdgeKind, build
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.text import Message, Output, say


def of(branch: str) -> Message:
    return say("user", "Read: ", Output(branch=BranchId(branch)))


def thought(**fields: Any) -> a.Thought:
    return a.Thought(**({"messages": (say("user", "go"),)} | fields))


def silent(*actions: a.Action) -> Callable[[], a.Policy]:
    """A child that asks for this, and returns."""

    def run() -> a.Policy:
        for action in actions:  # noqa: UP028  # what it is sent is dropped
            yield action  # what it is sent is dropped
        return a.Answer(text="done")

    return run


READERS = {
    "a thought's message": lambda read: thought(messages=(of(read),)),
    "a thought's opening": lambda read: thought(opening=("So: ", Output(branch=BranchId(read)))),
    "a sub-policy's message": lambda read: a.SubPolicy(run=silent(a.Think()), messages=(of(read),)),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_child_waits_for_what_it_reads_though_no_after_says_so(
    simulate: Simulate, reader: Callable[[str], a.Child]
) -> None:
    contexts = {}

    def chain(problem: Problem) -> a.Policy:
        yield a.Fork(children=(thought(),))
        second: a.Forked = yield a.Fork(children=(reader("0.1"),))
        joined: a.Joined = yield a.Join(targets=second.branches)
        return a.Answer(text=joined.results[0].value)

    def write(decode: Any) -> str:
        contexts[decode.branch] = decode.context
        return words(10, "seven") if decode.branch == "0.1" else words(5)

    simulation = simulate(chain, write)
    [_, forked] = of_kind(simulation, e.BranchForked)
    assert forked.after == ("0.1",)
    assert "seven" in str(contexts["0.2"])
    assert measure(simulation.records).critical_path_tokens == 15
    check(simulation)


def test_what_is_named_comes_first_and_nothing_twice(simulate: Simulate) -> None:
    def three(problem: Problem) -> a.Policy:
        yield a.Fork(children=(thought(), thought()))
        child = thought(messages=(of("0.1"), of("0.2")), after=(BranchId("0.2"),))
        last: a.Forked = yield a.Fork(children=(child,))
        yield a.Join(targets=last.branches)
        return a.Answer(text="done")

    simulation = simulate(three, {f"0.{i}": "w" for i in (1, 2, 3)})
    assert of_kind(simulation, e.BranchForked)[-1].after == ("0.2", "0.1")


def test_what_the_parent_has_joined_is_no_dependency_of_its_own(simulate: Simulate) -> None:
    """The fork comes after the join; and journals of before this rule replay."""

    def two(problem: Problem) -> a.Policy:
        first: a.Forked = yield a.Fork(children=(thought(),))
        yield a.Join(targets=first.branches)
        second: a.Forked = yield a.Fork(children=(thought(messages=(of("0.1"),)),))
        yield a.Join(targets=second.branches)
        return a.Answer(text="done")

    simulation = simulate(two, {"0.1": words(10), "0.2": words(5)})
    assert of_kind(simulation, e.BranchForked)[-1].after == ()
    assert measure(simulation.records).critical_path_tokens == 15


def test_a_merge_waits_for_what_it_merges_and_for_what_it_reads_besides(simulate: Simulate) -> None:
    def merging(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(thought(), thought()))
        merged: a.Forked = yield a.Merge(merged=forked.branches[:1], child=thought(messages=(of("0.2"),)))
        joined: a.Joined = yield a.Join(targets=merged.branches)
        return a.Answer(text=joined.results[0].value)

    simulation = simulate(merging, {"0.1": words(2), "0.2": words(20), "0.3": words(3)})
    assert of_kind(simulation, e.BranchForked)[-1].after == ("0.1", "0.2")
    assert measure(simulation.records).critical_path_tokens == 23
    check(simulation)


def thinks_with(read: str, *first: a.Action) -> Callable[[Problem], a.Policy]:
    """The trunk thinks with a branch before its eyes that it never joined."""

    def run(problem: Problem) -> a.Policy:
        yield a.Fork(children=(thought(),))
        for action in first:  # noqa: UP028  # what it is sent is dropped
            yield action  # what it is sent is dropped
        yield a.Splice(messages=(of(read),))
        segment: a.Segment = yield a.Think()
        return a.Answer(text=segment.text)

    return run


def test_a_thought_waits_for_the_branch_that_its_messages_read(simulate: Simulate) -> None:
    read = {}

    def write(decode: Any) -> str:
        read[decode.branch] = decode.context.messages[-1][1]
        return words(10, "seven") if decode.branch == "0.1" else words(5)

    simulation = simulate(thinks_with("0.1"), write)
    assert "seven" in read["0"]
    assert measure(simulation.records).critical_path_tokens == 15
    assert ("0.1/1", "0/1", EdgeKind.DEPENDS) in set(build(simulation.records).edges())
    check(simulation)


def test_a_cancelled_branch_is_read_as_far_as_it_came(simulate: Simulate) -> None:
    cancel = a.Cancel(branches=(BranchId("0.1"),), reason="enough")
    simulation = simulate(thinks_with("0.1", cancel), {"0.1": words(10), "0": words(5)})
    assert answer(simulation).text == words(5)
    check(simulation)


def test_a_thought_that_waits_ends_with_its_branch(simulate: Simulate) -> None:
    """A reader that is cancelled while it waits is not started when its input comes."""

    def cancels(problem: Problem) -> a.Policy:
        yield a.Fork(children=(thought(),))
        yield a.Fork(children=(a.SubPolicy(run=silent(a.Splice(messages=(of("0.1"),)), a.Think())),))
        yield a.Cancel(branches=(BranchId("0.2"),), reason="no")
        yield a.Join(targets=(BranchId("0.1"),))
        return a.Answer(text="done")

    simulation = simulate(cancels, {"0.1": words(10)})
    assert measure(simulation.records).total_tokens == 10
    check(simulation)


NESTED = a.SubJob(policy="sequential", messages=(of("0.1"),))
REFUSED: dict[str, tuple[Callable[[Problem], a.Policy], str]] = {
    "a branch that does not exist": (thinks_with("0.7"), "0 reads 0.7, which does not exist"),
    "itself": (thinks_with("0"), "branch 0 reads itself"),
    "a child of a branch that does not exist": (
        thinks_with("0.1", a.Fork(children=(thought(messages=(of("0.9"),)),))),
        "0.2 reads 0.9, which does not exist",
    ),
    "a child that reads itself": (
        thinks_with("0.1", a.Fork(children=(thought(messages=(of("0.2"),)),))),
        "branch 0.2 reads itself",
    ),
    "a sibling of the same fork": (
        thinks_with("0.1", a.Fork(children=(thought(messages=(of("0.3"),)), thought()))),
        "0.2 reads 0.3, which does not exist: a branch reads only what was forked before it",
    ),
    "a branch above": (
        thinks_with("0.1", a.Fork(children=(thought(messages=(of("0"),)),))),
        "0.2 reads 0, which is above it",
    ),
    "a branch above, named in after": (
        thinks_with("0.1", a.Fork(children=(thought(after=(BranchId("0"),)),))),
        "0.2 reads 0, which is above it",
    ),
    "a merge of what does not exist": (
        thinks_with("0.1", a.Merge(merged=(BranchId("0.9"),), child=thought())),
        "0.2 reads 0.9, which does not exist",
    ),
    "a nested job": (thinks_with("0.1", a.Fork(children=(NESTED,))), "must be literal text. Join the branch"),
}


@pytest.mark.parametrize("gated", [False, True], ids=["at once", "before a person is asked"])
@pytest.mark.parametrize(("policy", "told"), REFUSED.values(), ids=REFUSED)
def test_a_read_that_can_never_come_is_refused(
    simulate: Simulate, policy: Callable[[Problem], a.Policy], told: str, gated: bool
) -> None:
    def approve(request: e.ApprovalRequested) -> e.ApprovalDecided:
        assert request.subject == "branch", "only the fork that can be is asked for"
        return e.ApprovalDecided(branch=request.branch, approval=request.approval, decision=e.Choice.APPROVE)

    approvals = ("fork",) if gated else ()
    simulation = simulate(policy, {"0.1": words(5), "0": "w"}, approvals=approvals, decide=approve)
    [failed] = of_kind(simulation, e.JobFailed)
    assert told in failed.detail
    assert len(of_kind(simulation, e.BranchForked)) == 1
    check(simulation)


def circle(problem: Problem) -> a.Policy:
    """0.1 reads 0.2, which starts after 0.1 has ended."""
    reads = a.SubPolicy(run=silent(a.Think(), a.Splice(messages=(of("0.2"),)), a.Think()))
    yield a.Fork(children=(reads,))
    forked: a.Forked = yield a.Fork(children=(thought(messages=(of("0.1"),)),))
    joined: a.Joined = yield a.Join(targets=forked.branches)
    return a.Answer(text=joined.results[0].value)


def circle_through_a_child(problem: Problem) -> a.Policy:
    """0.1 forks a child that reads 0.2, which waits for 0.1: with its parent's end the child would be cancelled."""
    forks = a.SubPolicy(run=silent(a.Think(), a.Fork(children=(thought(messages=(of("0.2"),)),))))
    yield a.Fork(children=(forks,))
    forked: a.Forked = yield a.Fork(children=(thought(messages=(of("0.1"),)),))
    joined: a.Joined = yield a.Join(targets=forked.branches)
    return a.Answer(text=joined.results[0].value)


@pytest.mark.parametrize("policy", [circle, circle_through_a_child])
def test_a_circle_is_refused_where_it_would_close(
    simulate: Simulate, policy: Callable[[Problem], a.Policy]
) -> None:
    simulation = simulate(policy, {"0.1": words(5), "0.2": "so it goes on"})
    [failed] = of_kind(simulation, e.BranchFailed)
    assert (failed.branch, "0.2, which waits for 0.1: neither could ever go on" in failed.detail) == (
        "0.1",
        True,
    )
    assert answer(simulation).text == "so it goes on"
    check(simulation)


@pytest.mark.parametrize(
    ("mode", "cancelled", "goes_on"),
    [(a.Mode.ALL, False, False), (a.Mode.FIRST, False, True), (a.Mode.ALL, True, True)],
    ids=[
        "that joins all of those",
        "that joins the first of those",
        "that joined all of those, and is cancelled",
    ],
)
def test_who_reads_a_branch_that_joins_its_readers_waits_for_itself_only_where_all_are_joined(
    simulate: Simulate, mode: a.Mode, cancelled: bool, goes_on: bool
) -> None:
    def joins() -> a.Policy:
        """One that reads 0.1, and one that reads nothing."""
        forked: a.Forked = yield a.Fork(children=(thought(messages=(of("0.1"),)), thought()))
        yield a.Join(targets=forked.branches, mode=mode)
        return a.Answer(text="joined")

    def policy(problem: Problem) -> a.Policy:
        reads = a.SubPolicy(run=silent(a.Think(), a.Splice(messages=(of("0.2"),)), a.Think()))
        forked: a.Forked = yield a.Fork(children=(reads, a.SubPolicy(run=joins), thought()))
        yield a.Join(targets=forked.branches[2:])
        if cancelled:
            yield a.Cancel(branches=forked.branches[1:2], reason="enough")
        joined: a.Joined = yield a.Join(targets=forked.branches[:1])
        return a.Answer(text=joined.results[0].cause or joined.results[0].value)

    texts = {"0.1": [words(9), "w"], "0.2.1": "w", "0.2.2": words(20), "0.3": words(3)}
    simulation = simulate(policy, texts)
    refusal = "0.1 reads 0.2, which waits for 0.1: neither could ever go on"
    text = answer(simulation).text
    assert (text == "done") is goes_on
    assert (refusal in text) is not goes_on
    check(simulation)


def test_a_join_of_what_waits_for_the_joiner_is_refused(simulate: Simulate) -> None:
    def joins() -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(thought(messages=(of("0.1"),)),))
        yield a.Think()
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    def policy(problem: Problem) -> a.Policy:
        reads = a.SubPolicy(run=silent(a.Think(), a.Splice(messages=(of("0.2"),)), a.Think()))
        yield a.Fork(children=(reads,))
        forked: a.Forked = yield a.Fork(children=(a.SubPolicy(run=joins),))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=joined.results[0].cause)

    simulation = simulate(policy, {"0.1": words(5), "0.2": words(9), "0.2.1": "w"})
    assert "0.2 joins 0.2.1, which waits for 0.2: neither could ever go on" in answer(simulation).text
    check(simulation)
