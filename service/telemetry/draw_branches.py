"""Draws forks, branches and their decodes in a job's trace."""

from collections.abc import Mapping

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Timing
from anabranch.dag.events import Record
from anabranch.dag.ids import BranchId
from anabranch.dag.journal.chain import canonical
from anabranch.dag.status import BranchStatus
from anabranch.dag.text.context import render
from anabranch.service.telemetry import ids, names
from anabranch.service.telemetry.drawing import Drawing, Node, Score
from anabranch.service.telemetry.messages import Content, messages_of_context
from anabranch.service.telemetry.span import Kind, Status, Value
from anabranch.workers.engines.factory import REMOTE

PLANNER = "planner"
"""The role of branches that do nothing but plan (`dag/policies/graphs/planner.py`)."""
_IN_PROCESS = frozenset({"vllm", "scripted"})
"""Engines that are their own provider; who an upstream is, journals did not always say."""
_REASONS: Mapping[Finish, str] = {Finish.LENGTH: "length"} | dict.fromkeys(
    (Finish.ABORT, Finish.ERROR, Finish.INTERRUPTED), "error"
)
"""In the conventions' words; all others are stop. A decode that was cut off is an error there."""


def forked(drawing: Drawing, record: Record, event: e.BranchForked) -> None:
    """Children that were forked together, one event right behind the other, share one fork span."""
    if drawing.fork_end != (record.seq - 1, event.branch):
        drawing.fork = ids.fork_node(event.child)
        start: dict[str, Value] = {names.SPAN_KIND: names.CHAIN, names.BRANCH: event.branch}
        drawing.open(drawing.fork, ids.branch_node(event.branch), names.FORK, start)
    drawing.fork_end = (record.seq, event.branch)
    _count_child(drawing.nodes[drawing.fork], event.child)
    drawing.models[event.child] = event.model or drawing.models[event.branch]
    open_branch(drawing, event.child, drawing.fork, event.role, _told_of_child(event))
    drawing.link(ids.branch_node(event.child), event.after, "depends")


def open_branch(
    drawing: Drawing, branch: BranchId, parent: str, role: str, told: Mapping[str, Value]
) -> None:
    tool = told.get(names.TOOL_NAME)
    operation = names.EXECUTE_TOOL if tool else names.PLAN if role == PLANNER else names.INVOKE_AGENT
    attributes: dict[str, Value] = {
        names.OPERATION: operation,
        names.SPAN_KIND: names.TOOL if tool else names.AGENT,
        names.AGENT_NAME: role,
        names.BRANCH: branch,
        **told,
    }
    drawing.open(ids.branch_node(branch), parent, f"{operation} {tool or role}", attributes)


def merged(drawing: Drawing, _: Record, event: e.BranchesMerged) -> None:
    drawing.link(ids.branch_node(event.into), event.merged, "merge")


def scored(drawing: Drawing, _: Record, event: e.BranchScored) -> None:
    """A branch's span tells its last score; events tell all."""
    for branch, value in event.scores.items():
        detail = event.details.get(branch, "")
        drawing.scores.append(Score(branch, event.by, float(value), detail, drawing.now))
        node = drawing.nodes.get(ids.branch_node(branch))
        if node is not None:
            node.attributes |= {names.EVALUATION: event.by, names.EVALUATION_SCORE: float(value)}


def returned(drawing: Drawing, _: Record, event: e.BranchReturned) -> None:
    node = drawing.nodes.get(ids.branch_node(event.branch))
    if drawing.state is not None and node is not None:
        node.content = node.content or Content([])
        node.content.text, node.content.calls, node.content.ended = event.value, event.calls, True
    drawing.close(ids.branch_node(event.branch), Status.OK, {names.STATUS: BranchStatus.RETURNED.value})


