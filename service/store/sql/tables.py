"""Declares the tables. `events`, with `packs` of old ones, is the truth; `branches`, `segments`, `joins` and parts of
`jobs` and `approvals` fold it.

`migrations/` makes them; a test holds the two equal. There is one view besides, `usage`: the ledger of tokens and
cost. Times are UTC.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    UniqueConstraint,
    false,
    text,
    true,
)

from anabranch.dag.status import ENDED, BranchStatus, JobStatus
from anabranch.service.store.sql.columns import ExactJson, Json, PlainText, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)

STATUS = f"CASE WHEN phase = '{JobStatus.RUNNING}' AND approvals_pending > 0 THEN '{JobStatus.WAITING}' ELSE phase END"
"""`dag.status.job_status`, in SQL."""

_ENDED = ", ".join(f"'{status}'" for status in ENDED)
BRANCH_STATUS = (
    f"CASE WHEN phase IN ({_ENDED}) THEN phase"
    f" WHEN approvals_pending > 0 THEN '{BranchStatus.WAITING}'"
    f" WHEN open_segments > 0 THEN '{BranchStatus.DECODING}' ELSE phase END"
)
"""`dag.status.branch_status`, in SQL."""

UNDECLARED = ("searched", "jobs_searched", "jobs_most_")
"""How the names begin of what makes searches and sorted listings quick; migrations alone know it. See
`listings/search.py` and `listings/sorting.py`."""


def _job_key() -> Column[str]:
    return Column("job_id", PlainText, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)


def _index_where(rows: str, name: str, column: str) -> Index:
    """An index of these rows alone."""
    return Index(name, column, postgresql_where=text(rows), sqlite_where=text(rows))


def _tokens() -> tuple[Column[int], Column[int], Column[int], Column[int], Column[float]]:
    return (
        Column("prompt_tokens", BigInteger, nullable=False, server_default="0"),
        Column("cached_tokens", BigInteger, nullable=False, server_default="0"),
        Column("completion_tokens", BigInteger, nullable=False, server_default="0"),
        Column("reasoning_tokens", BigInteger, nullable=False, server_default="0"),
        Column("cost", Double, nullable=False, server_default="0"),
    )


jobs = Table(
    "jobs",
    metadata,
    # -- what was asked
    Column("id", PlainText, primary_key=True),
    Column("tenant", PlainText, nullable=False),
    Column("idempotency_key", PlainText),
    Column("body_digest", PlainText),
    Column("trace_id", PlainText, nullable=False),
    Column("traceparent", PlainText),
    Column("created_at", UtcTime, nullable=False),
    # -- the journal's end
    Column("head_seq", Integer, nullable=False),
    Column("head_hash", PlainText, nullable=False),
    Column("head_at", UtcTime, nullable=False),
    # -- who works on it
    Column("turn", UtcTime, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("lease_owner", PlainText),
    Column("lease_expires", UtcTime),
    Column("wake", Boolean, nullable=False, server_default=true()),
    Column("not_before", UtcTime),
    Column("cancel_requested", PlainText),
    # -- folded from the journal
    Column("phase", PlainText, nullable=False),
    Column("approvals_pending", Integer, nullable=False, server_default="0"),
    Column("status", PlainText, Computed(STATUS, persisted=True), nullable=False),
    Column("question", PlainText, nullable=False),
    Column("policy", PlainText, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("spec", Json, nullable=False),
    Column("policy_version", PlainText, nullable=False),
    Column("answer", Json),
    Column("error", Json),
    *_tokens(),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    # -- given with the last event, from dag.metrics
    Column("metrics", Json),
    # -- who tells it to Prometheus: one process
    Column("measured", Boolean, nullable=False, server_default=false()),
    # -- nothing of its journal is left to pack
    Column("packed", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("tenant", "idempotency_key"),
    _index_where("finished_at IS NULL", "jobs_claimable", "turn"),
    _index_where("finished_at IS NULL", "jobs_held", "lease_owner"),
    Index("jobs_of_tenant", "tenant", "finished_at"),
    _index_where("finished_at IS NOT NULL", "jobs_ended", "finished_at"),
    _index_where("NOT packed AND finished_at IS NOT NULL", "jobs_to_pack", "finished_at"),
    Index("jobs_newest", "created_at", "id"),
    Index("jobs_newest_by_status", "status", "created_at", "id"),
    Index("jobs_newest_of_tenant", "tenant", "created_at", "id"),
    Index("jobs_newest_of_tenant_by_status", "tenant", "status", "created_at", "id"),
    Index("jobs_newest_by_policy", "policy", "created_at", "id"),
)

events = Table(
    "events",
    metadata,
    _job_key(),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", PlainText, nullable=False),
    Column("branch", PlainText, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("payload", ExactJson, nullable=False),
    Column("prev_hash", PlainText, nullable=False),
    Column("hash", PlainText, nullable=False),
)

packs = Table(
    "packs",
    metadata,
    _job_key(),
    Column("last_seq", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

branches = Table(
    "branches",
    metadata,
    _job_key(),
    Column("branch", PlainText, primary_key=True),
    Column("parent", PlainText),
    Column("role", PlainText, nullable=False),
    Column("label", PlainText, nullable=False, server_default=""),
    Column("policy", PlainText),
    Column("model", PlainText),
    Column("tool", PlainText),
    Column("phase", PlainText, nullable=False),
    Column("open_segments", Integer, nullable=False, server_default="0"),
    Column("approvals_pending", Integer, nullable=False, server_default="0"),
    Column("status", PlainText, Computed(BRANCH_STATUS, persisted=True)),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("replica", PlainText),
    *_tokens(),
    Column("value", PlainText),
    Column("cause", PlainText),
    Column("consumed_by", PlainText),
    Column("forked_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("first_token_at", UtcTime),
    Column("finished_at", UtcTime),
)

segments = Table(
    "segments",
    metadata,
    _job_key(),
    Column("branch", PlainText, primary_key=True),
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("continues", Boolean, nullable=False, server_default=false()),
    Column("finish", PlainText),
    *_tokens(),
    Column("replica", PlainText),
    Column("engine", PlainText),
    Column("model", PlainText),
    Column("fault", PlainText),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    # -- as the replica's clock told them
    Column("submitted_at", UtcTime),
    Column("admitted_at", UtcTime),
    Column("scheduled_at", UtcTime),
    Column("first_token_at", UtcTime),
    Column("decoded_at", UtcTime),
)

joins = Table(
    "joins",
    metadata,
    _job_key(),
    Column("branch", PlainText, primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("mode", PlainText, nullable=False),
    Column("count", Integer, nullable=False, server_default="0"),
    Column("targets", Json, nullable=False),
    Column("joined", Json),
    Column("pending", Json),
    Column("failed", Json),
    Column("requested_at", UtcTime, nullable=False),
    Column("joined_at", UtcTime),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("job_id", PlainText, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("branch", PlainText, nullable=False),
    Column("gate", PlainText, nullable=False),
    Column("subject", PlainText, nullable=False),
    Column("timeout_seconds", Double),
    Column("at_timeout", PlainText, nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    # -- told by a person first, by the journal from `recorded` on
    Column("decision", PlainText),
    Column("edit", PlainText),
    Column("decided_by", PlainText),
    Column("reason", PlainText),
    Column("decided_at", UtcTime),
    Column("recorded", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("job_id", "ordinal"),
    _index_where("decision IS NULL", "approvals_undecided", "requested_at"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _job_key(),
    Column("branch", PlainText, primary_key=True),
    Column("segment", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("text", PlainText, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("thought", PlainText, nullable=False, server_default=""),
    Column("reasoning_tokens", Integer, nullable=False, server_default="0"),
    Column("second_tokens", Integer, nullable=False, server_default="0"),
    Column("second_reasoning_tokens", Integer, nullable=False, server_default="0"),
)

told_texts = Table(
    "told_texts",
    metadata,
    _job_key(),
    Column("branch", PlainText, primary_key=True),
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("thought_at", Integer, nullable=False),
    Column("thought", PlainText, nullable=False),
    Column("text_at", Integer, nullable=False),
    Column("text", PlainText, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("reasoning_tokens", Integer, nullable=False),
)
"""The text of open segments of final thoughts, piece by piece, before anybody is told it."""

organizers = Table(
    "organizers",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("address", PlainText, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Column("generation", Integer),
    Column("ready", Boolean, nullable=False, server_default=false()),
    Column("started", UtcTime),
    Column("load", Json),
)
"""Who runs jobs, where it is reached by the link, and how busy its pools are."""

generations = Table(
    "generations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    Column("started", UtcTime, nullable=False),
)
"""Organizers that came with one Ray cluster, in the order in which the clusters came."""

programs = Table(
    "programs",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("role", PlainText, nullable=False),
    Column("release", PlainText, nullable=False),
    Column("revision", PlainText, nullable=False),
    Column("expires", UtcTime, nullable=False),
)
"""Which processes work on this database, and the newest revision of the schema that each knows."""

keys = Table(
    "keys",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("tenant", PlainText, nullable=False),
    Column("digest", PlainText, nullable=False, unique=True),
    Column("roles", Json, nullable=False),
    Column("operator", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
)
"""Who may call the service, besides those of the tenants file."""

tenant_requests = Table(
    "tenant_requests",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("tenant", PlainText, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("tenant_requests_of_tenant", "tenant", "at"),
)
"""The requests of the last minute, of tenants that have a limit of them."""

tenant_streams = Table(
    "tenant_streams",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("tenant", PlainText, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Index("tenant_streams_of_tenant", "tenant", "expires"),
)
"""Streams that are open, of tenants that have a limit of them; each lives by a lease of its REST process."""

spans = Table(
    "spans",
    metadata,
    Column("trace_id", PlainText, primary_key=True),
    Column("span_id", PlainText, primary_key=True),
    Column("parent_span_id", PlainText),
    Column("job_id", PlainText),
    Column("name", PlainText, nullable=False),
    Column("kind", PlainText, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("status", PlainText, nullable=False),
    Column("attributes", Json, nullable=False),
    Column("links", Json, nullable=False),
    Index("spans_job_id", "job_id"),
)

responses = Table(
    "responses",
    metadata,
    _job_key(),
    Column("previous", PlainText),
    Column("request", Json, nullable=False),
)

suspicions = Table(
    "suspicions",
    metadata,
    _job_key(),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("head_seq", Integer, nullable=False),
    Column("owner", PlainText, nullable=False),
    Column("reason", PlainText, nullable=False),
    Column("at", UtcTime, nullable=False),
)

purged = Table(
    "purged",
    metadata,
    Column("job_id", PlainText, primary_key=True),
    Column("last_seq", Integer, nullable=False),
    Column("head_hash", PlainText, nullable=False),
    Column("at", UtcTime, nullable=False),
)
