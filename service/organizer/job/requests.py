"""Words a decode as the worker pool is asked for it."""

from anabranch.dag import commands as c
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec
from anabranch.service.telemetry import ids as trace
from anabranch.workers.messages import DecodeRequest, Key


def request_of(command: c.Decode, job: JobId, spec: JobSpec, trace_id: str, now: float) -> DecodeRequest:
    """The request, with its trace and, for placement, the prefix that it shares."""
    span = trace.span_id_of(job, trace.decode_node(command.branch, command.segment))
    return DecodeRequest(
        key=Key(job=job, branch=command.branch, segment=command.segment, copy=command.copy),
        context=command.context,
        decoding=command.decoding,
        seed=command.seed,
        model=command.model,
        priority=spec.priority,
        submitted=now,
        trace={"traceparent": trace.traceparent(trace_id, span)},
        affinity=f"{job}/{command.affinity}",
    )
