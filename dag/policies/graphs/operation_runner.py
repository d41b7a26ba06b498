"""Operations at work: what each of them forks, and which thoughts it gives. See `operations.py` for what they mean."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.graphs.operations import Operation
from anabranch.dag.policies.parts.judge import JUDGE, PROPOSED, judge, record_mark
from anabranch.dag.text import Base, Output, say

IMPROVE = "Improve this draft: correct its mistakes and fill its gaps. Reply with the improved answer alone."
AGGREGATE = (
    "Combine these drafts into one answer that keeps what is right in each. Reply with this answer alone."
)


@dataclass(slots=True)
class GraphRun:
    """How far the graph has come."""

    given: dict[str, tuple[BranchId, ...]] = field(default_factory=dict)
    """The thoughts that an operation gives: known as soon as they are forked."""
    values: dict[BranchId, str] = field(default_factory=dict)
    scores: dict[BranchId, float] = field(default_factory=dict)
    source: dict[BranchId, BranchId] = field(default_factory=dict)
    """The one thought that a branch reads."""
    judges: set[BranchId] = field(default_factory=set)
    pending: tuple[BranchId, ...] = ()

    def inputs(self, operation: Operation) -> tuple[BranchId, ...]:
        return tuple(dict.fromkeys(branch for name in operation.after for branch in self.given[name]))

    def ready(self, operation: Operation) -> bool:
        """Whether its inputs are known and, for an operation that looks at results, have ended and been judged."""
        if not all(name in self.given for name in operation.after):
            return False
        inputs = self.inputs(operation) if operation.reads_results else ()
        return not any(each in inputs or self.source.get(each) in inputs for each in self.pending)


def take_result(result: a.Result, work: GraphRun) -> Generator[a.Action, Any, None]:
    """A branch has ended. What would read a thought that failed need not begin."""
    if result.branch in work.judges:
        work.scores |= yield from record_mark(result, work.source[result.branch])
    elif result.ok:
        work.values[result.branch] = result.value
    else:
        idle = tuple(reader for reader in work.pending if work.source.get(reader) == result.branch)
        yield a.Cancel(branches=idle, reason="there is nothing to read")


def begin(
    operation: Operation, work: GraphRun, temperature: float
) -> Generator[a.Action, Any, tuple[BranchId, ...]]:
    """Begin an operation; the thoughts that it gives."""
    inputs = work.inputs(operation)
    match operation.op:
        case "generate" | "improve":
            origins = inputs if operation.after else (None,)
            reading = [each for each in origins for _ in range(operation.count)]
            children = tuple(_thought(operation, (each,) if each else (), temperature) for each in reading)
            return (yield from _fork(work, children, reading))
        case "aggregate":
            return (yield from _merge(work, operation, inputs, temperature))
        case "score" if operation.verifier:
            check = a.Verifier(kind=operation.verifier, spec=operation.spec)
            targets = tuple(each for each in inputs if each in work.values)
            scored: a.Scored = yield a.Score(targets=targets, verifier=check)
            work.scores |= scored.scores
            return inputs
        case "score":
            prompt = operation.prompt or JUDGE
            children = tuple(judge(PROPOSED, Output(branch=each), prompt=prompt) for each in inputs)
            work.judges.update((yield from _fork(work, children, inputs)))
            return inputs
        case _:
            return (yield from _keep(work, operation, inputs))


def _fork(
    work: GraphRun, children: tuple[a.Thought, ...], reading: Sequence[BranchId | None]
) -> Generator[a.Action, Any, tuple[BranchId, ...]]:
    forked: a.Forked = yield a.Fork(children=children)
    pairs = zip(forked.ids, reading, strict=False)
    work.source |= {child: each for child, each in pairs if child is not None and each is not None}
    work.pending += forked.branches
    return forked.branches


def _merge(
    work: GraphRun, operation: Operation, inputs: tuple[BranchId, ...], temperature: float
) -> Generator[a.Action, Any, tuple[BranchId, ...]]:
    made: tuple[BranchId, ...] = ()
    for _ in range(operation.count if inputs else 0):
        child = _thought(operation, inputs, temperature)
        merged: a.Forked = yield a.Merge(merged=inputs, child=child)
        made += merged.branches
    work.pending += made
    return made


def _keep(
    work: GraphRun, operation: Operation, inputs: tuple[BranchId, ...]
) -> Generator[a.Action, Any, tuple[BranchId, ...]]:
    """Those that a keep operation lets pass, best first; the others are pruned."""
    there = [each for each in inputs if each in work.values]
    ranked = sorted(there, key=lambda each: -work.scores.get(each, 0.0))
    valid = [each for each in there if work.scores.get(each, 0.0) >= operation.least]
    kept = tuple(ranked[: operation.count] if operation.op == "keep-best" else valid)
    if len(kept) < len(inputs):
        yield a.Prune(branches=tuple(each for each in inputs if each not in kept), rule=operation.op)
    return kept


def _thought(operation: Operation, inputs: tuple[BranchId, ...], temperature: float) -> a.Thought:
    drafts = (
        part for n, each in enumerate(inputs, 1) for part in (f"Draft {n}:\n", Output(branch=each), "\n")
    )
    asks = operation.prompt or {"improve": IMPROVE, "aggregate": AGGREGATE}.get(operation.op, "")
    messages = (*((say("user", *drafts),) if inputs else ()), *((say("user", asks),) if asks else ()))
    decoding = Decoding(temperature=temperature if operation.op == "generate" else None)
    return a.Thought(
        base=Base.PROBLEM,
        messages=messages,
        decoding=decoding,
        role=operation.op,
        label=operation.id,
        after=inputs,
    )
