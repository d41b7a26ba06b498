"""Guards every request: who may call, how much may be sent, and the headers that keep a browser safe.

A service on loopback is reached by every page that the user's browser shows. So the Host header must name this
machine (DNS rebinding), and a page of another origin may change nothing (cross-site requests).
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anabranch.service.api.problems import Refusal, Refused

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
BROWSER_MARKS = ("origin", "sec-fetch-site")
CUSTOM_HEADER = "x-anabranch"
"""Any value: a page of another origin cannot send it without being asked first, and is refused then."""

PROBES = {"/healthz", "/readyz"}
"""Asked by those who keep the service running, under whatever name or address; without a key."""

UPLOADS = {
    "/v1/files": ("multipart/form-data",),
    "/v1/batches": ("application/jsonl", "application/x-ndjson"),
}
"""Paths that take more than JSON, with a bound of their own. No browser sends lines of JSON by itself to another site;
forms it does."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """How many bytes a body may have."""

    bytes: int
    what: str
    setting: str


class Guards:
    """ASGI middleware. `hosts` are the names a request may be addressed to; None takes any (behind a proxy). `any_host`
    are paths that are answered under any name."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str] | None,
        any_host: Container[str],
        max_bytes: int,
        max_upload_bytes: int,
    ) -> None:
        self._app = app
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self._any_host = any_host
        self._requests = Limit(max_bytes, "a request", "ANABRANCH_MAX_REQUEST_BYTES")
        self._uploads = Limit(max_upload_bytes, "an upload", "ANABRANCH_MAX_UPLOAD_BYTES")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _add_security_headers(send)
        headers = Headers(scope=scope)
        limit = self._uploads if _is_upload(scope["path"], headers) else self._requests
        refusal = self._refusal(scope["method"], scope["path"], headers, limit)
        if refusal is not None:
            await refusal.response(scope["path"])(scope, receive, guarded)
        else:
            await self._app(scope, _bound_body(receive, limit), guarded)

    def _refusal(self, method: str, path: str, headers: Headers, limit: Limit) -> Refusal | None:
        return (
            self._wrong_host(path, headers)
            or _wrong_origin(method, headers)
            or _wrong_content(method, path, headers)
            or _wrong_encoding(headers)
            or _too_large(headers, limit)
        )

    def _wrong_host(self, path: str, headers: Headers) -> Refusal | None:
        name = _name_of(headers.get("host", ""))
        if self._hosts is None or name in self._hosts or path in self._any_host:
            return None
        detail = (
            f"This service does not answer to the name {name!r}. To allow it, set ANABRANCH_ALLOWED_HOSTS."
        )
        return Refusal(status=403, name="wrong-host", title="Unknown host name", detail=detail)


def _too_large(headers: Headers, limit: Limit) -> Refusal | None:
    declared = headers.get("content-length", "0")
    small = len(declared) <= 18 and declared.isdecimal() and int(declared) <= limit.bytes
    if small or not declared.isdecimal():
        return None
    return _too_much(limit)


def _wrong_origin(method: str, headers: Headers) -> Refusal | None:
    """A page of another origin asks. Reading is stopped by the browser itself: no answer allows it."""
    if method in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    foreign = origin is not None and _host_of(origin) != headers.get("host", "").lower()
    if not foreign and headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
        return None
    detail = f"A page of {origin or 'another site'} may not change anything here."
    return Refusal(status=403, name="wrong-origin", title="Cross-origin request", detail=detail)


def _host_of(origin: str) -> str | None:
    """None where it is no origin at all."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_upload(path: str, headers: Headers) -> bool:
    return _kind_of(headers) in UPLOADS.get(path, ())


def _kind_of(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _wrong_content(method: str, path: str, headers: Headers) -> Refusal | None:
    """A body must be declared as JSON; a browser must send that, or the custom header, even without a body. An upload
    is a form, or lines of JSON; a form that a browser sends has the custom header."""
    if method in SAFE_METHODS or CUSTOM_HEADER in headers:
        return None
    kind = _kind_of(headers)
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    from_browser = any(mark in headers for mark in BROWSER_MARKS)
    if _is_upload(path, headers) and not from_browser:
        return None
    if kind == "application/json" or kind.endswith("+json") or not (has_body or from_browser or kind):
        return None
    also = "".join(f", or {name}" for name in UPLOADS.get(path, ()))
    detail = f"Send application/json{also} (or, without a body, the header X-Anabranch: 1)."
    return Refusal(status=415, name="not-json", title="The content is not JSON", detail=detail)


def _wrong_encoding(headers: Headers) -> Refusal | None:
    """A body is read as it comes: what a compressed one would grow to, nobody knows before."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        return None
    detail = f"A body with Content-Encoding {encoding!r} is not read here; send it without one."
    return Refusal(status=415, name="encoded", title="The content is encoded", detail=detail)


def _name_of(host: str) -> str:
    """The Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _too_much(limit: Limit) -> Refusal:
    detail = f"{limit.what.capitalize()} may have {limit.bytes} bytes ({limit.setting})."
    return Refusal(status=413, name="content-too-large", title="Too much", detail=detail)


def _bound_body(receive: Receive, limit: Limit) -> Receive:
    """Stops reading a body at the limit, whatever its declared length was."""
    got = 0

    async def bounded() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > limit.bytes:
            raise Refused(_too_much(limit))
        return message

    return bounded


def _add_security_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded
