"""Asks who calls: a key in every request where there are tenants, how often its owner calls, and what it may see.

A key is a bearer token, or the password of a browser, which asks its user for it by itself. Whoever has a stream open,
or waits for an answer, is asked again every two seconds: what a key has opened is closed when the key ends.
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anabranch.dag.ids import JobId
from anabranch.service.api.guards import PROBES
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.problems import Refusal, Refused, refusal_of
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.keys import digest
from anabranch.service.tenants.callers import ANYBODY, Caller
from anabranch.service.tenants.keyring import Keyring
from anabranch.service.tenants.limits import Counted, TenantLimits

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Anabranch", charset="UTF-8"'}
"""For browsers, which read one challenge to a header; programs need none."""
ASK_AGAIN_SECONDS = 2.0
STREAM_RETRY_SECONDS = 5
COUNTED = "/v1/"
"""What is counted as a request: not the files of the dashboard, nor what Prometheus reads."""
_END = {"type": "http.response.body", "body": b"", "more_body": False}


class Keys:
    """ASGI middleware: nothing behind it is reached without a key. Without tenants, anybody may call."""

    def __init__(self, app: ASGIApp, *, keyring: Keyring | None, limits: TenantLimits) -> None:
        self._app = app
        self._keyring = keyring
        self._limits = limits
        self._open: set[Call] = set()
        self._asking: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ring, path = self._keyring, scope["path"]
        if scope["type"] != "http" or ring is None or path in PROBES:
            await self._app(scope, receive, send)
            return
        key = _key_of(Headers(scope=scope))
        try:
            caller = await ring.find(key) if await ring.asks() else ANYBODY
            if caller is None:
                await _no_key().response(path)(scope, receive, send)
                return
            counted = await self._limits.count(caller) if path.startswith(COUNTED) else None
        except StoreAway as error:
            await refusal_of(error).response(path)(scope, receive, send)
            return
        if counted is not None and counted.refused:
            await _too_often(caller, counted).response(path)(scope, receive, send)
            return
        call = Call(caller, digest(key), self._limits)
        scope.setdefault("state", {})["call"] = call
        await self._answer(call, scope, receive, call.watch(send, counted.headers() if counted else {}))

    async def _answer(self, call: "Call", scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the app, until the key ends."""
        if call.caller is not ANYBODY:
            self._open.add(call)
            self._keep_asking()
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not call.ended or call.task.uncancel():
                raise
            if not call.started:
                await _no_key().response(scope["path"])(scope, receive, send)
            elif not call.sent:
                await send(_END)
        finally:
            self._open.discard(call)
            call.close_stream()

    def _keep_asking(self) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_again(), name="keys")

    async def _ask_again(self) -> None:
        """Ends the calls whose keys have ended, as long as any are under way."""
        while self._open and self._keyring is not None:
            await asyncio.sleep(ASK_AGAIN_SECONDS)
            asked = list(self._open)
            try:
                valid = await self._keyring.find_all({call.digest for call in asked})
            except StoreAway:
                continue
            for call in asked:
                if call.digest not in valid and call in self._open:
                    call.end()


class Call:
    """A request under way."""

    def __init__(self, caller: Caller, of_key: str, limits: TenantLimits) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.caller = caller
        self.digest = of_key
        self.task = task
        self.started = False
        self.sent = False
        self.ended = False
        self._limits = limits
        self._stream: str | None = None
        self._whole = False

    async def open_stream(self) -> None:
        """Counts the answer as a stream. Raises Refused where the tenant has as many open as it may, and StoreAway."""
        if self._stream is None:
            self._stream = await self._limits.open_stream(self.caller)
            if self._stream is None:
                raise Refused(_too_many_streams(self.caller))

    def close_stream(self) -> None:
        if self._stream is not None:
            self._limits.close_stream(self._stream)
        self._stream = None

    def end(self) -> None:
        """Stops the answer, unless it is being sent whole and is nearly there."""
        if not (self._whole or self.sent or self.ended):
            self.ended = True
            self.task.cancel()

    def watch(self, send: Send, headers: Mapping[str, str]) -> Send:
        """Adds the headers, and looks how far the answer is."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.started = True
                told = MutableHeaders(scope=message)
                self._whole = "content-length" in told
                told.update(headers)
            elif not message.get("more_body", False):
                self.sent = True
            await send(message)

        return watched


async def open_stream(request: Request) -> None:
    """Counts the answer to this request as one of its tenant's streams, until it ends. To be called before anything is
    written. Raises Refused: 429, and StoreAway."""
    call = getattr(request.state, "call", None)
    if call is not None:
        await call.open_stream()


def has_ended(request: Request) -> bool:
    """Whether the answer to this request was ended here, because its key has ended."""
    call: Call | None = getattr(request.state, "call", None)
    return call is not None and call.ended


async def find_caller(request: Request) -> Caller:  # async: FastAPI runs any other dependency in a thread
    call: Call | None = getattr(request.state, "call", None)
    return ANYBODY if call is None else call.caller


CurrentCaller = Annotated[Caller, Depends(find_caller)]


async def require_own_job(request: Request, deps: Injected, caller: CurrentCaller) -> None:
    """For every route: a job in its path must be the caller's. Another tenant's does not exist for it."""
    job = request.path_params.get("job")
    if job is not None and caller.scope is not None:
        await deps.store.jobs.get(JobId(job), caller.scope)


async def require_operator(caller: CurrentCaller) -> None:
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
        "Send a key that counts (it may have expired, or been revoked), as `Authorization: Bearer KEY`; the operator "
        "makes one with `anabranch keys new TENANT`. "
        "The command line takes it from ANABRANCH_KEY."
    )
    return Refusal(status=401, name="no-key", title="No valid key", detail=detail, headers=CHALLENGE)


def _too_often(caller: Caller, counted: Counted) -> Refusal:
    detail = (
        f"{caller.tenant} may send {counted.limit} requests a minute, and has. Nothing was done; come again in "
        f"{counted.reset_seconds} s."
    )
    return Refusal(
        status=429,
        name="too-many-requests",
        title="Too many requests",
        detail=detail,
        headers=counted.headers(),
    )


def _too_many_streams(caller: Caller) -> Refusal:
    detail = (
        f"{caller.tenant} may have {caller.streams} streams open at once, and has. Nothing was done; close one, or ask "
        "without a stream."
    )
    retry = {"Retry-After": str(STREAM_RETRY_SECONDS)}
    return Refusal(
        status=429, name="too-many-streams", title="Too many streams", detail=detail, headers=retry
    )
