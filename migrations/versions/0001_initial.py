"""Jobs, their journals, and what is folded from them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from anabranch.service.store.sql.columns import ExactJson

revision = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Time = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

STATUS = "CASE WHEN phase = 'running' AND approvals_pending > 0 THEN 'waiting' ELSE phase END"

USAGE = """
CREATE VIEW usage AS
SELECT segments.job_id, jobs.tenant, jobs.policy, segments.branch, segments.segment, segments.attempt,
       coalesce(branches.model, jobs.spec ->> 'model') AS model, segments.engine, segments.finished_at AS at,
       segments.prompt_tokens, segments.cached_tokens, segments.completion_tokens, segments.cost
FROM segments
JOIN jobs ON jobs.id = segments.job_id
JOIN branches ON branches.job_id = segments.job_id AND branches.branch = segments.branch
WHERE segments.finished_at IS NOT NULL
"""


def upgrade() -> None:
    _create_jobs()
    _create_events()
    _create_branches()
    _create_segments()
    _create_joins()
    _create_approvals()
    _create_checkpoints()
    _create_spans()
    _create_purged()
    op.execute(USAGE)


def downgrade() -> None:
    op.execute("DROP VIEW usage")
    for table in (
        "purged",
        "spans",
        "checkpoints",
        "approvals",
        "joins",
        "segments",
        "branches",
        "events",
        "jobs",
    ):
        op.drop_table(table)


def _needed(name: str, kind: Any, *constraints: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *constraints, nullable=False, **options)


def _of_job(table: str) -> tuple[sa.Column[Any], sa.ForeignKeyConstraint]:
    foreign = sa.ForeignKeyConstraint(
        ["job_id"], ["jobs.id"], name=f"{table}_job_id_fkey", ondelete="CASCADE"
    )
    return _needed("job_id", sa.Text), foreign


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"{table}_pkey")


def _tokens() -> tuple[sa.Column[Any], ...]:
    return (
        _needed("prompt_tokens", sa.BigInteger, server_default="0"),
        _needed("cached_tokens", sa.BigInteger, server_default="0"),
        _needed("completion_tokens", sa.BigInteger, server_default="0"),
        _needed("cost", sa.Double, server_default="0"),
    )


def _partial_index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        _needed("id", sa.Text),
        _needed("tenant", sa.Text),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("body_digest", sa.Text),
        _needed("trace_id", sa.Text),
        sa.Column("traceparent", sa.Text),
        _needed("created_at", Time),
        _needed("head_seq", sa.Integer),
        _needed("head_hash", sa.Text),
        _needed("head_at", Time),
        _needed("turn", Time),
        _needed("epoch", sa.Integer, server_default="0"),
        _needed("attempt", sa.Integer, server_default="1"),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_expires", Time),
        _needed("wake", sa.Boolean, server_default=sa.true()),
        sa.Column("not_before", Time),
        sa.Column("cancel_requested", sa.Text),
        _needed("phase", sa.Text),
        _needed("approvals_pending", sa.Integer, server_default="0"),
        _needed("status", sa.Text, sa.Computed(STATUS, persisted=True)),
        _needed("question", sa.Text),
        _needed("policy", sa.Text),
        _needed("priority", sa.SmallInteger),
        _needed("spec", Json),
        _needed("policy_version", sa.Text),
        sa.Column("answer", Json),
        sa.Column("error", Json),
        *_tokens(),
        sa.Column("started_at", Time),
        sa.Column("finished_at", Time),
        sa.Column("metrics", Json),
        _key("jobs", "id"),
        sa.UniqueConstraint("tenant", "idempotency_key", name="jobs_tenant_idempotency_key_key"),
    )
    _partial_index("jobs_claimable", "jobs", "turn", "finished_at IS NULL")
    _partial_index("jobs_lease_owner", "jobs", "lease_owner", "lease_owner IS NOT NULL")
    op.create_index("jobs_newest", "jobs", ["created_at", "id"])
    op.create_index("jobs_newest_by_status", "jobs", ["status", "created_at", "id"])
    op.create_index("jobs_newest_by_policy", "jobs", ["policy", "created_at", "id"])


def _create_events() -> None:
    op.create_table(
        "events",
        *_of_job("events"),
        _needed("seq", sa.Integer),
        _needed("epoch", sa.Integer),
        _needed("kind", sa.Text),
        _needed("branch", sa.Text),
        _needed("at", Time),
        _needed("payload", ExactJson),
        _needed("prev_hash", sa.Text),
        _needed("hash", sa.Text),
        _key("events", "job_id", "seq"),
    )


def _create_branches() -> None:
    op.create_table(
        "branches",
        *_of_job("branches"),
        _needed("branch", sa.Text),
        sa.Column("parent", sa.Text),
        _needed("role", sa.Text),
        _needed("label", sa.Text, server_default=""),
        sa.Column("policy", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("tool", sa.Text),
        _needed("status", sa.Text),
        _needed("attempts", sa.Integer, server_default="1"),
        sa.Column("replica", sa.Text),
        *_tokens(),
        sa.Column("value", sa.Text),
        sa.Column("cause", sa.Text),
        sa.Column("consumed_by", sa.Text),
        _needed("forked_at", Time),
        sa.Column("started_at", Time),
        sa.Column("first_token_at", Time),
        sa.Column("finished_at", Time),
        _key("branches", "job_id", "branch"),
    )


def _create_segments() -> None:
    op.create_table(
        "segments",
        *_of_job("segments"),
        _needed("branch", sa.Text),
        _needed("segment", sa.Integer),
        _needed("attempt", sa.Integer),
        _needed("continues", sa.Boolean, server_default=sa.false()),
        sa.Column("finish", sa.Text),
        *_tokens(),
        sa.Column("replica", sa.Text),
        sa.Column("engine", sa.Text),
        sa.Column("fault", sa.Text),
        sa.Column("started_at", Time),
        sa.Column("finished_at", Time),
        sa.Column("submitted_at", Time),
        sa.Column("admitted_at", Time),
        sa.Column("scheduled_at", Time),
        sa.Column("first_token_at", Time),
        sa.Column("decoded_at", Time),
        _key("segments", "job_id", "branch", "segment", "attempt"),
    )


def _create_joins() -> None:
    op.create_table(
        "joins",
        *_of_job("joins"),
        _needed("branch", sa.Text),
        _needed("ordinal", sa.Integer),
        _needed("mode", sa.Text),
        _needed("count", sa.Integer, server_default="0"),
        _needed("targets", Json),
        sa.Column("joined", Json),
        sa.Column("pending", Json),
        sa.Column("failed", Json),
        _needed("requested_at", Time),
        sa.Column("joined_at", Time),
        _key("joins", "job_id", "branch", "ordinal"),
    )


def _create_approvals() -> None:
    op.create_table(
        "approvals",
        _needed("id", sa.Text),
        *_of_job("approvals"),
        _needed("ordinal", sa.Integer),
        _needed("branch", sa.Text),
        _needed("gate", sa.Text),
        _needed("subject", sa.Text),
        sa.Column("timeout_seconds", sa.Double),
        _needed("at_timeout", sa.Text),
        _needed("requested_at", Time),
        sa.Column("decision", sa.Text),
        sa.Column("edit", sa.Text),
        sa.Column("decided_by", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("decided_at", Time),
        _needed("recorded", sa.Boolean, server_default=sa.false()),
        _key("approvals", "id"),
        sa.UniqueConstraint("job_id", "ordinal", name="approvals_job_id_ordinal_key"),
    )
    _partial_index("approvals_undecided", "approvals", "requested_at", "decision IS NULL")


def _create_checkpoints() -> None:
    op.create_table(
        "checkpoints",
        *_of_job("checkpoints"),
        _needed("branch", sa.Text),
        _needed("segment", sa.Integer),
        _needed("attempt", sa.Integer),
        _needed("text", sa.Text),
        _needed("tokens", sa.Integer),
        _needed("at", Time),
        _key("checkpoints", "job_id", "branch"),
    )


def _create_spans() -> None:
    op.create_table(
        "spans",
        _needed("trace_id", sa.Text),
        _needed("span_id", sa.Text),
        sa.Column("parent_span_id", sa.Text),
        sa.Column("job_id", sa.Text),
        _needed("name", sa.Text),
        _needed("kind", sa.Text),
        _needed("start_ns", sa.BigInteger),
        _needed("end_ns", sa.BigInteger),
        _needed("status", sa.Text),
        _needed("attributes", Json),
        _needed("links", Json),
        _key("spans", "trace_id", "span_id"),
    )
    op.create_index("spans_job_id", "spans", ["job_id"])


def _create_purged() -> None:
    op.create_table(
        "purged",
        _needed("job_id", sa.Text),
        _needed("last_seq", sa.Integer),
        _needed("head_hash", sa.Text),
        _needed("at", Time),
        _key("purged", "job_id"),
    )