def failed(drawing: Drawing, _: Record, event: e.BranchFailed) -> None:
    told: dict[str, Value] = {
        names.STATUS: BranchStatus.FAILED.value,
        names.ERROR_TYPE: event.cause,
        names.REASON: event.detail,
    }
    drawing.close(ids.branch_node(event.branch), Status.ERROR, told)


def cancelled(drawing: Drawing, _: Record, event: e.BranchCancelled) -> None:
    told: dict[str, Value] = {names.STATUS: BranchStatus.CANCELLED.value, names.REASON: event.reason}
    drawing.close(ids.branch_node(event.branch), Status.UNSET, told)


def segment_started(drawing: Drawing, _: Record, event: e.SegmentStarted) -> None:
    """The first segment of a stream opens its decode; the later ones belong to it."""
    if not event.continues:
        _open_decode(drawing, event)
    drawing.segments[f"{event.branch}/{event.segment}"] = drawing.decodes[event.branch]


def _open_decode(drawing: Drawing, event: e.SegmentStarted) -> None:
    node = ids.decode_node(event.branch, event.segment)
    model = event.model or drawing.models[event.branch]
    attributes: dict[str, Value | None] = {
        names.OPERATION: names.CHAT,
        names.SPAN_KIND: names.LLM,
        names.REQUEST_MODEL: model,
        names.REQUEST_MAX_TOKENS: event.max_tokens,
        names.REQUEST_TEMPERATURE: None if event.temperature is None else float(event.temperature),
        names.REQUEST_TOP_P: None if event.top_p is None else float(event.top_p),
        names.REQUEST_STREAM: True,
        names.OUTPUT_TYPE: event.output_type or None,
        names.REQUEST_SEED: event.seed,
        names.BRANCH: event.branch,
        names.ATTEMPT: event.attempt,
        names.SEGMENTS: 0,
        names.GRAMMAR: event.grammar,
        names.STRUCTURED: event.structured or None,
        names.INSERTED: len(event.inserted) or None,
    }
    known = {name: value for name, value in attributes.items() if value is not None}
    drawing.open(node, ids.branch_node(event.branch), f"{names.CHAT} {model}", known)
    drawing.decodes[event.branch] = node
    if drawing.state is not None:
        sent = messages_of_context(render(drawing.state, event.branch))
        drawing.nodes[node].content = Content(sent)
        branch = drawing.nodes[ids.branch_node(event.branch)]
        branch.content = branch.content or Content(sent)


def hedged(drawing: Drawing, _: Record, event: e.SegmentHedged) -> None:
    """The second decode of a late segment, which is asked for the same."""
    first = drawing.nodes[ids.decode_node(event.branch, event.segment)]
    second = ids.decode_node(event.branch, event.segment, 1)
    drawing.open(second, first.parent, first.name, first.attributes)
    drawing.nodes[second].content = Content(first.content.sent) if first.content is not None else None


def segment_finished(drawing: Drawing, _: Record, event: e.SegmentFinished) -> None:
    if event.copy:
        second = ids.decode_node(event.branch, event.segment, 1)
        drawing.decodes[event.branch] = drawing.segments[f"{event.branch}/{event.segment}"] = second
    _end_segment(drawing, drawing.nodes[drawing.decodes[event.branch]], event.decoded)


def hedge_lost(drawing: Drawing, _: Record, event: e.HedgeLost) -> None:
    node = drawing.nodes[ids.decode_node(event.branch, event.segment, event.copy)]
    _end_segment(drawing, node, event.decoded)
    node.attributes[names.LOST] = True


def _end_segment(drawing: Drawing, node: Node, decoded: Decoded) -> None:
    if node.attributes[names.SEGMENTS] == 0:
        _begin(node, decoded)
    _add(node, decoded)
    if not decoded.open:
        node.end = _nanoseconds(decoded.timing.finished) or drawing.now
        node.status = Status.ERROR if decoded.fault else Status.OK


