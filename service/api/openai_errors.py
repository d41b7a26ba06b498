"""Writes errors in OpenAI's form, which its clients read, raise and retry by: `type` is the kind, `code` the exact
reason.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from anabranch.dag.vocabulary import Cause, Failure
from anabranch.service.api.views.job import JobView

OWN_PATHS = {"jobs", "approvals", "evaluations", "exports", "key", "policies", "stream", "webhooks"}
"""What below /v1 is Anabranch's own; all the rest there is OpenAI's, whether it is served here or not."""
WITHOUT_V1 = {"chat", "completions", "embeddings", "models", "responses", "files", "batches"}
"""Where a client asks whose base URL lacks /v1."""
CODES = {
    "not-found": "unknown_url",
    "no-key": "invalid_api_key",
    "bad-input": "invalid_value",
    "malformed-json": "invalid_json",
    "quota-spent": "rate_limit_exceeded",
    "too-many-requests": "rate_limit_exceeded",
    "too-many-streams": "rate_limit_exceeded",
}
"""OpenAI's own words for our problems' names."""
JOB_CODES: Mapping[str, tuple[int, str]] = {
    Cause.PROMPT_TOO_LONG: (HTTPStatus.BAD_REQUEST, "context_length_exceeded"),
    Cause.REFUSED: (HTTPStatus.BAD_REQUEST, "refused"),
    Failure.REJECTED: (HTTPStatus.FORBIDDEN, "rejected"),
    Cause.DEADLINE: (HTTPStatus.REQUEST_TIMEOUT, "deadline"),
    Cause.UPSTREAM_DENIED: (HTTPStatus.BAD_GATEWAY, "upstream_denied"),
}
"""How a job may fail by what its client asked, by a person's word, or by who decodes for the service; all other
failures are the service's."""


def speaks_openai(path: str) -> bool:
    """Whether whoever asks for this path reads errors as OpenAI writes them."""
    root, _, rest = path.lstrip("/").partition("/")
    return root in WITHOUT_V1 or (root == "v1" and rest.partition("/")[0] not in OWN_PATHS)


def error_json(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": _kind(status), "param": param, "code": code}}


def refusal_json(status: int, name: str, detail: str, param: str | None) -> dict[str, Any]:
    """The `error` of a request that was refused with the problem of this name."""
    return error_json(status, CODES.get(name, name.replace("-", "_")), detail, param)


def failure_json(job: JobView) -> tuple[int, dict[str, Any]]:
    """The status and the `error` of a job that ended without an answer."""
    if job.error is None:
        message = f"Job {job.id} was cancelled. Nothing was answered; ask again if an answer is still wanted."
        return HTTPStatus.CONFLICT, error_json(HTTPStatus.CONFLICT, "cancelled", message)
    message = f"{job.error.title}. {job.error.detail}".strip()
    status, code = JOB_CODES.get(job.error.type, (HTTPStatus.INTERNAL_SERVER_ERROR, job.error.type))
    return status, error_json(status, code, message)


def replaced_json(job: str) -> dict[str, Any]:
    """The `error` of a stream that has told text which is not the answer."""
    message = (
        f"The final thought was given up after it had begun, and another was written: what was told is not the answer. "
        f"Job {job} has it: GET /v1/jobs/{job}."
    )
    return error_json(HTTPStatus.INTERNAL_SERVER_ERROR, "answer_replaced", message)


def _kind(status: int) -> str:
    match status:
        case 429:
            return "rate_limit_error"
        case 403:
            return "permission_error"
        case _:
            return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
