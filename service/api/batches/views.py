"""Writes files and batches in OpenAI's shapes."""

import re
from datetime import datetime
from typing import Any

from anabranch.service.store.batches.batches import PREFIX, BatchRow
from anabranch.service.store.batches.files import FileRow

Json = dict[str, Any]
OUTPUT, ERRORS = "output", "errors"
_RESULTS = re.compile(r"file-(?P<batch>[0-9a-f-]{36})-(?P<kind>output|errors)")


def file_json(file: FileRow) -> Json:
    told = {"id": file.id, "bytes": file.bytes, "created_at": _seconds(file.created_at)}
    return told | {"filename": file.filename, "object": "file", "purpose": "batch", "status": "processed"}


def results_json(batch: BatchRow, kind: str, size: int) -> Json:
    """The file of what came of the lines of a batch that has ended."""
    file = results_id(batch.id, kind)
    told = {"id": file, "bytes": size, "created_at": _seconds(batch.ended_at), "filename": f"{file}.jsonl"}
    return told | {"object": "file", "purpose": "batch_output", "status": "processed"}


def results_id(batch: str, kind: str) -> str:
    return f"file-{batch.removeprefix(PREFIX)}-{kind}"


def batch_of_results(file: str) -> tuple[str, str] | None:
    """The batch whose results this file has, and of which kind; None for any other file."""
    found = _RESULTS.fullmatch(file)
    return None if found is None else (PREFIX + found["batch"], found["kind"])


def batch_json(batch: BatchRow) -> Json:
    ended, why = batch.ended_at, batch.stopping
    status = status_of(batch)
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": None,
        "input_file_id": batch.file_id,
        "completion_window": batch.completion_window,
        "status": status,
        "output_file_id": results_id(batch.id, OUTPUT) if ended and batch.succeeded else None,
        "error_file_id": results_id(batch.id, ERRORS) if ended and batch.failed else None,
        "created_at": _seconds(batch.created_at),
        "in_progress_at": _seconds(batch.created_at),
        "expires_at": _seconds(batch.expires_at),
        "finalizing_at": _seconds(batch.stopping_at) if why == "expired" else None,
        "completed_at": _seconds(ended) if status == "completed" else None,
        "failed_at": None,
        "expired_at": _seconds(ended) if status == "expired" else None,
        "cancelling_at": _seconds(batch.stopping_at) if why == "cancelled" else None,
        "cancelled_at": _seconds(ended) if status == "cancelled" else None,
        "request_counts": {"total": batch.total, "completed": batch.succeeded, "failed": batch.failed},
        "metadata": dict(batch.metadata),
    }


def status_of(batch: BatchRow) -> str:
    if batch.ended_at is not None:
        return batch.stopping or "completed"
    match batch.stopping:
        case "cancelled":
            return "cancelling"
        case "expired":
            return "finalizing"
        case _:
            return "in_progress"


def list_json(items: list[Json], limit: int) -> Json:
    """A page of at most `limit`; of one more, which tells that there is more."""
    page = items[:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > limit,
    }


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
