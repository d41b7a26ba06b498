"""Declares the tables of evaluations; none of them is folded from journals."""

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Table

from anabranch.service.store.sql.columns import Json, PlainText, UtcTime
from anabranch.service.store.sql.tables import metadata

evaluations = Table(
    "evaluations",
    metadata,
    Column("tenant", PlainText, primary_key=True),
    Column("run", PlainText, primary_key=True),
    Column("digest", PlainText, nullable=False),
    Column("design", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("evaluations_newest", "created_at"),
)

trials = Table(
    "trials",
    metadata,
    Column("tenant", PlainText, primary_key=True),
    Column("run", PlainText, primary_key=True),
    Column("task", PlainText, primary_key=True),
    Column("arm", PlainText, primary_key=True),
    Column("job", PlainText, nullable=False),
    Column("status", PlainText, nullable=False),
    Column("score", Double, nullable=False),
    Column("detail", PlainText, nullable=False, server_default=""),
    Column("critical_path_tokens", BigInteger, nullable=False),
    Column("total_tokens", BigInteger, nullable=False),
    Column("waste_tokens", BigInteger, nullable=False),
    Column("wall_seconds", Double, nullable=False),
    Column("cost", Double, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("trials_job", "job"),
)
"""What came of each task by each arm of an evaluation. They outlive their jobs."""

feedback = Table(
    "feedback",
    metadata,
    Column("job_id", PlainText, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("author", PlainText, primary_key=True),
    Column("score", Double, nullable=False),
    Column("comment", PlainText, nullable=False, server_default=""),
    Column("at", UtcTime, nullable=False),
)
"""What people think of answers: one rating of each author."""
