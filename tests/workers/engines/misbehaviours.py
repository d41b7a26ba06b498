"""What upstreams do that no description of the protocol has, by name, and what is to come of it.

Each was seen in a public bug report of a client, a gateway or a server, or follows from one.
"""

import gzip
import json
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from tests.workers.engines.upstream import Answer, chunk, spent

from anabranch.dag.decoding import Finish

TEXT = "The answer is 4."
WHOLE_SECONDS = {"date": formatdate(1_800_000_000, usegmt=True)}
PAGE = b"<!DOCTYPE html>\n<html><head><title>Welcome to nginx!</title></head><body></body></html>\n"


@dataclass(frozen=True, kw_only=True)
class Reads:
    """The text is read to its end."""

    text: str = TEXT
    finish: Finish = Finish.EOS
    prompt: int = 0
    cached: int = 0
    completion: int | None = None
    """None: nobody counted it in earnest, and it is estimated."""


@dataclass(frozen=True, kw_only=True)
class Fails:
    """The decode fails, behind the text that came before."""

    cause: str
    told: str
    """Part of what is told."""
    again: bool = True
    text: str = ""
    after: float = 0.0
    """Seconds to wait before the next try."""


def said(text: str | None = None, *, finish: Any = None, **more: Any) -> dict[str, Any]:
    """One chunk."""
    delta = {} if text is None else {"content": text}
    return chunk({"index": 0, "delta": delta, "finish_reason": finish} | more)


PIECES = ("The ", "answer ", "is 4.")
BEGUN = tuple(said(piece) for piece in PIECES)
STOP = said(finish="stop")


def sse(*events: Any, end: str = "\n\n", prefix: str = "data: ", done: bool = True) -> bytes:
    lines = [prefix + (event if isinstance(event, str) else json.dumps(event)) + end for event in events]
    return ("".join(lines) + (f"{prefix}[DONE]{end}" if done else "")).encode()


def stream(*events: Any, **how: Any) -> Answer:
    return Answer(pieces=(sse(*events, **how),))


def raw(body: bytes, **rest: Any) -> Answer:
    return Answer(pieces=(body,), **rest)


def refuses(status: int, body: Any, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, pieces=(content,), headers=named)


def ending(counts: Any) -> Answer:
    """A stream whose last chunk counts like this."""
    return stream(*BEGUN, STOP, chunk() | {"usage": counts})


def whole(**message: Any) -> dict[str, Any]:
    answered = {"index": 0, "message": {"role": "assistant", "content": TEXT} | message}
    return chunk(answered | {"finish_reason": "stop"}) | {"object": "chat.completion"}


SPLIT = "naïve 日本語 🌊"
UNESCAPED = b'data: {"choices":[{"delta":{"content":"' + SPLIT.encode() + b'"}}]}\n\n' + sse(STOP)
COMPRESSED = gzip.compress(sse(*BEGUN, STOP))

