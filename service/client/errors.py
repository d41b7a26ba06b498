"""Names what can go wrong between a program and the service: it is away, it refused, what it said cannot be read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self


class ClientError(Exception):
    """Base of all that a client raises."""


class ServiceAway(ClientError):
    """No service answers at this address. What was accepted before is kept."""

    def __init__(self, url: str, cause: object, *, arrived: bool = True) -> None:
        super().__init__(
            f"no service answers at {url} ({cause}); start one with `anabranch up`, or set ANABRANCH_URL"
        )
        self.arrived = arrived
        """Whether the request may have reached the service all the same."""


class UnreadableReply(ClientError):
    """What answers is not a service of Anabranch, or is one of a release that this client cannot read."""

    def __init__(self, path: str, cause: object) -> None:
        super().__init__(_unreadable(path, cause))


class JobNotEnded(ClientError, TimeoutError):
    """The job did not end in the time that was given. It goes on; wait again, or cancel it."""

    def __init__(self, job: str, seconds: float) -> None:
        super().__init__(
            f"job {job} did not end within {seconds:g} s; it goes on: wait for it again, or cancel it"
        )
        self.job = job


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong field of what was sent."""

    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem document (RFC 9457), as the service sent it."""

    type: str = "about:blank"
    title: str = ""
    status: int
    detail: str = ""
    errors: tuple[Fault, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All of it, fields that this client does not know included; empty where it was none."""

    @classmethod
    def read(cls, path: str, status: int, body: bytes) -> Self:
        """The document in a reply's body. Any other body is not the service's word, as the detail says."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or "title" not in found:
            beginning = body[:200].decode(errors="replace").strip()
            cause = f"{status}: {beginning}" if beginning else f"{status}, an empty body"
            return cls(status=status, detail=_unreadable(path, cause))
        faults = found.get("errors")
        told = [one for one in faults if isinstance(one, dict)] if isinstance(faults, list) else []
        return cls(
            type=str(found.get("type", "about:blank")),
            title=str(found.get("title", "")),
            status=status,
            detail=str(found.get("detail", "")),
            errors=tuple(Fault(str(one.get("path", "")), str(one.get("message", ""))) for one in told),
            document=found,
        )


class ServiceRefused(ClientError):
    """The service said no, and wrote nothing."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail or problem.title or f"the service answered {problem.status}")
        self.problem = problem
        self.status = problem.status
        self.retry_after = retry_after
        """Seconds after which it may be asked again, where the service told them."""


class BadInput(ServiceRefused):
    """The request is wrong; `problem.errors` names each wrong field."""


class NotAuthenticated(ServiceRefused):
    """The service wants a key, or another one."""


class Forbidden(ServiceRefused):
    """This key is not for that."""


class NotFound(ServiceRefused):
    """There is no such job, branch, approval or path here."""


class Conflict(ServiceRefused):
    """It was done or decided otherwise before: a used idempotency key, a second decision, a job that has not ended."""


class TooManyRequests(ServiceRefused):
    """A quota is spent, or too much is asked at once."""


class Unavailable(ServiceRefused):
    """The store or the pool is away. Accepted jobs are kept."""


_KINDS: dict[int, type[ServiceRefused]] = {
    400: BadInput,
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: BadInput,
    415: BadInput,
    422: BadInput,
    429: TooManyRequests,
    503: Unavailable,
}


def refusal(path: str, status: int, headers: Mapping[str, str], body: bytes) -> ServiceRefused:
    """The error for a reply that is no success."""
    kind = _KINDS.get(status, ServiceRefused)
    retry_after = read_retry_after(headers.get("retry-after"), datetime.now(UTC))
    return kind(Problem.read(path, status, body), retry_after)


def _unreadable(path: str, cause: object) -> str:
    told = " ".join(str(cause).split())[:200]
    return f"the reply to {path} cannot be read ({told}); is this the address of an Anabranch service?"


def read_retry_after(told: str | None, now: datetime) -> float | None:
    """Seconds from now, of either form that RFC 9110 (section 10.2.3) allows; None for anything else."""
    if told is None:
        return None
    written = told.strip()
    if written.isascii() and written.isdecimal():
        return float(written[:12])
    try:
        moment = parsedate_to_datetime(written)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
