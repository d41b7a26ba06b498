"""Asks who calls: a key in every request where there are tenants, and what its owner may see.

A key is a bearer token, or the password of a browser, which asks its user for it by itself.
"""

import base64
import binascii
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from anabranch.dag.ids import JobId
from anabranch.service.api.guards import PROBES
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.problems import Refusal, Refused
from anabranch.service.tenants.file import ANYBODY, Caller, Tenants

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Anabranch", charset="UTF-8"'}
"""For browsers, which read one challenge to a header; programs need none."""


class Keys:
    """ASGI middleware: nothing behind it is reached without a key. Without tenants, anybody may call."""

    def __init__(self, app: ASGIApp, *, tenants: Tenants | None) -> None:
        self._app = app
        self._tenants = tenants

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._tenants is None or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        caller = self._tenants.caller(_key_of(Headers(scope=scope)))
        if caller is None:
            await _no_key().response(scope["path"])(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


def find_caller(request: Request) -> Caller:
    return getattr(request.state, "caller", ANYBODY)


CurrentCaller = Annotated[Caller, Depends(find_caller)]


async def require_own_job(request: Request, deps: Injected, caller: CurrentCaller) -> None:
    """For every route: a job in its path must be the caller's. Another tenant's does not exist for it."""
    job = request.path_params.get("job")
    if job is not None and caller.scope is not None:
        await deps.store.jobs.get(JobId(job), caller.scope)


def require_operator(caller: CurrentCaller) -> None:
    """403 for tenants: what is told here is about all of them."""
    if caller.scope is not None:
        raise forbidden("This is for operators: it tells of all tenants.")


def forbidden(detail: str) -> Refused:
    return Refused(Refusal(status=403, name="forbidden", title="Not yours to see", detail=detail))


def _key_of(headers: Headers) -> str:
    """The empty string, which is nobody's key, where there is none."""
    scheme, _, told = headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return told.strip()
        case "basic":
            try:
                return base64.b64decode(told, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return ""
        case _:
            return ""


def _no_key() -> Refusal:
    detail = (
        "Send a key, as `Authorization: Bearer KEY`; the operator makes one with `anabranch keys new TENANT`. "
        "The command line takes it from ANABRANCH_KEY."
    )
    return Refusal(status=401, name="no-key", title="No valid key", detail=detail, headers=CHALLENGE)