FORMS: dict[str, tuple[Answer, Reads]] = {
    "the last delta is null": (stream(*BEGUN, said(finish="stop", delta=None)), Reads()),
    "the last delta is missing": (
        stream(*BEGUN, chunk({"index": 0, "finish_reason": "stop"})),
        Reads(),
    ),
    "a delta is text": (stream(said(delta="odd"), *BEGUN, STOP), Reads()),
    "choices are null": (stream(chunk() | {"choices": None}, *BEGUN, STOP), Reads()),
    "choices are empty": (stream(chunk(), *BEGUN, chunk(), STOP), Reads()),
    "choices hold a null": (stream(chunk() | {"choices": [None]}, *BEGUN, STOP), Reads()),
    "choices are missing": (stream({"id": "1", "object": "ping"}, *BEGUN, STOP), Reads()),
    "a second choice talks": (stream(*BEGUN, said("No, 5.", index=1, finish="stop"), STOP), Reads()),
    "an index is missing": (stream(*(said(piece, index=None) for piece in PIECES), STOP), Reads()),
    "content is null": (
        stream(said(None, delta={"role": "assistant", "content": None}), *BEGUN, STOP),
        Reads(),
    ),
    "content is a list of parts": (
        stream(said(delta={"content": [{"type": "thinking"}, {"type": "text", "text": TEXT}]}), STOP),
        Reads(),
    ),
    "the last text ends the stream": (stream(*BEGUN[:2], said("is 4.", finish="stop")), Reads()),
    "the end is told twice": (stream(*BEGUN, STOP, STOP), Reads()),
    "the finish reason is an empty word": (
        stream(*(said(piece, finish="") for piece in PIECES), STOP),
        Reads(),
    ),
    "DONE is missing": (stream(*BEGUN, STOP, done=False), Reads()),
    "DONE without a reason": (stream(*BEGUN), Reads()),
    "DONE is followed by junk": (raw(sse(*BEGUN, STOP) + b"<html>bye</html>"), Reads()),
    "the connection is cut behind the end": (
        Answer(pieces=(sse(*BEGUN, STOP, done=False),), then="cut"),
        Reads(),
    ),
    "the connection stays open behind the end": (
        Answer(pieces=(sse(*BEGUN, STOP, done=False),), then="hang"),
        Reads(),
    ),
    "an error comes behind the end": (stream(*BEGUN, STOP, {"error": "too late"}), Reads()),
    "junk comes behind the end": (raw(sse(*BEGUN, STOP, done=False) + b"OK\n"), Reads()),
    "the last event is cut off behind the end": (
        raw(sse(*BEGUN, STOP, done=False) + b'data: {"choices": [], "us'),
        Reads(),
    ),
    "comments keep it alive": (
        raw(
            b": OPENROUTER PROCESSING\n\n" * 3
            + sse(*BEGUN)[: -len(b"data: [DONE]\n\n")]
            + b":\n\n"
            + sse(STOP)
        ),
        Reads(),
    ),
    "empty data keep it alive": (
        raw(b"data:\n\n" + sse(*BEGUN, done=False) + b"data: \n\ndata:\n\n" + sse(STOP)),
        Reads(),
    ),
    "an empty line of data before the data": (raw(sse(*BEGUN, STOP, prefix="data:\ndata: ")), Reads()),
    "no blank behind the colon": (stream(*BEGUN, STOP, prefix="data:"), Reads()),
    "carriage returns": (stream(*BEGUN, STOP, end="\r\n\r\n"), Reads()),
    "one newline between events": (stream(*BEGUN, STOP, end="\n"), Reads()),
    "an event over many lines": (
        raw(
            b"".join(
                b"data: " + json.dumps(event, indent=1).replace("\n", "\ndata: ").encode() + b"\n\n"
                for event in (*BEGUN, STOP)
            )
        ),
        Reads(),
    ),
    "other fields beside the data": (
        raw(b"retry: 10\n" + sse(*BEGUN, STOP).replace(b"data", b"id: 7\nevent: message\ndata")),
        Reads(),
    ),
    "a ping that is no JSON": (raw(b"event: ping\ndata: now\n\n" + sse(*BEGUN, STOP)), Reads()),
    "data that say nothing": (stream("null", "1", "[]", "{}", *BEGUN, STOP), Reads()),
    "a byte order mark": (raw(b"\xef\xbb\xbf" + sse(*BEGUN, STOP)), Reads()),
    "every byte comes by itself": (
        Answer(pieces=tuple(bytes([byte]) for byte in UNESCAPED)),
        Reads(text=SPLIT),
    ),
    "a letter is cut in two": (
        Answer(pieces=(UNESCAPED[:43], UNESCAPED[43:50], UNESCAPED[50:61], UNESCAPED[61:])),
        Reads(text=SPLIT),
    ),
    "bytes that are no letters": (
        raw(UNESCAPED.replace("日".encode(), b"\xe6\x97")),
        Reads(text=SPLIT.replace("日", "\ufffd")),
    ),
    "line separators inside a text": (
        raw(b'data: {"choices":[{"delta":{"content":"a\xe2\x80\xa8b\xc2\x85c"}}]}\n\n' + sse(STOP)),
        Reads(text="a\u2028b\u0085c"),
    ),
    "a letter is cut in two escapes": (
        stream(said("a \ud83c"), said("\udf0a wave"), STOP),
        Reads(text="a 🌊 wave"),
    ),
    "half a letter is missing": (
        stream(said("a \ud83c"), said("wave \udf0a"), said("\ud83c"), STOP),
        Reads(text="a \ufffdwave \ufffd\ufffd"),
    ),
    "a chunk of a megabyte": (stream(said("wave " * 200_000), STOP), Reads(text="wave " * 200_000)),
    "a whole completion": (raw(json.dumps(whole()).encode()), Reads()),
    "a whole completion on many lines": (
        raw(json.dumps(whole(), indent=2).encode(), headers={"content-type": "text/plain"}),
        Reads(),
    ),
    "a whole completion as the one event": (stream(whole()), Reads()),
    "JSON lines": (stream(*BEGUN, STOP, prefix="", end="\n", done=False), Reads()),
    "the content type of a page": (
        raw(sse(*BEGUN, STOP), headers={"content-type": "text/html"}),
        Reads(),
    ),
    "a compressed stream": (raw(COMPRESSED, headers={"content-encoding": "gzip"}), Reads()),
    "chunks of text completions": (
        stream(*(chunk({"text": piece}) for piece in PIECES), chunk({"text": "", "finish_reason": "stop"})),
        Reads(),
    ),
    "an error that is null": (stream(*(event | {"error": None} for event in BEGUN), STOP), Reads()),
    "reasoning beside the text": (
        stream(said(delta={"reasoning_content": "2+2", "content": None}), *BEGUN, STOP),
        Reads(),
    ),
    "Gemini's word for the end": (stream(*BEGUN, said(finish="STOP")), Reads()),
    "Anthropic's word for the end": (stream(*BEGUN, said(finish="end_turn")), Reads()),
    "TGI's word for the end": (stream(*BEGUN, said(finish="eos_token")), Reads()),
    "another word for the length": (
        stream(*BEGUN, said(finish="MAX_TOKENS")),
        Reads(finish=Finish.LENGTH),
    ),
    "the stop string has another name": (
        stream(*BEGUN, said(finish="stop", matched_stop="END")),
        Reads(text=f"{TEXT}END", finish=Finish.STOP),
    ),
    "what it stopped at was not asked for": (
        stream(*BEGUN, said(finish="stop", stop_reason="end_turn")),
        Reads(),
    ),
    "it stopped at a token of the model's": (
        stream(*BEGUN, said(finish="stop", matched_stop="<|im_end|>")),
        Reads(),
    ),
    "the stop string is not named": (
        stream(*BEGUN, said(finish="stop_sequence")),
        Reads(text=f"{TEXT}END", finish=Finish.STOP),
    ),
    "nothing is said": (stream(STOP), Reads(text="", completion=None)),
}