def _begin(node: Node, decoded: Decoded) -> None:
    """What only a decode's first segment tells: who decodes, and how long it waited for its first token."""
    timing = decoded.timing
    node.start = _nanoseconds(timing.submitted) or node.start
    node.kind = Kind.CLIENT if decoded.engine in REMOTE else Kind.INTERNAL
    waits = {
        names.QUEUE_SECONDS: _between(timing.submitted, timing.scheduled),
        names.PREFILL_SECONDS: _between(timing.scheduled, timing.first_token),
        names.TIME_TO_FIRST_CHUNK: _between(timing.submitted, timing.first_token),
    }
    node.attributes |= {names.PROVIDER: _provider(decoded), names.REPLICA: decoded.replica}
    if decoded.served.host:
        node.attributes |= {names.SERVER_ADDRESS: decoded.served.host, names.SERVER_PORT: decoded.served.port}
    node.attributes |= {name: seconds for name, seconds in waits.items() if seconds is not None}


def _provider(decoded: Decoded) -> str:
    """Who decoded, as far as it is known: no upstream is called OpenAI but OpenAI."""
    return decoded.served.provider or (decoded.engine if decoded.engine in _IN_PROCESS else names.UNKNOWN)


def _add(node: Node, decoded: Decoded) -> None:
    told = node.attributes
    told[names.SEGMENTS] = _number(told, names.SEGMENTS) + 1
    told[names.INPUT_TOKENS] = _number(told, names.INPUT_TOKENS) + decoded.usage.prompt_tokens
    told[names.CACHED_TOKENS] = _number(told, names.CACHED_TOKENS) + decoded.usage.cached_tokens
    told[names.OUTPUT_TOKENS] = _number(told, names.OUTPUT_TOKENS) + decoded.usage.completion_tokens
    if decoded.usage.reasoning_tokens:
        told[names.REASONING_TOKENS] = _number(told, names.REASONING_TOKENS) + decoded.usage.reasoning_tokens
    if decoded.served.model:
        told[names.RESPONSE_MODEL] = decoded.served.model
    told[names.FINISH] = decoded.finish.value
    told[names.FINISH_REASONS] = ("tool_call" if decoded.calls else _REASONS.get(decoded.finish, "stop"),)
    if node.content is not None:
        node.content.text += decoded.text
        node.content.thought += decoded.thought
        node.content.calls, node.content.ended = decoded.calls, True
    if decoded.usage_at_least:
        told[names.AT_LEAST] = True
    seconds = _between(_first_token(decoded.timing), decoded.timing.finished)
    if seconds is not None:
        told[names.DECODE_SECONDS] = _number(told, names.DECODE_SECONDS) + seconds
    if decoded.fault:
        told[names.ERROR_TYPE] = decoded.fault.cause
        told[names.REASON] = decoded.fault.detail


def _first_token(timing: Timing) -> float:
    """A later segment of a stream may have been decoding since it was 'submitted': at the end of the one before."""
    return timing.first_token or timing.submitted


def _number(attributes: Mapping[str, Value], name: str) -> float:
    value = attributes.get(name, 0)
    return value if isinstance(value, int | float) else 0


def _between(start: float, end: float) -> float | None:
    return max(0.0, end - start) if start and end else None


def _nanoseconds(unix_seconds: float) -> int:
    return round(unix_seconds * 1e9)


def _count_child(fork: Node, child: BranchId) -> None:
    before = fork.attributes.get(names.BRANCHES, ())
    fork.attributes[names.BRANCHES] = (*before, child) if isinstance(before, tuple) else (child,)


def _told_of_child(event: e.BranchForked) -> dict[str, Value]:
    told: dict[str, Value] = {}
    if event.label:
        told[names.LABEL] = event.label
    if event.policy:
        told |= {names.POLICY: event.policy, names.PARAMS: canonical(dict(event.params))}
    if event.tool:
        told[names.TOOL_NAME] = event.tool
    return told
