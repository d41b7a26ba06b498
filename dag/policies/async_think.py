"""Implements AsyncThink (Chi et al., "The Era of Agentic Organization", arXiv 2510.26658): protocols.md section 1."""

from typing import Annotated, Literal

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.few_shot.async_think import ORGANIZER, next_actions
from anabranch.dag.policies.trained import async_think as work
from anabranch.dag.policy import Param, WorkerModel, policy
from anabranch.dag.text import say

MALFORMED_LIMIT = 8
"""Malformed actions after which the organizer is asked no more."""


@policy(
    title="AsyncThink",
    paper="Chi et al. 2025, arXiv 2510.26658",
    use_when="The question falls into independent parts, and the model was trained for the tags\n"
    "(or is helped by few-shot examples and structured decoding: the default).",
    raw_thoughts=True,
    efforts={"none": {"c": 2}, "minimal": {"c": 2}, "low": {"c": 3}, "high": {"c": 8}},
)
def async_think(
    problem: Problem,
    *,
    c: Annotated[int, Param("agents: the organizer and at most c-1 workers at once", ge=2, le=64)] = 4,
    assist: Annotated[
        Literal["few-shot", "none"],
        Param(
            "few-shot: instructions and structured decoding for models that were not trained for the tags",
            trained="none",
        ),
    ] = "few-shot",
    worker_tokens: Annotated[int, Param("tokens a worker may decode", ge=1)] = 512,
    join_closer: Annotated[bool, Param("write </JOIN-i> behind a result (the papers' notes differ)")] = True,
    worker_model: WorkerModel = None,
) -> a.Policy:
    """The organizer decodes on while its workers run; a join stops it until the result is there.

    T is the recurrence of section 1.3. Choices where the paper is silent: a fork over capacity, under a used id or
    malformed is recorded and ignored; a join of an unknown id is answered with a line that says so; joining twice gives
    the same result again; a failed worker gives a line that says why; if the organizer ends without an answer, what it
    wrote last is the answer, or what its workers returned when it was cut off.
    """
    workers: dict[str, BranchId] = {}
    joined: list[str] = []
    mistakes = 0
    temperature = 0.0 if assist == "few-shot" else None  # a small model keeps a form best without chance
    if assist == "few-shot":
        yield a.Splice(messages=(say("system", ORGANIZER.format(workers=c - 1)),))
    while True:
        structure = next_actions(c, workers, joined) if assist == "few-shot" else None
        segment: a.Segment = yield a.Think(
            Decoding(grammar="async-think", structure=structure, temperature=temperature)
        )
        tag = segment.tag
        said = work.readable(tag.body) if tag is not None and not tag.problem and tag.kind == "answer" else ""
        if said:
            return a.Answer(text=said, sources=tuple(workers[ident] for ident in joined))
        if tag is None or tag.problem == "unclosed" or (tag.kind == "answer" and not tag.problem):
            yield a.Malformed(
                problem=f"unclosed-{tag.kind}"
                if tag is not None and tag.problem == "unclosed"
                else "no-answer",
                span=segment.text[-200:],
            )
            return (yield from work.answer_unasked(segment, workers, joined))
        problem_found = tag.problem or work.mistake(tag, workers)
        if not problem_found and tag.kind == "fork":
            forked: a.Forked = yield a.Fork(
                children=(work.worker(tag, worker_tokens, assist, worker_model),),
                capacity=c - 1,
                overflow=a.Overflow.REJECT,
            )
            if forked.branches:
                workers[tag.ident] = forked.branches[0]
            else:
                problem_found = "over-capacity"
        if problem_found:
            mistakes += 1
            yield a.Malformed(problem=problem_found, span=segment.text[-200:])
            if mistakes > MALFORMED_LIMIT:
                return (yield from work.answer_unasked(segment, workers, joined))
        if tag.kind == "join":
            result = "there is no such fork"
            if not problem_found:
                outcome: a.Joined = yield a.Join(targets=(workers[tag.ident],))
                result = work.render_result(outcome.results[0])
                joined += [tag.ident] if tag.ident not in joined else []
            yield a.Splice(text=result + (f"</JOIN-{tag.ident}>\n" if join_closer else "\n"))
