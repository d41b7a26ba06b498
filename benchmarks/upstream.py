"""An upstream for benchmarks: speaks OpenAI's chat completions and answers everything after a fixed time.

    python benchmarks/upstream.py [--delay 0.2] [--port 0]

It prints its port. It is a process of its own and does next to nothing, so that what is measured is whoever asks it.
"""

import argparse
import asyncio
import json

TEXT = "Six times seven is forty-two. \\boxed{42}"
USAGE = {"prompt_tokens": 12, "completion_tokens": 12, "total_tokens": 24}
ENVELOPE = {"id": "chatcmpl-1", "created": 1, "model": "stub"}


def _chunk(delta: dict[str, str], finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    told = {**ENVELOPE, "object": "chat.completion.chunk", "choices": [choice], **more}
    return f"data: {json.dumps(told)}\n\n".encode()


def _response(kind: str, body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


MODELS = _response(
    "application/json", json.dumps({"object": "list", "data": [{"id": "stub", "object": "model"}]}).encode()
)
STREAM = _response(
    "text/event-stream",
    _chunk({"role": "assistant", "content": ""})
    + _chunk({"content": TEXT})
    + _chunk({}, "stop", usage=USAGE)
    + b"data: [DONE]\n\n",
)
WHOLE = _response(
    "application/json",
    json.dumps(
        {
            **ENVELOPE,
            "object": "chat.completion",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
            ],
            "usage": USAGE,
        }
    ).encode(),
)
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._read) < end + 4 + length:
                return
            body, self._read = self._read[end + 4 : end + 4 + length], self._read[end + 4 + length :]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if b"/chat/completions" in head:
            streamed = json.loads(body).get("stream")
            loop = asyncio.get_running_loop()
            loop.call_later(self._delay, self._transport.write, STREAM if streamed else WHOLE)
        else:
            self._transport.write(MODELS if b"/models" in head else NOT_FOUND)


async def serve(delay: float, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(delay), "127.0.0.1", port, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--delay", type=float, default=0.2, help="seconds before each answer")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(serve(options.delay, options.port))


if __name__ == "__main__":
    main()
