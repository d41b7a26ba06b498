"""Writes Server-Sent Events as bytes."""

PING = b": ping\n\n"
PING_SECONDS = 15.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MEDIA_TYPE = "text/event-stream"
TOLD = {
    MEDIA_TYPE: {
        "itemSchema": {
            "type": "object",
            "required": ["data"],
            "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
        }
    }
}
"""For a route's `responses`: each item of the stream, as OpenAPI 3.2 has it."""

# Line ends to Python's splitlines, and so to some clients, though not to the specification.
_LINE_ENDS = {ord(letter): f"\\u{ord(letter):04x}" for letter in "\x85\u2028\u2029"}


def sse(data: str, *, event: str, place: str | None = None) -> bytes:
    """One event. `place` is its id, from which a reader resumes. `data` is JSON: it has none but exotic line ends."""
    identity = f"id: {place}\n" if place is not None else ""
    return f"{identity}event: {event}\ndata: {data.translate(_LINE_ENDS)}\n\n".encode()
