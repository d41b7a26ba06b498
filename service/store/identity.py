"""Makes UUIDv7 (RFC 9562, section 5.7): ids that sort by the time at which they were made."""

import hashlib
import secrets
import time
from datetime import datetime
from uuid import UUID

from anabranch.dag.ids import JobId


def new_id() -> JobId:
    """A job's id: this millisecond, then chance."""
    return JobId(_uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(16)))


def approval_id(job: str, ordinal: int, at: datetime) -> str:
    """An approval's id: when it was asked for, then a digest, so that a rebuild from the journal finds the same."""
    digest = hashlib.sha256(f"{job}/approval/{ordinal}".encode()).digest()[:16]
    return _uuid7(int(at.timestamp() * 1000), digest)


def _uuid7(milliseconds: int, rest: bytes) -> str:
    low = int.from_bytes(rest) & ((1 << 80) - 1)
    bits = (milliseconds << 80) | low
    bits = bits & ~(0xF << 76) | (0x7 << 76)
    return str(UUID(int=bits & ~(0x3 << 62) | (0x2 << 62)))
