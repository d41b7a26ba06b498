"""Judges what an upstream says instead of decoding: why it failed, and whether and when to try again."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from anabranch.dag.decoding import Fault
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.openai.events import TooLong
from anabranch.workers.engines.openai.refusals import Refusal
from anabranch.workers.errors import DecodeError

UNTOLD_WAIT = 5.0
"""Seconds to wait after a 429 that does not say how long: most limits are per minute."""
LONGEST_WAIT = 3600.0
"""Seconds. Who is to come back later than this is refused: no job waits for a new day."""

TOO_LONG = re.compile(
    r"context[ _-](?:length|size|window)|(?:prompt|input) is too long|input token count|maximum prompt length"
    r"|too many input tokens|`inputs` (?:tokens \+|must have less than)",
    re.IGNORECASE,
)
"""How vLLM, OpenAI, Mistral and SGLang; llama.cpp; gateways; Anthropic and Bedrock; Gemini; xAI; and TGI put it."""
BUSY = ("rate_limit", "overload", "too_many_requests", "resource_exhausted", "insufficient_system_resource")
"""Parts of codes by which an error inside a stream means what 429 and 503 mean before it."""
NEVER_BEFORE_MONEY = ("insufficient_quota", "billing")
"""Told with 429, though no waiting helps."""
DENIED = ("authentication", "permission", "not_found", "invalid_api_key")
"""Parts of codes by which it sends the service away."""
DENIED_BY_STATUS = {401, 402, 403, 404, 405, 407, 410}
NO_KEY = re.compile(r"\bapi[ _-]?key\b", re.IGNORECASE)
"""What Gemini says with 400, and no request of a client's can be about."""
FILTERED = ("content_filter", "content_policy", "moderation", "safety")
"""Parts of codes by which a filter refuses what was asked, whatever the status."""
FOR_GOOD = ("invalid_request", "badrequest")
"""Parts of codes by which it means that no further try can help."""


@contextmanager
def http_errors_as_faults(key: str) -> Iterator[None]:
    """Raises DecodeError for all that can go wrong on the way. An upstream may repeat the key; its readers may not."""
    try:
        yield
    except DecodeError as error:
        if not key or key not in error.fault.detail:
            raise
        raise DecodeError(replace(error.fault, detail=error.fault.detail.replace(key, "[key]"))) from None
    except aiohttp.ConnectionTimeoutError as error:
        raise _away(error) from error
    except TimeoutError as error:
        raise DecodeError(Fault(cause=Cause.TIMEOUT, detail="the upstream fell silent")) from error
    except (aiohttp.TooManyRedirects, aiohttp.InvalidURL, aiohttp.RedirectClientError) as error:
        raise denied(f"the upstream's URL leads nowhere: {error or type(error).__name__}") from error
    except (aiohttp.ClientPayloadError, TooLong) as error:
        if _was_cut(error):
            raise _away(error) from error
        detail = f"the upstream sends what cannot be read: {error or 'a line without an end'}"
        raise DecodeError(Fault(cause=Cause.ENGINE_ERROR, detail=detail)) from error
    except aiohttp.ClientError as error:
        raise _away(error) from error


def _was_cut(error: Exception) -> bool:
    """Whether the connection ended within the answer, and not the answer was none."""
    return isinstance(error, aiohttp.ClientPayloadError) and not isinstance(
        error.__cause__, ContentEncodingError
    )


def _away(error: Exception) -> DecodeError:
    detail = f"the upstream is away: {str(error) or type(error).__name__}"
    return DecodeError(Fault(cause=Cause.UPSTREAM_AWAY, detail=detail))


def refused(detail: str) -> DecodeError:
    """No further try can help."""
    return DecodeError(Fault(cause=Cause.REFUSED, detail=detail, retryable=False))


def denied(detail: str) -> DecodeError:
    """No request would be answered: it is the operator's to mend."""
    return DecodeError(Fault(cause=Cause.UPSTREAM_DENIED, detail=detail, retryable=False))


def fault_of(refusal: Refusal, wait: float = 0.0) -> Fault:
    """The fault behind an upstream's error. `wait`: seconds after which it said to come back."""
    fault = _fault_of(refusal)
    if not fault.retryable:
        return fault
    if refusal.status == 429:
        wait = wait or UNTOLD_WAIT
    if wait <= LONGEST_WAIT:
        return replace(fault, retry_after=wait)
    return replace(fault, retryable=False, detail=f"{fault.detail} (to be tried again in {wait:.0f} s)")


def _fault_of(refusal: Refusal) -> Fault:
    detail = refusal.message
    if _mentions(refusal, NEVER_BEFORE_MONEY):
        return denied(detail).fault
    if refusal.status == 429:
        return Fault(cause=Cause.OVERLOADED, detail=detail)
    if "context_length_exceeded" in refusal.codes or TOO_LONG.search(detail):
        return Fault(cause=Cause.PROMPT_TOO_LONG, detail=detail, retryable=False)
    if _mentions(refusal, FILTERED) or (refusal.status == 403 and "flagged" in detail):
        return refused(detail).fault
    if refusal.status in (400, 422) and (_mentions(refusal, DENIED) or NO_KEY.search(detail)):
        return denied(detail).fault
    if refusal.status:
        return _fault_of_status(refusal.status, detail)
    if _mentions(refusal, BUSY):
        return Fault(cause=Cause.OVERLOADED, detail=detail)
    if _mentions(refusal, DENIED):
        return denied(detail).fault
    if _mentions(refusal, FOR_GOOD):
        return refused(detail).fault
    return Fault(cause=Cause.ENGINE_ERROR, detail=detail)


def _mentions(refusal: Refusal, words: tuple[str, ...]) -> bool:
    return any(word in code for code in refusal.codes for word in words)


def _fault_of_status(status: int, detail: str) -> Fault:
    match status:
        case 413:
            return Fault(cause=Cause.PROMPT_TOO_LONG, detail=detail, retryable=False)
        case 408 | 504 | 524:
            return Fault(cause=Cause.TIMEOUT, detail=detail)
        case 409 | 425 | 503 | 529:
            return Fault(cause=Cause.OVERLOADED, detail=detail)
        case 502 | 520 | 521 | 522 | 523:
            return Fault(cause=Cause.UPSTREAM_AWAY, detail=detail)
        case 501:
            return refused(detail).fault
        case _ if status < 400 or status in DENIED_BY_STATUS:
            return denied(detail).fault
        case _ if status >= 500:
            return Fault(cause=Cause.ENGINE_ERROR, detail=detail)
        case _:
            return refused(detail).fault
