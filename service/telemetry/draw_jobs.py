"""Draws the events of a job, of its joins and of its approvals in its trace."""

from anabranch.dag import events as e
from anabranch.dag.events import Record
from anabranch.dag.ids import TRUNK
from anabranch.dag.journal.chain import canonical
from anabranch.dag.journal.wording import in_current_words
from anabranch.dag.status import JobStatus
from anabranch.service.policies import effective_params
from anabranch.service.telemetry import ids, names
from anabranch.service.telemetry.draw_branches import open_branch
from anabranch.service.telemetry.drawing import Drawing
from anabranch.service.telemetry.messages import Content, messages_of_job
from anabranch.service.telemetry.span import Kind, Status, Value


def submitted(drawing: Drawing, record: Record, event: e.JobSubmitted) -> None:
    spec = event.spec
    drawing.models[TRUNK] = spec.model or drawing.pool_model
    attributes: dict[str, Value] = {
        names.OPERATION: names.INVOKE_WORKFLOW,
        names.AGENT_NAME: names.WORKFLOW,
        names.WORKFLOW_NAME: names.WORKFLOW,
        names.SPAN_KIND: names.CHAIN,
        names.JOB: record.job,
        names.POLICY: spec.policy,
        names.PARAMS: canonical(effective_params(spec.policy, event.policy_version, spec.params)),
        names.POLICY_VERSION: event.policy_version,
        names.REQUEST_SEED: spec.seed,
    }
    drawing.open(ids.JOB_NODE, None, f"{names.INVOKE_WORKFLOW} {names.WORKFLOW}", attributes)
    if drawing.state is not None:
        drawing.nodes[ids.JOB_NODE].content = Content(messages_of_job(spec))
    route: dict[str, Value] = {names.HTTP_METHOD: "POST", names.HTTP_ROUTE: "/v1/jobs"}
    drawing.open(ids.SUBMIT_NODE, ids.JOB_NODE, names.SUBMIT, route, Kind.SERVER)
    drawing.close(ids.SUBMIT_NODE)


def claimed(drawing: Drawing, record: Record, event: e.JobClaimed) -> None:
    attributes: dict[str, Value] = {
        names.SPAN_KIND: names.CHAIN,
        names.OWNER: event.owner,
        names.ATTEMPT: event.attempt,
        names.EPOCH: record.epoch,
    }
    if drawing.claim != ids.JOB_NODE:
        drawing.close(drawing.claim, Status.UNSET, {names.REASON: "the job was claimed anew"})
    drawing.claim = ids.claim_node(record.epoch)
    drawing.open(drawing.claim, ids.JOB_NODE, names.ORGANIZE, attributes)
    if ids.branch_node(TRUNK) not in drawing.nodes:
        open_branch(drawing, TRUNK, drawing.claim, "trunk", {})


def answered(drawing: Drawing, _: Record, event: e.AnswerCommitted) -> None:
    job = drawing.nodes[ids.JOB_NODE]
    job.attributes[names.SOURCES] = tuple(event.sources)
    if job.content is not None:
        job.content.text, job.content.calls, job.content.ended = event.text, event.calls, True


def limited(drawing: Drawing, _: Record, event: e.WindUpRequested | e.BudgetExceeded) -> None:
    """A budget that is nearly spent is told as that, and not among those that ran out."""
    told = drawing.nodes[ids.JOB_NODE].attributes
    match in_current_words(event):
        case e.WindUpRequested(resource=resource):
            told[names.WIND_UP] = resource.value
        case e.BudgetExceeded(resource=resource):
            before = told.get(names.EXCEEDED, ())
            told[names.EXCEEDED] = (*(before if isinstance(before, tuple) else ()), resource.value)
        case _:
            pass


def succeeded(drawing: Drawing, _: Record, __: e.JobSucceeded) -> None:
    _end(drawing, Status.OK, {names.STATUS: JobStatus.SUCCEEDED.value})


def failed(drawing: Drawing, _: Record, event: e.JobFailed) -> None:
    _end(
        drawing,
        Status.ERROR,
        {names.STATUS: JobStatus.FAILED.value, names.ERROR_TYPE: event.type, names.REASON: event.title},
    )


def cancelled(drawing: Drawing, _: Record, event: e.JobCancelled) -> None:
    _end(drawing, Status.UNSET, {names.STATUS: JobStatus.CANCELLED.value, names.REASON: event.reason})


def join_requested(drawing: Drawing, _: Record, event: e.JoinRequested) -> None:
    attributes: dict[str, Value] = {
        names.SPAN_KIND: names.CHAIN,
        names.BRANCH: event.branch,
        names.MODE: event.mode.value,
        names.BRANCHES: tuple(event.targets),
    }
    node = ids.join_node(event.branch, event.join)
    drawing.open(node, ids.branch_node(event.branch), names.JOIN, attributes)


def joined(drawing: Drawing, _: Record, event: e.BranchesJoined) -> None:
    node = ids.join_node(event.branch, event.join)
    drawing.link(node, event.joined, "join")
    told: dict[str, Value] = {names.PENDING: tuple(event.pending), names.FAILED: tuple(event.failed)}
    drawing.close(node, Status.OK, {name: branches for name, branches in told.items() if branches})


def approval_requested(drawing: Drawing, _: Record, event: e.ApprovalRequested) -> None:
    attributes: dict[str, Value] = {names.SPAN_KIND: names.CHAIN, names.GATE: event.gate}
    node = ids.approval_node(event.approval)
    drawing.open(node, ids.branch_node(event.branch), f"{names.APPROVAL} {event.gate}", attributes)


def approval_decided(drawing: Drawing, _: Record, event: e.ApprovalDecided) -> None:
    drawing.close(ids.approval_node(event.approval), Status.OK, {names.DECISION: event.decision.value})


def _end(drawing: Drawing, status: Status, told: dict[str, Value]) -> None:
    if drawing.claim != ids.JOB_NODE:
        drawing.close(drawing.claim)
    drawing.close(ids.JOB_NODE, status, told)
