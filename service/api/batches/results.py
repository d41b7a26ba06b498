"""Writes the line of the output that came of a line: the answer of its endpoint, or why there is none."""

import json
from collections.abc import Sequence
from typing import Any

from anabranch.dag.status import JobStatus
from anabranch.service.api.answering.chat import ChatWait
from anabranch.service.api.batches.asking import CHAT, RESPONSES, Json, response_request
from anabranch.service.api.batches.lines import read_line
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.openai_errors import failure_json, refusal_json
from anabranch.service.api.problems import Refusal
from anabranch.service.api.responses.serving import ResponseReader
from anabranch.service.api.views.chat.request import StreamOptions
from anabranch.service.api.views.job import job_view
from anabranch.service.api.views.model_name import write_model
from anabranch.service.store.batches.batches import PREFIX, BatchRow
from anabranch.service.store.batches.lines import EndedLine, Result
from anabranch.service.store.rows import JobRow

STOPPED = {
    "cancelled": "The batch was cancelled before this request had an answer.",
    "expired": "This request had no answer when the completion window of its batch was over.",
}
PURGED = "The job of this request was purged before its answer was read."


def refused_result(batch: BatchRow, number: int, custom_id: str, refusal: Refusal) -> str:
    """Of a line that was refused when it was to begin."""
    param = refusal.errors[0].path if refusal.errors else None
    body = refusal_json(refusal.status, refusal.name, refusal.detail, param)
    return _line(batch, number, custom_id, response=_response(refusal.status, None, body))


def stopped_result(batch: BatchRow, number: int, custom_id: str) -> str:
    """Of a line that never began, or that was cancelled with its batch."""
    assert batch.stopping is not None
    error = {"code": f"batch_{batch.stopping}", "message": STOPPED[batch.stopping]}
    return _line(batch, number, custom_id, error=error)


async def result_of(deps: Dependencies, batch: BatchRow, line: EndedLine, jobs: Sequence[JobRow]) -> Result:
    """Of a line whose jobs have ended."""
    if not jobs or len(jobs) < len(line.jobs):
        error = {"code": "purged", "message": PURGED}
        return Result(line.number, False, _line(batch, line.number, line.custom_id, error=error))
    if batch.stopping is not None and any(job.status is JobStatus.CANCELLED for job in jobs):
        return Result(line.number, False, stopped_result(batch, line.number, line.custom_id))
    status, body = await _answer(deps, batch, line, jobs)
    response = _response(status, ",".join(job.id for job in jobs), body)
    return Result(line.number, status < 400, _line(batch, line.number, line.custom_id, response=response))


async def _answer(
    deps: Dependencies, batch: BatchRow, line: EndedLine, jobs: Sequence[JobRow]
) -> tuple[int, Json]:
    """The status and the body with which the endpoint would have answered."""
    first = job_view(jobs[0])
    if batch.endpoint == CHAT:
        model = write_model(jobs[0].spec.policy, jobs[0].spec.model)
        return await ChatWait(deps, jobs, model, StreamOptions(), findable=True).read()
    if batch.endpoint == RESPONSES:
        if first.answer is None:
            return failure_json(first)
        (sent,) = await deps.store.files.read_lines(batch.file_id, line.number - 1, 1)
        asked = response_request(deps, read_line(sent.text, line.number).body)
        return 200, await ResponseReader(deps, jobs[0], asked).read()
    return 200 if first.answer is not None else failure_json(first)[0], first.model_dump(mode="json")


def _response(status: int, request: str | None, body: Json) -> Json:
    return {"status_code": status, "request_id": request or "", "body": body}


def _line(
    batch: BatchRow, number: int, custom_id: str, *, response: Json | None = None, error: Any = None
) -> str:
    id_ = f"batch_req_{batch.id.removeprefix(PREFIX)}-{number}"
    return json.dumps({"id": id_, "custom_id": custom_id, "response": response, "error": error})
