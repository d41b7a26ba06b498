"""Finds the calls of models in a journal: what each was sent, to the last byte, and what it decoded.

A call is one decode: its segments, one after the other, are one stream of tokens that only the model wrote. What the
runtime writes into a branch (a spliced result, a judge's question) begins another call, whose prompt it is part of.
Of a call that failed only the segments are read that stand, since a tag had closed them; one that was cancelled has
the text that it came to. A tool's branch calls no model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import build
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.state import JobState, apply
from anabranch.dag.text import Context
from anabranch.dag.text.context import render


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    branch: BranchId
    segment: int
    """Its first."""
    attempt: int
    context: Context
    """What the model was sent."""
    text: str
    thought: str
    finish: Finish
    structured: bool
    """A form or a choice had a hand in what was decoded."""
    used: bool
    """The answer was made from it; of a job without one, never."""
    model: str
    """As the engine or the upstream names it; empty where it does not."""
    token_ids: tuple[int, ...] | None
    """All that it decoded. None where they were not kept, or not told."""
    logprobs: tuple[float, ...] | None


@dataclass(slots=True)
class _Open:
    """A call under way."""

    began: e.SegmentStarted
    context: Context
    decoded: list[Decoded] = field(default_factory=list)


def model_calls(records: Sequence[e.Record]) -> Iterator[ModelCall]:
    """The calls, in the order in which they ended."""
    graph = build(records)
    leading = graph.leading_to(graph.end) if graph.end else frozenset[str]()
    used = {name for name in leading if graph.node(name).branch not in graph.pruned}
    state, under_way = JobState(), dict[BranchId, _Open]()
    for record in records:
        apply(state, record.event)
        match record.event:
            case e.SegmentStarted(continues=False) as began if state.branches[began.branch].tool is None:
                under_way[began.branch] = _Open(began, render(state, began.branch))
            case e.SegmentFinished(branch=branch, decoded=decoded) if branch in under_way:
                call = under_way[branch]
                if decoded.open or decoded.finish is not Finish.ERROR:
                    call.decoded.append(decoded)
                if not decoded.open:
                    del under_way[branch]
                if not decoded.open and call.decoded:
                    yield _call(call, used)
            case _:
                pass


def _call(call: _Open, used: set[str]) -> ModelCall:
    began, last = call.began, call.decoded[-1]
    names = {f"{began.branch}/{began.segment + place}" for place in range(len(call.decoded))}
    ids, logprobs = _tokens(call.decoded)
    return ModelCall(
        branch=began.branch,
        segment=began.segment,
        attempt=began.attempt,
        context=call.context,
        text="".join(decoded.text for decoded in call.decoded),
        thought="".join(decoded.thought for decoded in call.decoded),
        finish=last.finish,
        structured=began.structured,
        used=not used.isdisjoint(names),
        model=last.served.model,
        token_ids=ids,
        logprobs=logprobs,
    )


def _tokens(segments: Sequence[Decoded]) -> tuple[tuple[int, ...] | None, tuple[float, ...] | None]:
    """The tokens of all segments that decoded any; None where those of one were not kept."""
    ids, logprobs, whole = list[int](), list[float](), True
    for decoded in segments:
        if decoded.kept is None:
            if decoded.usage.completion_tokens:
                return None, None
            continue
        ids += decoded.kept.token_ids
        told = decoded.kept.token_logprobs
        whole = whole and told is not None
        logprobs += told or ()
    return (tuple(ids), tuple(logprobs) if whole else None) if ids else (None, None)
