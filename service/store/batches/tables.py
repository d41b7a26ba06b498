"""Declares the tables of batches. A file is its lines, a row each; so is what came of a batch. Times are UTC."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    UniqueConstraint,
    false,
    text,
)

from anabranch.service.store.sql.columns import Json, PlainText, UtcTime
from anabranch.service.store.sql.tables import metadata

files = Table(
    "files",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("tenant", PlainText, nullable=False),
    Column("filename", PlainText, nullable=False),
    Column("endpoint", PlainText, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("whole", Boolean, nullable=False, server_default=false()),
    Index("files_newest", "created_at", "id"),
)
"""What was uploaded. `whole` is set when all its lines are there: until then it does not exist for anybody."""

file_lines = Table(
    "file_lines",
    metadata,
    Column("file_id", PlainText, ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("custom_id", PlainText, nullable=False),
    Column("text", PlainText, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("tenant", PlainText, nullable=False),
    Column("idempotency_key", PlainText),
    Column("body_digest", PlainText),
    Column("file_id", PlainText, nullable=False),
    Column("endpoint", PlainText, nullable=False),
    Column("completion_window", PlainText, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    # -- how far it is
    Column("begun", Integer, nullable=False, server_default="0"),
    Column("succeeded", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("stopping", PlainText),
    Column("stopping_at", UtcTime),
    Column("ended_at", UtcTime),
    UniqueConstraint("tenant", "idempotency_key"),
    Index("batches_newest", "created_at", "id"),
    Index(
        "batches_live",
        "created_at",
        postgresql_where=text("ended_at IS NULL"),
        sqlite_where=text("ended_at IS NULL"),
    ),
)
"""`begun` is the number of the last line that has a row in `batch_lines`: lines begin in the order of the file."""

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch_id", PlainText, ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("custom_id", PlainText, nullable=False),
    Column("succeeded", Boolean),
    Column("result", PlainText),
    Index(
        "batch_lines_open",
        "batch_id",
        "number",
        postgresql_where=text("result IS NULL"),
        sqlite_where=text("result IS NULL"),
    ),
)
"""The lines that have begun; `result` is the line of the output that came of one, once its jobs have ended."""

batch_jobs = Table(
    "batch_jobs",
    metadata,
    Column("job_id", PlainText, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("batch_id", PlainText, nullable=False),
    Column("number", Integer, nullable=False),
    Column("choice", Integer, nullable=False),
    ForeignKeyConstraint(
        ["batch_id", "number"], ["batch_lines.batch_id", "batch_lines.number"], ondelete="CASCADE"
    ),
    Index("batch_jobs_of_line", "batch_id", "number", "choice"),
)
"""The jobs of the lines; one of several choices has a job for each."""
