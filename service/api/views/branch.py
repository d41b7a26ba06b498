"""Shows one branch inside out: what it was sent, what it wrote, what became of it."""

from collections.abc import Iterator, Sequence
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.context import render
from anabranch.dag.decoding import Finish
from anabranch.dag.events import Record
from anabranch.dag.ids import BranchId, parent_of
from anabranch.dag.state import JobState, apply
from anabranch.dag.text import Context
from anabranch.service.store.errors import NotFound


def branch_json(records: Sequence[Record], branch: BranchId, segment: int = 1) -> dict[str, Any]:
    """The context is the one with which this segment was asked for. Raises NotFound when the job has no such branch."""
    state, context = _folded(records, branch, segment)
    if branch not in state.branches:
        raise NotFound("branch", branch)
    of = state.branches[branch]
    finished = [event for event in _own(records, branch) if isinstance(event, e.SegmentFinished)]
    last = finished[-1].decoded if finished else None
    return {
        "id": branch,
        "parent": parent_of(branch),
        "role": of.role,
        "label": of.label,
        "policy": of.policy,
        "tool": of.tool,
        "after": list(of.after),
        "status": of.status.value,
        "attempts": of.attempt,
        "replica": last.replica if last else None,
        "engine": last.engine if last else None,
        "context": _context_json(context),
        "output": of.value if of.ended else of.own,
        "text": of.own,
        "thought": of.thought,
        "flags": list(of.flags),
        "cause": of.cause or None,
        "finish_reason": last.finish.value if last else None,
        "usage": {
            "prompt_tokens": of.usage.prompt_tokens,
            "cached_tokens": of.usage.cached_tokens,
            "completion_tokens": of.usage.completion_tokens,
            "reasoning_tokens": of.usage.reasoning_tokens,
        },
        "segments": list(_segments(records, branch)),
        "scores": list(_scores(records, branch)),
        "consumed_by": list(_consumers(records, branch)),
    }


def _folded(records: Sequence[Record], branch: BranchId, segment: int) -> tuple[JobState, Context | None]:
    """The state at the journal's end, and the context with which the branch's segment was asked for."""
    state, context = JobState(), None
    for record in records:
        apply(state, record.event)
        match record.event:
            case e.SegmentStarted(branch=of, segment=started) if (of, started) == (branch, segment):
                context = render(state, branch)
            case _:
                pass
    return state, context


def _own(records: Sequence[Record], branch: BranchId) -> Iterator[e.Event]:
    return (record.event for record in records if record.event.branch == branch)


def _context_json(context: Context | None) -> dict[str, Any] | None:
    if context is None:
        return None
    messages = [{"role": role, "content": content} for role, content in context.messages]
    return {
        "messages": messages,
        "thought": context.thought,
        "continuation": context.continuation,
        "raw": context.raw,
    }


def _segments(records: Sequence[Record], branch: BranchId) -> Iterator[dict[str, Any]]:
    """Each stretch with what the runtime wrote before it: with the context, that is every byte the model was sent."""
    started: dict[int, e.SegmentStarted] = {}
    for event in _own(records, branch):
        match event:
            case e.SegmentStarted():
                started[event.segment] = event
            case e.SegmentFinished(segment=segment, decoded=decoded):
                begun = started[segment]
                yield {
                    "segment": segment,
                    "attempt": event.attempt,
                    "continues": begun.continues,
                    "inserted": begun.inserted,
                    "removed": begun.removed,
                    "text": decoded.text,
                    "thought": decoded.thought,
                    "kept": decoded.finish is not Finish.ERROR,
                    "finish_reason": decoded.finish.value,
                    "tokens": decoded.usage.completion_tokens,
                    "reasoning_tokens": decoded.usage.reasoning_tokens,
                    "structured": begun.structured,
                    "grammar": begun.grammar,
                }
            case _:
                pass


def _scores(records: Sequence[Record], branch: BranchId) -> Iterator[dict[str, Any]]:
    for record in records:
        event = record.event
        if isinstance(event, e.BranchScored) and branch in event.scores:
            yield {"score": event.scores[branch], "by": event.by, "detail": event.details.get(branch, "")}


def _consumers(records: Sequence[Record], branch: BranchId) -> Iterator[dict[str, Any]]:
    """Who used what this branch returned: a join of its parent, a merge, the answer."""
    for record in records:
        match record.event:
            case e.BranchesJoined(joined=joined, join=join, branch=by) if branch in joined:
                yield {"kind": "join", "branch": by, "join": join}
            case e.BranchesMerged(merged=merged, into=into) if branch in merged:
                yield {"kind": "merge", "branch": into}
            case e.AnswerCommitted(sources=sources, branch=by) if branch in sources:
                yield {"kind": "answer", "branch": by}
            case _:
                pass