COUNTS: dict[str, tuple[Answer, Reads]] = {
    "usage is empty": (ending({}), Reads()),
    "usage is null": (ending(None), Reads()),
    "usage is text": (ending("7"), Reads()),
    "usage has the completion only": (ending({"completion_tokens": 7}), Reads(completion=7)),
    "usage has the prompt only": (ending({"prompt_tokens": 11}), Reads(prompt=11)),
    "usage is negative": (ending({"prompt_tokens": -1, "completion_tokens": -7}), Reads()),
    "usage is nought": (ending(spent(prompt=0, completion=0)), Reads()),
    "usage is no number": (ending({"prompt_tokens": True, "completion_tokens": "7"}), Reads()),
    "usage is not finite": (
        raw(
            sse(*BEGUN, STOP, done=False) + b'data: {"choices":[],"usage":{"completion_tokens":Infinity}}\n\n'
        ),
        Reads(),
    ),
    "usage is a fraction": (ending({"prompt_tokens": 11.0, "completion_tokens": 6.5}), Reads(prompt=11)),
    "usage is beyond all bounds": (
        ending({"prompt_tokens": 10**30, "completion_tokens": 7}),
        Reads(completion=7),
    ),
    "usage stands with the last chunk": (
        stream(*BEGUN, STOP | {"usage": spent(completion=7)}),
        Reads(prompt=11, completion=7),
    ),
    "usage comes before the end": (
        stream(*BEGUN, chunk() | {"usage": spent(completion=7)}, STOP),
        Reads(prompt=11, completion=7),
    ),
    "usage has other names": (
        ending({"input_tokens": 11, "output_tokens": 7, "prompt_cache_hit_tokens": 4}),
        Reads(prompt=11, completion=7, cached=4),
    ),
    "usage is where Groq puts it": (
        stream(*BEGUN, STOP | {"x_groq": {"usage": spent(completion=7)}}),
        Reads(prompt=11, completion=7),
    ),
    "details are null": (
        ending(spent(completion=7) | {"prompt_tokens_details": None}),
        Reads(prompt=11, completion=7),
    ),
    "more is cached than was read": (
        ending(spent(completion=7, cached=400)),
        Reads(prompt=11, completion=7, cached=11),
    ),
}

