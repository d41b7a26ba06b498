"""Describes batches as the service tells them, typed."""

from collections.abc import Mapping

from anabranch.service.client.results import Told

GOING = {"in_progress", "cancelling", "finalizing"}


class RequestCounts(Told):
    """Lines of a batch: all, and those that have ended."""

    total: int
    completed: int
    failed: int


class Batch(Told):
    """A batch as it stands, in the shape of OpenAI's Batch API."""

    id: str
    endpoint: str
    status: str
    input_file_id: str
    completion_window: str
    created_at: int
    """Unix seconds."""
    expires_at: int
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: RequestCounts
    metadata: Mapping[str, str] = {}

    @property
    def ended(self) -> bool:
        return self.status not in GOING
