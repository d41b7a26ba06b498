"""AsyncThink (Chi et al., "The Era of Agentic Organization", arXiv 2510.26658): protocols.md section 1."""

from typing import Annotated, Literal

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding, Finish, Tag
from anabranch.dag.errors import NoAnswer
from anabranch.dag.few_shot import ORGANIZER, WORKER, next_actions
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policy import Param, policy
from anabranch.dag.protocols.escape import escape
from anabranch.dag.text import say

MALFORMED_LIMIT = 8
"""Malformed actions after which the organizer is asked no more."""


@policy(
    title="AsyncThink",
    paper="Chi et al. 2025, arXiv 2510.26658",
    use_when="The question falls into independent parts, and the model was trained for the tags\n"
    "(or is helped by few-shot examples and structured decoding: the default).",
)
def async_think(
    problem: Problem,
    *,
    c: Annotated[int, Param("agents: the organizer and at most c-1 workers at once", ge=2, le=64)] = 4,
    assist: Annotated[
        Literal["few-shot", "none"],
        Param("few-shot: instructions and structured decoding for models that were not trained for the tags"),
    ] = "few-shot",
    worker_tokens: Annotated[int, Param("tokens a worker may decode", ge=1)] = 512,
    join_closer: Annotated[bool, Param("write </JOIN-i> behind a result (the papers' notes differ)")] = True,
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
        if tag is not None and not tag.problem and tag.kind == "answer":
            return a.Answer(text=tag.body.strip(), sources=tuple(workers[ident] for ident in joined))
        if tag is None or (tag.problem == "unclosed"):
            yield a.Malformed(
                problem="no-answer" if tag is None else f"unclosed-{tag.kind}", span=segment.text[-200:]
            )
            return (yield from _unasked(segment, workers, joined))
        problem_found = tag.problem or _mistake(tag, workers)
        if not problem_found and tag.kind == "fork":
            forked: a.Forked = yield a.Fork(
                children=(_worker(tag, worker_tokens, assist),), capacity=c - 1, overflow="reject"
            )
            if forked.branches:
                workers[tag.ident] = forked.branches[0]
            else:
                problem_found = "over-capacity"
        if problem_found:
            mistakes += 1
            yield a.Malformed(problem=problem_found, span=segment.text[-200:])
            if mistakes > MALFORMED_LIMIT:
                return (yield from _unasked(segment, workers, joined))
        if tag.kind == "join":
            result = "there is no such fork"
            if not problem_found:
                outcome: a.Joined = yield a.Join(targets=(workers[tag.ident],))
                result = _rendered(outcome.results[0])
                joined += [tag.ident] if tag.ident not in joined else []
            yield a.Splice(text=result + (f"</JOIN-{tag.ident}>\n" if join_closer else "\n"))


def _mistake(tag: Tag, workers: dict[str, BranchId]) -> str:
    """What is wrong with a well-formed tag at this point; empty when nothing is."""
    if tag.kind == "fork" and tag.ident in workers:
        return "duplicate-id"
    if tag.kind == "join" and tag.ident not in workers:
        return "unknown-id"
    return ""


def _worker(tag: Tag, tokens: int, assist: str) -> a.Thought:
    """An isolated branch: it sees its sub-query and nothing else (section 1.2)."""
    query = escape(tag.body.strip())
    instruction = (say("system", WORKER),) if assist == "few-shot" else ()
    return a.Thought(
        messages=(*instruction, say("user", query)),
        decoding=Decoding(
            grammar="async-think-worker", max_tokens=tokens, temperature=0.0 if assist == "few-shot" else None
        ),
        returns=_takeaways,
        role="worker",
        label=tag.body.strip(),
    )


def _takeaways(segment: a.Segment) -> a.Answer:
    """Only what stands in the RETURN tag travels back; without one, all of it does, and the join is flagged."""
    if segment.tag is not None and not segment.tag.problem:
        return a.Answer(text=segment.tag.body.strip())
    return a.Answer(text=segment.text.strip(), flags=("no-return-tag",))


def _rendered(result: a.Result) -> str:
    return escape(result.value) if result.ok else f"[no result: {escape(result.cause)}]"


def _unasked(segment: a.Segment, workers: dict[str, BranchId], joined: list[str]) -> a.Policy:
    """The answer of an organizer that ended without one: its last words; when it was cut off, what its workers say."""
    text = escape(segment.text).strip()
    if text and segment.finish is not Finish.LENGTH:
        return a.Answer(text=text, sources=(TRUNK, *(workers[i] for i in joined)), flags=("no-answer-tag",))
    results: a.Joined = yield a.Join(targets=tuple(workers.values()))
    values = {result.branch: result.value for result in results.results if result.ok and result.value}
    if values or text:
        return a.Answer(
            text="\n".join(values.values()) or text, sources=tuple(values), flags=("no-answer-tag",)
        )
    raise NoAnswer("the organizer stopped without an answer and without a word")
