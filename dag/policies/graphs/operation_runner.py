"""Runs operations: what each of them forks, and which thoughts it gives. See `operations.py` for what they mean."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.graphs.drafts import Draft, branches_of, fields, shown, split
from anabranch.dag.policies.graphs.operations import Operation
from anabranch.dag.policies.parts.judge import JUDGE, PROPOSED, judge, record_mark
from anabranch.dag.policies.parts.prompts import ask
from anabranch.dag.text import Output

IMPROVE = "Improve this draft: correct its mistakes and fill its gaps. Reply with the improved answer alone."
AGGREGATE = (
    "Combine these drafts into one answer that keeps what is right in each. Reply with this answer alone."
)
READS_STATE = "python-score"
"""The verifier that is told of a thought what it was made from."""


@dataclass(slots=True)
class GraphRun:
    """How far the graph has come."""

    question: str
    temperature: float
    judge_model: str | None
    given: dict[str, tuple[Draft, ...]] = field(default_factory=dict)
    """The thoughts that an operation gives: known as soon as they are forked."""
    values: dict[BranchId, str] = field(default_factory=dict)
    scores: dict[BranchId, float] = field(default_factory=dict)
    reads: dict[BranchId, tuple[Draft, ...]] = field(default_factory=dict)
    """The thoughts that a branch reads, or judges."""
    origins: dict[BranchId, tuple[Draft, ...]] = field(default_factory=dict)
    """What a thought was made from; an improved one from the same as the one it improves. Together, its state."""
    judges: set[BranchId] = field(default_factory=set)
    failed: set[BranchId] = field(default_factory=set)
    pending: tuple[BranchId, ...] = ()

    def inputs(self, operation: Operation) -> tuple[Draft, ...]:
        return tuple(dict.fromkeys(draft for name in operation.after for draft in self.given[name]))

    def ready(self, operation: Operation) -> bool:
        """Whether its inputs are known and, for an operation that looks at results, have ended and been judged."""
        if not all(name in self.given for name in operation.after):
            return False
        inputs = set(branches_of(self.inputs(operation))) if operation.reads_results else set()
        return not any(each in inputs or self._judges_one_of(each, inputs) for each in self.pending)

    def _judges_one_of(self, branch: BranchId, inputs: set[BranchId]) -> bool:
        return branch in self.judges and self.reads[branch][0].branch in inputs

    def text_of(self, draft: Draft) -> str:
        return self.values.get(draft.branch, "") if draft.text is None else draft.text

    def state(self, origin: tuple[Draft, ...]) -> dict[str, Any]:
        """The state of thoughts that were made from these, for a check of them."""
        texts = [self.text_of(each) for each in origin]
        part = origin[0].part if origin else ""
        return {
            "question": self.question,
            "input": (texts or [self.question])[0],
            "inputs": texts,
            "part": part,
        }

    def origin(self, operation: Operation, reads: tuple[Draft, ...]) -> tuple[Draft, ...]:
        """What a thought is made from that the operation makes of these."""
        return self.origins.get(reads[0].branch, ()) if operation.op == "improve" else reads


def take_result(result: a.Result, run: GraphRun) -> Generator[a.Action, Any, None]:
    """A branch has ended. What would read only thoughts that failed need not begin."""
    if result.branch in run.judges:
        run.scores |= yield from record_mark(result, run.reads[result.branch][0].branch)
    elif result.ok:
        run.values[result.branch] = result.value
    else:
        run.failed.add(result.branch)
        reading = ((reader, run.reads.get(reader, ())) for reader in run.pending)
        idle = tuple(reader for reader, read in reading if read and run.failed.issuperset(branches_of(read)))
        if idle:
            yield a.Cancel(branches=idle, reason="there is nothing to read")


def begin(operation: Operation, run: GraphRun) -> Generator[a.Action, Any, tuple[Draft, ...]]:
    """Begin an operation; the thoughts that it gives."""
    inputs = run.inputs(operation)
    match operation.op:
        case "generate":
            origins: Sequence[tuple[Draft, ...]] = [(each,) for each in inputs] if operation.after else [()]
            return (
                yield from _fork(run, operation, [each for each in origins for _ in range(operation.count)])
            )
        case "improve":
            good = {each for each in inputs if _at_least(run, each, operation.below)}
            poor = [each for each in inputs if each not in good]
            better = yield from _fork(run, operation, [(each,) for each in poor])
            replaced = dict(zip(poor, better, strict=False))
            return tuple(replaced.get(each, each) for each in inputs)
        case "aggregate":
            return (yield from _merge(run, operation, inputs)) if inputs else ()
        case "score":
            marked = tuple(each for each in inputs if not (operation.rest and each.branch in run.scores))
            yield from (
                _judge(run, operation, marked)
                if operation.verifier is None
                else _check(run, operation, operation.verifier, marked)
            )
            return inputs
        case "split":
            return (yield from _split(run, operation, inputs))
        case "select":
            named = (
                each
                for n, each in enumerate(inputs, 1)
                if each.part in operation.parts or n in operation.places
            )
            return tuple(named)
        case _:
            return (yield from _keep(run, operation, inputs))


def _at_least(run: GraphRun, draft: Draft, least: float | None) -> bool:
    return least is not None and draft.branch in run.values and run.scores.get(draft.branch, 0.0) >= least


def _fork(
    run: GraphRun, operation: Operation, reading: Sequence[tuple[Draft, ...]]
) -> Generator[a.Action, Any, tuple[Draft, ...]]:
    """A new thought from each of these."""
    if not reading:
        return ()
    children = tuple(_thought(run, operation, each) for each in reading)
    forked: a.Forked = yield a.Fork(children=children)
    made = [(branch, read) for branch, read in zip(forked.ids, reading, strict=False) if branch is not None]
    run.reads |= made
    run.origins |= {branch: run.origin(operation, read) for branch, read in made}
    run.pending += forked.branches
    return tuple(Draft(branch, read[0].part if read else "") for branch, read in made)


def _merge(
    run: GraphRun, operation: Operation, inputs: tuple[Draft, ...]
) -> Generator[a.Action, Any, tuple[Draft, ...]]:
    """So many thoughts from all of these together."""
    made: tuple[BranchId, ...] = ()
    for _ in range(operation.count):
        child = _thought(run, operation, inputs)
        merged: a.Forked = yield a.Merge(merged=branches_of(inputs), child=child)
        made += merged.branches
    run.reads |= dict.fromkeys(made, inputs)
    run.origins |= dict.fromkeys(made, inputs)
    run.pending += made
    return tuple(map(Draft, made))


def _judge(run: GraphRun, operation: Operation, drafts: tuple[Draft, ...]) -> Generator[a.Action, Any, None]:
    """Fork a judge for each of these."""
    prompt = operation.prompt or JUDGE
    children = tuple(
        judge(PROPOSED, Output(branch=each.branch), prompt=prompt, model=run.judge_model) for each in drafts
    )
    if children:
        forked: a.Forked = yield a.Fork(children=children)
        judged = {who: (each,) for who, each in zip(forked.ids, drafts, strict=False) if who is not None}
        run.reads |= judged
        run.judges.update(judged)
        run.pending += forked.branches


def _check(
    run: GraphRun, operation: Operation, verifier: a.Check, drafts: tuple[Draft, ...]
) -> Generator[a.Action, Any, None]:
    """Let a verifier score these; one that reads states is asked once for each state."""
    groups: dict[tuple[Draft, ...], list[BranchId]] = {}
    for each in drafts:
        if each.branch in run.values:
            origin = run.origins.get(each.branch, ()) if verifier == READS_STATE else ()
            groups.setdefault(origin, []).append(each.branch)
    for origin, targets in groups.items():
        told = {"state": run.state(origin)} if verifier == READS_STATE else {}
        check = a.Verifier(kind=verifier, spec={**operation.spec, **told})
        scored: a.Scored = yield a.Score(targets=tuple(targets), verifier=check)
        run.scores |= scored.scores


def _split(
    run: GraphRun, operation: Operation, inputs: tuple[Draft, ...]
) -> Generator[a.Action, Any, tuple[Draft, ...]]:
    """The parts of each of these that lists any."""
    parts: list[Draft] = []
    for each in inputs:
        text = run.text_of(each)
        found = split(text, operation.form)
        if text and not found:
            yield a.Malformed(problem="no-parts", span=text[:200])
        parts += (Draft(each.branch, name, part) for name, part in found)
    return tuple(parts)


def _keep(
    run: GraphRun, operation: Operation, inputs: tuple[Draft, ...]
) -> Generator[a.Action, Any, tuple[Draft, ...]]:
    """Those that a keep operation lets pass, best first; the branches of which nothing is kept are pruned."""
    there = [each for each in inputs if each.branch in run.values]
    ranked = sorted(there, key=lambda each: -run.scores.get(each.branch, 0.0))
    valid = [each for each in there if _at_least(run, each, operation.least)]
    kept = tuple(ranked[: operation.count] if operation.op == "keep-best" else valid)
    lost = [branch for branch in branches_of(inputs) if branch not in branches_of(kept)]
    if lost:
        yield a.Prune(branches=tuple(lost), rule=operation.op)
    return kept


def _thought(run: GraphRun, operation: Operation, inputs: tuple[Draft, ...]) -> a.Thought:
    usual = {"improve": IMPROVE, "aggregate": AGGREGATE}.get(operation.op, "")
    base, messages = ask(
        operation.prompt or usual, fields(run.question, inputs, run.origin(operation, inputs)), shown(inputs)
    )
    return a.Thought(
        base=base,
        messages=messages,
        decoding=Decoding(temperature=run.temperature if operation.op == "generate" else None),
        role=operation.op,
        label=operation.id,
        after=branches_of(inputs),
    )
