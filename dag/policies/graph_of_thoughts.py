"""Implements Graph of Thoughts (Besta et al., arXiv 2308.09687): a static graph of operations, run with all its
parallelism.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from anabranch.dag import actions as a
from anabranch.dag.errors import NoAnswer
from anabranch.dag.job import Problem
from anabranch.dag.policies.graphs.operation_runner import GraphRun, begin, take_result
from anabranch.dag.policies.graphs.operations import OPERATIONS_SCHEMA, USUAL, read_operations
from anabranch.dag.policies.presets.keyword_counting import KEYWORD_COUNTING
from anabranch.dag.policies.presets.set_intersection_32 import SET_INTERSECTION_32
from anabranch.dag.policies.presets.sorting_32 import SORTING_32
from anabranch.dag.policy import JudgeModel, Param, policy


@policy(
    title="Graph of Thoughts",
    paper="Besta et al. 2023, arXiv 2308.09687",
    use_when="The work falls into known operations: split, solve, score, keep the best, merge.\n"
    "The graph is yours to draw; the usual one improves and merges the best of four drafts.",
    presets={
        "sorting-32": SORTING_32,
        "set-intersection-32": SET_INTERSECTION_32,
        "keyword-counting": KEYWORD_COUNTING,
    },
)
def graph_of_thoughts(
    problem: Problem,
    *,
    operations: Annotated[
        tuple[Mapping[str, Any], ...],
        Param(
            "the graph: objects with id, op, after and what the op reads, see below",
            check=read_operations,
            schema=OPERATIONS_SCHEMA,
        ),
    ] = USUAL,
    temperature: Annotated[float, Param("of generated thoughts", ge=0.0, le=2.0)] = 0.8,
    judge_model: JudgeModel = None,
) -> a.Policy:
    """Run each operation as soon as its own inputs are there, and each thought of it as soon as its own input is.

    T is the heaviest path through the graph (the reference code runs one operation after the other). Where the paper is
    silent: a thought that failed is kept by no keep operation, and one that would read only failed ones does not begin;
    the answer is the best scored thought of the last operation, of equals the first; if that gives none, of the latest
    operation that gave one, flagged as unfinished.
    """
    graph = read_operations(operations)
    run, waiting = GraphRun(problem.question, temperature, judge_model), list(graph)
    while waiting or run.pending:
        for operation in tuple(waiting):  # in an order in which one pass begins all that can begin
            if run.ready(operation):
                waiting.remove(operation)
                run.given[operation.id] = yield from begin(operation, run)
        if run.pending:
            joined: a.Joined = yield a.Join(targets=run.pending, mode=a.Mode.FIRST)
            run.pending = joined.pending
            yield from take_result(joined.results[0], run)
    for operation in reversed(graph):
        thoughts = [draft for draft in run.given[operation.id] if run.text_of(draft).strip()]
        if thoughts:
            best = max(thoughts, key=lambda draft: run.scores.get(draft.branch, 0.0))
            flags = () if operation is graph[-1] else ("unfinished",)
            return a.Answer(text=run.text_of(best).strip(), sources=(best.branch,), flags=flags)
    raise NoAnswer("no operation gave a thought")
