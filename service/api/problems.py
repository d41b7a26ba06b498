"""Writes refusals as RFC 9457 problem details, by the one table from what went wrong to what a client is told.

Whatever is answered from here, nothing was written; but for `stopping`, which names the job that was.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from anabranch.dag.errors import UnknownPolicy
from anabranch.service.api.openai_errors import refusal_json, speaks_openai
from anabranch.service.store.errors import (
    AlreadyDecided,
    ApprovalWithdrawn,
    BadCursor,
    BatchConflict,
    DamagedPack,
    EvaluationConflict,
    FileInUse,
    IdempotencyConflict,
    JobEnded,
    JobNotEnded,
    NotFound,
    QuotaSpent,
    StoreAway,
    StoreError,
    UnreadableFormat,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "1"}
log = logging.getLogger(__name__)


class Fault(BaseModel):
    path: str = Field(examples=["policy.params.n"])
    message: str = Field(examples=["Input should be a valid integer"])


class ProblemDetails(BaseModel):
    """RFC 9457. `errors` names each wrong field."""

    type: str = Field(examples=["urn:anabranch:bad-input"])
    title: str
    status: int
    detail: str
    errors: list[Fault] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    status: int
    name: str
    """Last part of the problem's type."""
    title: str
    detail: str
    errors: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, path: str) -> JSONResponse:
        """The problem document for who asked for this path; OpenAI's clients read the same under `error`."""
        told = ProblemDetails(
            type=f"urn:anabranch:{self.name}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            errors=list(self.errors) or None,
        )
        content = told.model_dump(exclude_none=True)
        if speaks_openai(path):
            param = self.errors[0].path if self.errors else None
            content |= refusal_json(self.status, self.name, self.detail, param)
        return JSONResponse(content, self.status, dict(self.headers), media_type=MEDIA_TYPE)


class Refused(HTTPException):
    """Raised where a request is found wrong. (FastAPI lets an HTTPException through where it reads a body.)"""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status, refusal.detail)
        self.refusal = refusal


def bad_input(faults: Sequence[Fault]) -> Refused:
    """422: what was sent can be read, and is wrong."""
    return Refused(_bad_input(faults))


def bad_request(name: str, detail: str) -> Refused:
    """400: what was sent cannot be made sense of."""
    return Refused(Refusal(status=400, name=name, title="The request makes no sense", detail=detail))


def stopping(job: str) -> Refusal:
    """503: the client waits here for the answer of this job, and this server stops."""
    return Refusal(
        status=503, name="stopping", title="This server stops", headers=RETRY_AFTER,
        detail=f"Job {job} was taken, and goes on. When a server is back: GET /v1/jobs/{job} has its answer.",
    )  # fmt: skip


def faults_of(error: ValidationError | RequestValidationError, under: str = "") -> list[Fault]:
    """What Pydantic found, with dotted paths into the body (or the plain name of a query parameter or header)."""
    return [
        Fault(path=_path(found["loc"], under), message=found["msg"].removeprefix("Value error, "))
        for found in error.errors()
    ]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: the refusals that it may answer with."""
    return {
        status: {"model": ProblemDetails, "description": HTTPStatus(status).phrase}
        for status in (*statuses, 422, 503)
    }


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    for kind in (Refused, StoreError, UnknownPolicy, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    refusal = refusal_of(error)
    if refusal.status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_methods_of(request))
        detail = f"{request.url.path} can be asked with {allowed}, not with {request.method}."
        refusal = replace(refusal, detail=detail, headers={"Allow": allowed})
    if refusal.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return refusal.response(request.url.path)


CONFLICTS: Mapping[type[StoreError], tuple[str, str]] = {
    IdempotencyConflict: ("idempotency-conflict", "The key was used before"),
    BatchConflict: ("idempotency-conflict", "The key was used before"),
    EvaluationConflict: ("evaluation-conflict", "The name was used before"),
    FileInUse: ("file-in-use", "The file is in use"),
    AlreadyDecided: ("already-decided", "Decided before"),
    ApprovalWithdrawn: ("approval-withdrawn", "Nobody waits for this"),
    JobEnded: ("job-ended", "The job has ended"),
    JobNotEnded: ("not-ended", "The job has not ended"),
}
"""What the store refuses because of what it holds, by name and title: 409."""


def refusal_of(error: Exception) -> Refusal:
    """The one table from error to answer."""
    match error:
        case Refused():
            return error.refusal
        case BadCursor():
            return bad_request("bad-cursor", str(error)).refusal
        case NotFound():
            return Refusal(status=404, name="not-found", title="No such thing", detail=str(error))
        case StoreError() if type(error) in CONFLICTS:
            name, title = CONFLICTS[type(error)]
            return Refusal(status=409, name=name, title=title, detail=str(error))
        case QuotaSpent():
            return Refusal(
                status=429, name="quota-spent", title="The quota is spent", detail=str(error),
                headers={"Retry-After": str(ceil(error.retry_after))},
            )  # fmt: skip
        case UnknownPolicy():
            return _bad_input([Fault(path="policy.name", message=str(error))])
        case UnreadableFormat():
            return Refusal(
                status=501, name="newer-journal", title="A newer release wrote it", detail=str(error)
            )
        case DamagedPack():
            return Refusal(
                status=500, name="damaged-journal", title="A journal is damaged", detail=str(error)
            )
        case StoreAway():
            return Refusal(
                status=503, name="store-away", title="The store is away", headers=RETRY_AFTER,
                detail=str(error),
            )  # fmt: skip
        case RequestValidationError():
            return _unreadable(error) or _bad_input(faults_of(error))
        case HTTPException():
            return _plain(error)
        case _:
            return Refusal(
                status=500, name="internal", title="A fault of this service",
                detail="The service's log tells more. Whether something was written: ask for the job again.",
            )  # fmt: skip


def _methods_of(request: Request) -> list[str]:
    """What this path can be asked for: several routes may share it, and Starlette tells only of the first.

    A path without a route is a page of the dashboard.
    """
    path = request.url.path
    routes = [
        route for route in request.app.routes if isinstance(route, Route) and route.path_regex.match(path)
    ]
    methods = {method for route in routes for method in route.methods or ()}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods or {"GET", "HEAD"})


def _unreadable(error: RequestValidationError) -> Refusal | None:
    for found in error.errors():
        if found["type"] == "json_invalid":
            reason = found.get("ctx", {}).get("error", found["msg"])
            detail = f"The body is not JSON: {reason}."
            return Refusal(status=400, name="malformed-json", title="The body is not JSON", detail=detail)
    return None


def _plain(error: HTTPException) -> Refusal:
    title = HTTPStatus(error.status_code).phrase
    name = title.lower().replace(" ", "-")
    return Refusal(
        status=error.status_code,
        name=name,
        title=title,
        detail=str(error.detail),
        headers=error.headers or {},
    )


def _bad_input(faults: Sequence[Fault]) -> Refusal:
    detail = "; ".join(f"{fault.path}: {fault.message}" for fault in faults)
    return Refusal(status=422, name="bad-input", title="The input is wrong", detail=detail, errors=faults)


def _path(location: tuple[Any, ...], under: str) -> str:
    parts = location[1:] if location and location[0] in {"body", "query", "path", "header"} else location
    return ".".join(str(part) for part in ((under, *parts) if under else parts)) or "body"
