"""Asks several knowledge sources at once, and answers from what they say, with citations."""

from collections.abc import Sequence
from typing import Annotated

from anabranch.dag.actions import Answer, Explain, Fork, Forked, Join, Joined, Merge, Policy, Thought
from anabranch.dag.decoding import Decoding, Purpose
from anabranch.dag.errors import NoAnswer
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.retrieving import NOTHING, READ, SYNTHESISE, Sources, check_tools
from anabranch.dag.policy import Param, WorkerModel, policy
from anabranch.dag.text import Base, Output, say


@policy(
    title="Retrieval",
    paper="retrieval-augmented generation: Lewis et al. 2020, arXiv 2005.11401; a branch per source: Anabranch's own",
    use_when="The answer stands in sources that the operator has registered as tools: files, tickets, the web.\n"
    "Costs a note per source and the answer; the sources are asked side by side.",
    marks_answer=True,
    may_call=True,
)
def retrieval(
    problem: Problem,
    *,
    tools: Annotated[
        Sequence[str], Param("the operator's tools to ask, each a source", check=check_tools)
    ] = ("retrieve",),
    argument: Annotated[str, Param("by which a tool takes the question")] = "query",
    passages: Annotated[int, Param("passages of each source", ge=1, le=100)] = 5,
    characters: Annotated[int, Param("characters of each passage", ge=50, le=20_000)] = 1500,
    note_tokens: Annotated[int, Param("tokens of each source's note", ge=16, le=65536)] = 256,
    read_prompt: Annotated[str, Param("asks for a note: {source}, behind the numbered passages")] = READ,
    answer_prompt: Annotated[str, Param("asks for the answer, behind the notes")] = SYNTHESISE,
    worker_model: WorkerModel = None,
) -> Policy:
    """One branch per source calls its tool and notes what the passages say; one thought answers from all notes.

    A passage has one number in all branches, and what the answer cites by it, as [3], is in the answer's `citations`:
    the tool, the branch that called it, title and place as the tool told them. A tool gives JSON of a list of texts, or
    of objects with text, title and url; any other text is one passage. T is the longest source's note and the answer;
    tools cost no tokens. A source that fails or finds nothing is one less; where none is left the model answers by
    itself, without citations, and the journal says so.
    """
    asked = Sources(
        question=problem.question,
        argument=argument,
        passages=passages,
        characters=characters,
        tokens=note_tokens,
        prompt=read_prompt,
    )
    children = tuple(asked.reader(place, tool, worker_model) for place, tool in enumerate(tools))
    forked: Forked = yield Fork(children=children)
    joined: Joined = yield Join(targets=forked.branches)
    notes = {branch: tool for branch, tool in zip(forked.ids, tools, strict=False) if branch is not None}
    useful = [each for each in joined.results if each.ok and each.value.strip() and NOTHING not in each.flags]
    if not useful:
        yield Explain(
            "sources", "no source gave a passage: the answer is the model's own", {"asked": len(tools)}
        )
    shown = [
        part
        for each in useful
        for part in (f"From {notes[each.branch]}:\n", Output(branch=each.branch), "\n\n")
    ]
    final = Thought(
        base=Base.PROBLEM,
        messages=(say("user", *shown), say("user", answer_prompt)) if useful else (),
        decoding=Decoding(purpose=Purpose.ANSWER),
        role="synthesis",
    )
    merged: Forked = yield Merge(merged=tuple(each.branch for each in useful), child=final)
    answered: Joined = yield Join(targets=merged.branches)
    written = (each for each in answered.results if each.ok and (each.value.strip() or each.calls))
    notes_answer = () if problem.structured else useful  # a note has no form
    for result in (*written, *notes_answer):
        sources = (result.branch, *(each.branch for each in useful if each is not result))
        text = problem.trimmed(result.value)
        return Answer(
            text=text,
            sources=sources,
            flags=result.flags,
            calls=result.calls,
            citations=asked.citations(text),
        )
    raise NoAnswer("the model wrote no answer, and no note can stand for it")
