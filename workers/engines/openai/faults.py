"""What an OpenAI-compatible upstream answers instead of decoding, as faults: why, and whether to try again."""

from collections.abc import Iterator
from contextlib import contextmanager

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from anabranch.dag.decoding import Fault
from anabranch.workers.errors import DecodeError

TOO_LONG = ("context length", "context size", "prompt is too long")
"""How vLLM, OpenAI and SGLang; llama.cpp; and Anthropic's gateway put it."""


@contextmanager
def openai_errors_as_faults() -> Iterator[None]:
    try:
        yield
    except APIError as error:
        raise DecodeError(fault_of(error)) from error


def fault_of(error: APIError) -> Fault:
    detail = error.message
    if error.code == "context_length_exceeded" or any(words in detail for words in TOO_LONG):
        return Fault(cause="prompt-too-long", detail=detail, retryable=False)
    match error:
        case APITimeoutError():
            return Fault(cause="timeout", detail=detail)
        case APIConnectionError():
            return Fault(cause="upstream-away", detail=f"{detail} {error.__cause__ or ''}".strip())
        case APIStatusError(status_code=status):
            return _fault_of_status(status, error.code, detail)
        case _:  # told inside the stream, after a good status; vLLM then gives the status it would have had
            code = str(error.code)
            return _fault_of_status(int(code) if code.isdecimal() else 500, error.code, detail)


def _fault_of_status(status: int, code: str | None, detail: str) -> Fault:
    if status == 413:
        return Fault(cause="prompt-too-long", detail=detail, retryable=False)
    if status in (408, 504):
        return Fault(cause="timeout", detail=detail)
    if status in (409, 503, 529) or (status == 429 and code != "insufficient_quota"):
        return Fault(cause="overloaded", detail=detail)
    if status >= 500:
        return Fault(cause="engine-error", detail=detail)
    return Fault(cause="refused", detail=detail, retryable=False)