ENDS: dict[str, tuple[Answer, Fails]] = {
    "the end is an error": (
        stream(*BEGUN, said(finish="error")),
        Fails(cause="engine-error", told="'error'", text=TEXT),
    ),
    "the end is an error that is told behind it": (
        stream(*BEGUN, said(finish="error"), {"error": {"message": "lost a GPU"}}),
        Fails(cause="engine-error", told="'error': lost a GPU", text=TEXT),
    ),
    "the end is a word nobody knows": (
        stream(*BEGUN, said(finish="mercury")),
        Fails(cause="engine-error", told="'mercury'", text=TEXT),
    ),
    "the end is no word": (
        stream(*BEGUN, said(finish=7)),
        Fails(cause="engine-error", told="'7'", text=TEXT),
    ),
    "the end is a tool that nobody offered": (
        stream(said(finish="tool_calls")),
        Fails(cause="engine-error", told="'tool_calls'"),
    ),
    "the upstream aborted it": (
        stream(*BEGUN, said(finish="abort")),
        Fails(cause="engine-error", told="'abort'", text=TEXT),
    ),
    "the upstream has no room left": (
        stream(*BEGUN, said(finish="insufficient_system_resource")),
        Fails(cause="overloaded", told="insufficient", text=TEXT),
    ),
    "a filter by another name": (
        stream(*BEGUN, said(finish="SAFETY")),
        Fails(cause="refused", told="filter of the upstream", text=TEXT, again=False),
    ),
    "the model declines": (
        stream(said(delta={"refusal": "I can't"}), STOP),
        Fails(cause="refused", told="I can't", again=False),
    ),
    "no end at all": (
        stream(*BEGUN, done=False),
        Fails(cause="upstream-away", told="in the middle", text=TEXT),
    ),
    "DONE without a reason and without text": (
        stream(said("")),
        Fails(cause="upstream-away", told="in the middle"),
    ),
    "DONE behind an error": (
        stream(*BEGUN, {"error": {"message": "out of memory"}}),
        Fails(cause="engine-error", told="out of memory", text=TEXT),
    ),
    "the connection is cut": (
        Answer(pieces=(sse(*BEGUN, done=False),), then="cut"),
        Fails(cause="upstream-away", told="away", text=TEXT),
    ),
    "an event is cut off": (
        raw(sse(*BEGUN, done=False) + b'data: {"choices": [{"del'),
        Fails(cause="upstream-away", told="in the middle", text=TEXT),
    ),
    "a page breaks into the stream": (
        raw(sse(*BEGUN, done=False) + b"<html>502 Bad Gateway</html>\n"),
        Fails(cause="engine-error", told="something else than a stream", text=TEXT),
    ),
    "an event is no JSON": (
        raw(sse(*BEGUN, done=False) + b"data: Internal Server Error\n\n"),
        Fails(cause="engine-error", told="Internal Server Error", text=TEXT),
    ),
    "an event is deeper than any reader": (
        raw(sse(*BEGUN, done=False) + b"data: " + b"[" * 100_000 + b"]" * 100_000 + b"\n\n"),
        Fails(cause="engine-error", told="[[[[", text=TEXT),
    ),
    "the compression is broken": (
        raw(COMPRESSED[:12] + b"\xff" * 40, headers={"content-encoding": "gzip"}),
        Fails(cause="engine-error", told="cannot be read"),
    ),
}

