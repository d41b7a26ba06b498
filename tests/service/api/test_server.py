"""The socket that REST is served on."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from anabranch.service import app
from anabranch.service.api.server import CannotListen, bind
from anabranch.service.settings import Settings
from anabranch.workers.cluster import environment


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_accepted_connections_send_small_answers_at_once(host: str) -> None:
    """asyncio turns Nagle's algorithm off where it knows that a socket is TCP."""
    accepted: asyncio.Queue[socket.socket] = asyncio.Queue()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait(writer.get_extra_info("socket"))
        writer.close()

    with bind((host, 0)) as bound:
        async with await asyncio.start_server(serve, sock=bound):
            _, writer = await asyncio.open_connection(*bound.getsockname()[:2])
            server_side = await accepted.get()
            assert server_side.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()


def test_a_port_that_is_taken_is_noticed_before_ray_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def started() -> Iterator[None]:
        pytest.fail("Ray was started")
        yield

    monkeypatch.setattr(environment, "local_ray", started)
    with bind(("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port} .*--port"),
            app.run_service(settings.model_copy(update={"port": port})),
        ):
            pass
