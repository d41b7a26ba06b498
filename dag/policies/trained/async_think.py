"""Runs AsyncThink's workers: what they are asked, what travels back, and what is left when the organizer ends early."""

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding, Finish, Tag
from anabranch.dag.errors import NoAnswer
from anabranch.dag.grammars.async_think import MARKS
from anabranch.dag.grammars.escape import escape, strip_marks
from anabranch.dag.grammars.marks import spelling
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.policies.few_shot.async_think import WORKER
from anabranch.dag.text import say

RETURN, ANSWER = spelling("<RETURN>"), spelling("<ANSWER>")


def mistake(tag: Tag, workers: dict[str, BranchId]) -> str:
    """What is wrong with a well-formed tag at this point; empty when nothing is."""
    if tag.kind == "fork" and tag.ident in workers:
        return "duplicate-id"
    if tag.kind == "join" and tag.ident not in workers:
        return "unknown-id"
    return ""


def worker(tag: Tag, tokens: int, assist: str, model: str | None) -> a.Thought:
    """An isolated branch: it sees its sub-query and nothing else (section 1.2)."""
    query = escape(tag.body.strip())
    instruction = (say("system", WORKER),) if assist == "few-shot" else ()
    return a.Thought(
        messages=(*instruction, say("user", query)),
        decoding=Decoding(
            grammar="async-think-worker", max_tokens=tokens, temperature=0.0 if assist == "few-shot" else None
        ),
        returns=takeaways,
        role="worker",
        model=model,
        label=tag.body.strip(),
    )


def takeaways(segment: a.Segment) -> a.Answer:
    """Only what stands in the RETURN tag travels back. Of a tag that was never closed, what stands behind it does, and
    without one all of the text; the join is then flagged."""
    if segment.tag is not None and not segment.tag.problem:
        return a.Answer(text=segment.tag.body.strip())
    return a.Answer(text=RETURN.split(segment.text)[-1].strip(), flags=("no-return-tag",))


def render_result(result: a.Result) -> str:
    return escape(result.value) if result.ok else f"[no result: {escape(result.cause)}]"


def readable(text: str) -> str:
    """What the organizer wrote, as its reader gets it: no mark of the protocol, and nothing escaped."""
    return strip_marks(text, MARKS).strip()


def answer_unasked(segment: a.Segment, workers: dict[str, BranchId], joined: list[str]) -> a.Policy:
    """The answer of an organizer that ended without one: what it had begun to answer, else its last words; when it was
    cut off, what its workers say."""
    begun = readable(ANSWER.split(segment.text)[-1])
    text = begun or readable(segment.text)
    if text and segment.finish is not Finish.LENGTH:
        return a.Answer(text=text, sources=(TRUNK, *(workers[i] for i in joined)), flags=("no-answer-tag",))
    results: a.Joined = yield a.Join(targets=tuple(workers.values()))
    told = {result.branch: readable(result.value) for result in results.results if result.ok}
    values = {branch: value for branch, value in told.items() if value}
    if values or text:
        return a.Answer(
            text="\n".join(values.values()) or text, sources=tuple(values), flags=("no-answer-tag",)
        )
    raise NoAnswer("the organizer stopped without an answer and without a word")
