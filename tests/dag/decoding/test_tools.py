"""Tools in virtual time: a branch that runs a function of the operator's instead of decoding."""

import pytest
from tests.dag.conftest import Simulate
from tests.dag.journals import answer, check, ended, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.commands import RunTool
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Problem
from anabranch.dag.limits import Limits


def adds(problem: Problem) -> a.Policy:
    """Answers what the tool gives, or why it gives nothing."""
    forked: a.Forked = yield a.Fork(children=(a.ToolCall(tool="add", arguments={"a": 3, "b": 4}),))
    joined: a.Joined = yield a.Join(targets=forked.branches)
    [result] = joined.results
    return a.Answer(text=result.value if result.ok else result.cause, sources=forked.branches)


def add(call: RunTool) -> str:
    assert call.tool == "add"
    return str(sum(call.arguments.values()))


def test_a_tool_is_called_with_its_arguments_and_its_text_is_the_branchs_value(simulate: Simulate) -> None:
    """It costs no token and no virtual time, and the journal names the tool."""
    simulation = simulate(adds, {}, tool=add)
    assert answer(simulation).text == "7"
    [finished] = of_kind(simulation, e.SegmentFinished)
    assert (finished.decoded.engine, finished.decoded.usage.completion_tokens) == ("tool:add", 0)
    assert simulation.now == 0
    check(simulation)
    assert simulate(adds, {}, tool=add).records == simulation.records


@pytest.mark.parametrize(("retryable", "calls"), [(True, 3), (False, 1)])
def test_a_tool_that_fails_is_a_value_after_its_retries(
    simulate: Simulate, retryable: bool, calls: int
) -> None:
    fault = Fault(cause="tool-error", detail="no such sum", retryable=retryable)
    simulation = simulate(adds, {}, tool=lambda call: fault, limits=Limits(attempts=3))
    assert answer(simulation).text.startswith("tool-error")
    assert len(of_kind(simulation, e.SegmentFinished)) == calls
    check(simulation)


def test_a_tool_that_is_cancelled_while_it_runs_ends_once(simulate: Simulate) -> None:
    """Both tools run; the first to end cancels the other, whose result comes all the same and is nobody's value."""

    def hasty(problem: Problem) -> a.Policy:
        calls = tuple(a.ToolCall(tool="add", arguments={"a": each, "b": 0}) for each in (3, 4))
        forked: a.Forked = yield a.Fork(children=calls)
        joined: a.Joined = yield a.Join(targets=forked.branches, mode=a.Mode.FIRST)
        yield a.Cancel(branches=joined.pending, reason="one is enough")
        segment: a.Segment = yield a.Think()
        return a.Answer(text=f"{joined.results[0].value} {segment.text}", sources=forked.branches[:1])

    simulation = simulate(hasty, {"0": "it is"}, tool=add)
    assert answer(simulation).text == "3 it is"
    assert ended(simulation) == {"0": "BranchReturned", "0.1": "BranchReturned", "0.2": "BranchCancelled"}
    check(simulation)


def test_a_simulation_without_tools_says_so(simulate: Simulate) -> None:
    """As a service says whose operator has registered none."""
    simulation = simulate(adds, {})
    assert answer(simulation).text == "unknown-tool: this simulation has no tools"
    check(simulation)
