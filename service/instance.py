"""Names this process for those who look for it: an address, or a process's number, may be another's by then."""

import uuid

INSTANCE = uuid.uuid4().hex
"""Told by /healthz; a new one in each process."""