ERRORS: dict[str, tuple[Answer, Fails]] = {
    "an error as an object": (
        stream(*BEGUN, {"error": {"message": "out of memory", "code": None}}),
        Fails(cause="engine-error", told="out of memory", text=TEXT),
    ),
    "an error as a text": (
        stream(*BEGUN, {"error": "out of memory"}),
        Fails(cause="engine-error", told="out of memory", text=TEXT),
    ),
    "an error without a word": (
        stream(*BEGUN, {"error": {}}),
        Fails(cause="engine-error", told="", text=TEXT),
    ),
    "an error in old vLLM's form": (
        stream(*BEGUN, {"object": "error", "message": "bad regex", "type": "BadRequestError", "code": 400}),
        Fails(cause="refused", told="bad regex", text=TEXT, again=False),
    ),
    "an error in Anthropic's form": (
        stream(*BEGUN, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        Fails(cause="overloaded", told="Overloaded", text=TEXT),
    ),
    "an error in FastAPI's form": (
        stream({"detail": "no worker is left"}),
        Fails(cause="engine-error", told="no worker is left"),
    ),
    "an error beside no choices": (
        stream({"message": "no worker is left", "code": "503"}),
        Fails(cause="overloaded", told="no worker is left"),
    ),
    "an error in a list": (
        stream([{"error": {"message": "quota", "status": "RESOURCE_EXHAUSTED", "code": 429}}]),
        Fails(cause="overloaded", told="quota", after=5.0),
    ),
    "an error by the event's name": (
        raw(sse(*BEGUN, done=False) + b'event: error\ndata: {"message": "lost a GPU"}\n\n'),
        Fails(cause="engine-error", told="lost a GPU", text=TEXT),
    ),
    "an error inside a choice": (
        stream(*BEGUN, said(finish="error", error={"code": 502, "message": "provider gone"})),
        Fails(cause="engine-error", told="'error': provider gone", text=TEXT),
    ),
    "an error beside a choice": (
        stream(*BEGUN, said("") | {"error": {"code": 429, "message": "slow down"}}),
        Fails(cause="overloaded", told="slow down", text=TEXT, after=5.0),
    ),
    "an error line without data": (
        raw(sse(*BEGUN, done=False) + b'{"error": {"message": "out of memory"}}\n'),
        Fails(cause="engine-error", told="out of memory", text=TEXT),
    ),
    "an error that speaks of a key and means a limit": (
        stream({"error": {"message": "too much for your API key", "type": "rate_limit_error"}}),
        Fails(cause="overloaded", told="too much"),
    ),
    "an error that wants another key": (
        stream({"error": {"message": "who are you?", "type": "authentication_error"}}),
        Fails(cause="upstream-denied", told="who are you?", again=False),
    ),
    "an error as the whole answer": (
        raw(json.dumps({"error": {"message": "model not loaded", "code": 503}}, indent=1).encode()),
        Fails(cause="overloaded", told="model not loaded"),
    ),
    "the prompt is too long, told in the stream": (
        stream({"error": {"message": "input", "code": "context_length_exceeded"}}),
        Fails(cause="prompt-too-long", told="input", again=False),
    ),
}

NO_STREAM: dict[str, tuple[Answer, Fails]] = {
    "a web page": (raw(PAGE), Fails(cause="upstream-denied", told="Welcome to nginx!", again=False)),
    "a web page that never ends": (
        Answer(pieces=(PAGE,), then="hang"),
        Fails(cause="upstream-denied", told="Welcome to nginx!", again=False),
    ),
    "a text": (raw(b"It works!"), Fails(cause="upstream-denied", told="It works!", again=False)),
    "JSON that is no completion": (
        raw(b'{"status": "ok"}'),
        Fails(cause="upstream-denied", told='{"status": "ok"}', again=False),
    ),
    "nothing": (raw(b""), Fails(cause="upstream-away", told="in the middle")),
    "nothing but signs of life": (
        raw(b": ping\n\n" * 3),
        Fails(cause="upstream-away", told="in the middle"),
    ),
    "pings as events": (
        raw(b"event: ping\ndata: {}\n\n" * 3),
        Fails(cause="upstream-away", told="in the middle"),
    ),
    "a completion without choices": (
        raw(json.dumps(chunk()).encode()),
        Fails(cause="upstream-away", told="in the middle"),
    ),
}

REFUSALS: dict[str, tuple[Answer, Fails]] = {
    "a URL that has moved": (
        refuses(301, PAGE),
        Fails(cause="upstream-denied", told="HTTP 301", again=False),
    ),
    "a key that Gemini does not know": (
        refuses(400, [{"error": {"message": "API key not valid.", "status": "INVALID_ARGUMENT"}}]),
        Fails(cause="upstream-denied", told="API key not valid", again=False),
    ),
    "a model that is not there": (
        refuses(400, {"error": {"message": "no model x", "code": "model_not_found"}}),
        Fails(cause="upstream-denied", told="no model x", again=False),
    ),
    "a filter that forbids": (
        refuses(403, {"error": {"message": "Your input was flagged for violence", "code": 403}}),
        Fails(cause="refused", told="flagged", again=False),
    ),
    "a gateway's page": (
        refuses(502, PAGE),
        Fails(cause="upstream-away", told="HTTP 502: <!DOCTYPE html> <html>"),
    ),
    "a page that was not found": (
        refuses(404, PAGE),
        Fails(cause="upstream-denied", told="nginx", again=False),
    ),
    "a refusal in plain text": (
        refuses(400, b"no such thing"),
        Fails(cause="refused", told="HTTP 400: no such thing", again=False),
    ),
    "a refusal of pydantic's": (
        refuses(422, {"detail": [{"loc": ["body", "stop"], "msg": "too many", "type": "x"}]}),
        Fails(cause="refused", told="body.stop: too many", again=False),
    ),
    "a refusal in a form of its own": (
        refuses(400, {"fault": {"reason": 17}}),
        Fails(cause="refused", told='{"fault": {"reason": 17}}', again=False),
    ),
    "a refusal as a bare word": (
        refuses(403, {"error": "forbidden", "message": "not from there"}),
        Fails(cause="upstream-denied", told="forbidden: not from there", again=False),
    ),
    "a refusal that hides its reason": (
        refuses(400, {"error": {"message": "Provider returned error", "metadata": {"raw": "bad schema"}}}),
        Fails(cause="refused", told="bad schema", again=False),
    ),
    "a refusal without a word": (
        refuses(500, b""),
        Fails(cause="engine-error", told="HTTP 500: without a word"),
    ),
    "a good status without an answer": (
        refuses(204, b""),
        Fails(cause="upstream-denied", told="HTTP 204", again=False),
    ),
    "seconds to wait": (
        refuses(429, {"error": "slow down"}, retry_after="6"),
        Fails(cause="overloaded", told="slow down", after=6.0),
    ),
    "a date to wait for": (
        refuses(503, b"", retry_after=formatdate(1_800_000_030, usegmt=True), **WHOLE_SECONDS),
        Fails(cause="overloaded", told="HTTP 503", after=30.0),
    ),
    "milliseconds to wait": (
        refuses(429, b"", retry_after_ms="1500"),
        Fails(cause="overloaded", told="HTTP 429", after=1.5),
    ),
    "a limit that is lifted later": (
        refuses(
            429,
            b"",
            x_ratelimit_remaining_requests="0",
            x_ratelimit_reset_requests="1m30s",
            x_ratelimit_remaining_tokens="100",
            x_ratelimit_reset_tokens="6m0s",
        ),
        Fails(cause="overloaded", told="HTTP 429", after=90.0),
    ),
    "a wait in words": (
        refuses(429, {"error": {"message": "Rate limit reached. Please try again in 20s."}}),
        Fails(cause="overloaded", told="Rate limit reached", after=20.0),
    ),
    "no word of how long": (refuses(429, b""), Fails(cause="overloaded", told="HTTP 429", after=5.0)),
    "a wait that nobody understands": (
        refuses(429, b"", retry_after="soon"),
        Fails(cause="overloaded", told="HTTP 429", after=5.0),
    ),
    "a wait in the past": (
        refuses(429, b"", retry_after="-3"),
        Fails(cause="overloaded", told="HTTP 429", after=5.0),
    ),
    "a wait until tomorrow": (
        refuses(429, {"error": "daily limit"}, retry_after="86400"),
        Fails(cause="overloaded", told="tried again in 86400 s", again=False),
    ),
    "a server error with a time to wait": (
        refuses(500, b"restarting", retry_after="4"),
        Fails(cause="engine-error", told="restarting", after=4.0),
    ),
    "no money": (
        refuses(429, {"error": {"message": "pay first", "code": "insufficient_quota"}}, retry_after="6"),
        Fails(cause="upstream-denied", told="pay first", again=False),
    ),
}

READ = FORMS | COUNTS
FAILED = ENDS | ERRORS | NO_STREAM | REFUSALS
