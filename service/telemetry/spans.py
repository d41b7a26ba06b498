"""Folds a job's trace from its journal: equal journals give equal spans, down to their ids.

invoke_workflow anabranch
├─ POST /v1/jobs
└─ organize                        one per claim
   └─ invoke_agent trunk
      ├─ fork
      │  └─ invoke_agent worker    one per branch, linked to the branches it waited for (a planner's: plan planner)
      │     └─ chat MODEL          one per decode; two where a late one was started once more
      └─ join                      linked to each branch it joined
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import ReasoningGraph
from anabranch.dag.analysis.metrics import critical_by_tokens
from anabranch.dag.events import Record
from anabranch.dag.ids import JobId
from anabranch.dag.state import JobState, apply
from anabranch.service.telemetry import draw_branches, draw_jobs, names
from anabranch.service.telemetry.capture import NOTHING, Capture
from anabranch.service.telemetry.drawing import Drawing
from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.service.telemetry.span import Event, Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Events that are missing here are told by others: a retry by its new decode, a vote by the answer.
_DRAWN: Mapping[type, Callable[[Drawing, Record, Any], None]] = {
    e.JobSubmitted: draw_jobs.submitted,
    e.JobClaimed: draw_jobs.claimed,
    e.AnswerCommitted: draw_jobs.answered,
    e.WindUpRequested: draw_jobs.limited,
    e.BudgetExceeded: draw_jobs.limited,
    e.JobSucceeded: draw_jobs.succeeded,
    e.JobFailed: draw_jobs.failed,
    e.JobCancelled: draw_jobs.cancelled,
    e.JoinRequested: draw_jobs.join_requested,
    e.BranchesJoined: draw_jobs.joined,
    e.ApprovalRequested: draw_jobs.approval_requested,
    e.ApprovalDecided: draw_jobs.approval_decided,
    e.BranchForked: draw_branches.forked,
    e.BranchesMerged: draw_branches.merged,
    e.BranchScored: draw_branches.scored,
    e.BranchReturned: draw_branches.returned,
    e.BranchFailed: draw_branches.failed,
    e.BranchCancelled: draw_branches.cancelled,
    e.SegmentStarted: draw_branches.segment_started,
    e.SegmentFinished: draw_branches.segment_finished,
    e.SegmentHedged: draw_branches.hedged,
    e.HedgeLost: draw_branches.hedge_lost,
}


def spans_of(
    records: Sequence[Record], origin: TraceOrigin, pool_model: str, capture: Capture = NOTHING
) -> list[Span]:
    """The spans of one job's journal (not empty), in the order in which they began.

    `pool_model` names the model of decodes that asked for none. Of a job that still runs, open spans end where the
    journal does and say so. Prompts and answers are told where `capture` wants them on spans.
    """
    trace = Trace(records[0].job, pool_model, capture)
    for record in records:
        trace.add(record)
    return trace.spans(origin, content=capture.on_spans)


class Trace:
    """The same, record by record: nobody needs to hold the whole journal."""

    def __init__(self, job: JobId, pool_model: str, capture: Capture = NOTHING) -> None:
        """With content captured, the job's state is folded along, texts and all."""
        self._capture = capture
        self._drawing = Drawing(job, pool_model, JobState() if capture.content else None)
        self._graph = ReasoningGraph()

    def add(self, record: Record) -> None:
        self._graph.add(record)
        if self._drawing.state is not None:
            apply(self._drawing.state, record.event)
        self._drawing.now = (record.at - _EPOCH) // timedelta(microseconds=1) * 1000
        draw = _DRAWN.get(type(record.event))
        if draw is not None:
            draw(self._drawing, record, record.event)

    def spans(self, origin: TraceOrigin, *, content: bool = False) -> list[Span]:
        """With `content`, prompts and answers are told, where they were captured."""
        self._light_critical_path()
        return self._drawing.spans(origin, content=content)

    def events(self, origin: TraceOrigin) -> list[Event]:
        """What is told besides spans, where that was asked for."""
        if not self._capture.events:
            return []
        return self._drawing.events(origin, content=self._capture.on_events)

    def _light_critical_path(self) -> None:
        """Decodes on the critical path (in tokens) say so, once there is an answer that it leads to."""
        if self._graph.end is not None:
            for name in critical_by_tokens(self._graph):
                decode = self._drawing.segments.get(name)
                if decode is not None:
                    self._drawing.nodes[decode].attributes[names.CRITICAL] = True
