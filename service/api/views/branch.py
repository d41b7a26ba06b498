"""Shows one branch inside out: what it was sent, what it wrote, what became of it."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.events import Record
from anabranch.dag.ids import BranchId, parent_of
from anabranch.dag.state import JobState, apply
from anabranch.dag.text import Context
from anabranch.dag.text.context import render
from anabranch.service.store.errors import NotFound

Waits = Callable[[Collection[str | None]], str | None]
"""Says what decodes that were asked of these models wait for; None where they do not."""


def branch_json(
    records: Sequence[Record], branch: BranchId, segment: int = 1, waits: Waits = lambda _: None
) -> dict[str, Any]:
    """The context is the one with which this segment was asked for. Raises NotFound when the job has no such branch."""
    view = _View(branch, segment)
    for record in records:
        view.add(record.event)
    if branch not in view.state.branches:
        raise NotFound("branch", branch)
    opened = view.state.branches[branch].open
    return view.json() | {"waiting_for": None if opened is None else waits([opened.model])}


class _View:
    """One branch, as a job's events make it."""

    def __init__(self, branch: BranchId, segment: int) -> None:
        self.state = JobState()
        self._branch, self._segment = branch, segment
        self._context: Context | None = None
        """With which the segment was asked for."""
        self._last: Decoded | None = None
        self._asked: str | None = None
        """The model of which its last segment was asked."""
        self._segments: list[dict[str, Any]] = []
        self._scores: list[dict[str, Any]] = []
        self._consumers: list[dict[str, Any]] = []
        """Who used what the branch returned: joins of its parent, merges, the answer."""

    def add(self, event: e.Event) -> None:
        """Folds one event."""
        of = self.state.branches.get(self._branch)
        begun = of.open if of is not None else None
        apply(self.state, event)
        if isinstance(event, e.SegmentStarted) and event.branch == self._branch:
            self._asked = event.model
        match event:
            case e.SegmentStarted(branch=self._branch, segment=self._segment):
                self._context = render(self.state, self._branch)
            case e.SegmentFinished(branch=self._branch, decoded=decoded) if begun is not None:
                self._last = decoded
                self._segments.append(_segment_json(begun, decoded))
            case e.BranchScored(scores=scores) if self._branch in scores:
                detail = event.details.get(self._branch, "")
                self._scores.append({"score": scores[self._branch], "by": event.by, "detail": detail})
            case e.BranchesJoined(joined=joined) if self._branch in joined:
                self._consumers.append({"kind": "join", "branch": event.branch, "join": event.join})
            case e.BranchesMerged(merged=merged) if self._branch in merged:
                self._consumers.append({"kind": "merge", "branch": event.into})
            case e.AnswerCommitted(sources=sources) if self._branch in sources:
                self._consumers.append({"kind": "answer", "branch": event.branch})
            case _:
                pass

    def json(self) -> dict[str, Any]:
        of, last = self.state.branches[self._branch], self._last
        return {
            "id": of.id,
            "parent": parent_of(of.id),
            "role": of.role,
            "label": of.label,
            "policy": of.policy,
            "tool": of.tool,
            "after": list(of.after),
            "status": of.status.value,
            "model": self._asked,
            "attempts": of.attempt,
            "replica": last.replica if last else None,
            "engine": last.engine if last else None,
            "served_model": (last.served.model or None) if last else None,
            "context": _context_json(self._context),
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
            "segments": self._segments,
            "scores": self._scores,
            "consumed_by": self._consumers,
        }


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


def _segment_json(begun: e.SegmentStarted, decoded: Decoded) -> dict[str, Any]:
    """A stretch with what the runtime wrote before it: with the context, that is every byte the model was sent."""
    return {
        "segment": begun.segment,
        "attempt": begun.attempt,
        "continues": begun.continues,
        "inserted": begun.inserted,
        "removed": begun.removed,
        "text": decoded.text,
        "thought": decoded.thought,
        "kept": decoded.finish is not Finish.ERROR,
        "finish_reason": decoded.finish.value,
        "model": begun.model,
        "served_model": decoded.served.model or None,
        "cost": decoded.in_fields().cost,
        "tokens": decoded.usage.completion_tokens,
        "reasoning_tokens": decoded.usage.reasoning_tokens,
        "usage_estimated": decoded.usage_estimated,
        "usage_at_least": decoded.usage_at_least,
        "structured": begun.structured,
        "grammar": begun.grammar,
    }
