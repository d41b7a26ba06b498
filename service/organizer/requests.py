"""A decode as the worker pool is asked for it."""

from dataclasses import replace

from anabranch.dag import commands as c
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec, Sampling
from anabranch.service.telemetry import ids as trace
from anabranch.workers.messages import DecodeRequest, Key


def request_of(command: c.Decode, job: JobId, spec: JobSpec, trace_id: str, now: float) -> DecodeRequest:
    """What the policy left open is taken from the job's own sampling."""
    span = trace.span_id_of(job, trace.decode_node(command.branch, command.segment))
    decoding, usual = command.decoding, spec.sampling
    return DecodeRequest(
        key=Key(job=job, branch=command.branch, segment=command.segment),
        context=command.context,
        decoding=replace(decoding, max_tokens=command.max_tokens),
        sampling=Sampling(
            temperature=usual.temperature if decoding.temperature is None else decoding.temperature,
            top_p=usual.top_p if decoding.top_p is None else decoding.top_p,
            max_tokens=command.max_tokens,
        ),
        seed=command.seed,
        model=command.model,
        priority=spec.priority,
        submitted=now,
        trace={"traceparent": trace.traceparent(trace_id, span)},
        affinity=f"{job}/{command.affinity}",
    )
