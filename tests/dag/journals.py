"""Reading journals in tests."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from anabranch.dag import events as e
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.journal.replay import replay
from anabranch.dag.simulator import Simulation

Kind = TypeVar("Kind", bound=e.Event)


def kinds(simulation: Simulation) -> list[str]:
    return [type(record.event).__name__ for record in simulation.records]


def of_kind(simulation: Simulation, kind: type[Kind]) -> list[Kind]:
    return [record.event for record in simulation.records if isinstance(record.event, kind)]


def answer(simulation: Simulation) -> e.AnswerCommitted:
    [answered] = of_kind(simulation, e.AnswerCommitted)
    return answered


def ended(simulation: Simulation) -> dict[str, str]:
    """Each branch with its terminal event."""
    return {
        record.event.branch: type(record.event).__name__
        for record in simulation.records
        if isinstance(record.event, e.TERMINAL_OF_BRANCH)
    }


def steps_of(records: Sequence[e.Record]) -> list[int]:
    """Lengths of the prefixes that an organizer can leave behind: a fact and what follows from it is one append."""
    lengths: list[int] = []
    expected: list[e.Event] = []
    interpreter = Interpreter()
    for index, record in enumerate(records):
        if not expected:
            expected = list(interpreter.feed(record.event).events)
        assert expected.pop(0) == record.event
        if not expected:
            lengths.append(index + 1)
    return lengths


def check(simulation: Simulation) -> None:
    """What holds for every job that has ended: one terminal event per branch and job, a replay that agrees, from any
    point at which an organizer can be lost."""
    records = simulation.records
    terminal = Counter(r.event.branch for r in records if isinstance(r.event, e.TERMINAL_OF_BRANCH))
    forked = {r.event.child for r in records if isinstance(r.event, e.BranchForked)}
    assert dict(terminal) == dict.fromkeys(["0", *forked], 1)
    assert [isinstance(r.event, e.TERMINAL_OF_JOB) for r in records].index(True) == len(records) - 1
    assert replay(records).over
    for length in steps_of(records):
        replay(records[:length])
