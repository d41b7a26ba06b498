"""Makes trace and span ids. A span's id is a digest of its job and node, so a trace can be rebuilt from the journal."""

import hashlib
import re
import secrets
from dataclasses import dataclass

from anabranch.dag.ids import BranchId, JobId

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16

JOB_NODE = "job"
SUBMIT_NODE = "submit"


def claim_node(epoch: int) -> str:
    return f"claim/{epoch}"


def branch_node(branch: BranchId) -> str:
    return f"branch/{branch}"


def fork_node(first_child: BranchId) -> str:
    return f"fork/{first_child}"


def join_node(branch: BranchId, join: int) -> str:
    return f"join/{branch}/{join}"


def approval_node(approval: int) -> str:
    return f"approval/{approval}"


def decode_node(branch: BranchId, segment: int, copy: int = 0) -> str:
    """A decode is named by the first segment that it produces (`workers.messages.Key`); a second one of the same as in
    the reasoning graph."""
    return f"decode/{branch}/{segment}{'h' if copy else ''}"


def span_id_of(job: JobId, node: str) -> str:
    """16 hex digits."""
    return hashlib.sha256(f"{job}/{node}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class TraceOrigin:
    """Who asked: the trace that a job belongs to and the origin's span in it, None where the trace begins here."""

    trace_id: str
    span_id: str | None = None


def read_traceparent(header: str | None) -> TraceOrigin:
    """The origin named by a W3C traceparent header. Without one, or with one that is not valid, a new trace."""
    match = _TRACEPARENT.fullmatch(header or "")
    if match is None or match[1] == _NO_TRACE or match[2] == _NO_SPAN:
        return TraceOrigin(secrets.token_hex(16))
    return TraceOrigin(match[1], match[2])


def origin_of_job(trace_id: str, header: str | None) -> TraceOrigin:
    """The origin as the job's row keeps it: its trace, and the traceparent header of the request."""
    match = _TRACEPARENT.fullmatch(header or "")
    return TraceOrigin(trace_id, match[2] if match and match[1] == trace_id else None)


def traceparent(trace_id: str, span_id: str) -> str:
    """The W3C header that makes `span_id` the parent of whatever the receiver records. Always sampled."""
    return f"00-{trace_id}-{span_id}-01"
