"""What libpq's words in a database's URL ask for is done, by a real PostgreSQL with TLS and by psql alike."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.databases import started, system_binaries

from anabranch.service.store.errors import StoreAway, StoreRefuses
from anabranch.service.store.sql.database import Database
from anabranch.service.store.sql.postgres_url import check_postgres_url

pytestmark = pytest.mark.postgres

HBA = """
local   all       all               trust
hostssl template1 all 127.0.0.1/32  trust clientcert=verify-ca
hostssl all       all 127.0.0.1/32  trust
"""
SERVER = """
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
ssl_ca_file = 'server.crt'
"""


@dataclass(frozen=True, slots=True)
class TlsServer:
    """A PostgreSQL that talks TLS only, with a certificate for localhost that is its own authority."""

    port: int
    folder: Path
    psql: Path

    def url(self, asked: str, host: str = "localhost", name: str = "postgres") -> str:
        """With what is asked for, `{folder}` being where the certificates are."""
        return f"postgresql://postgres@{host}:{self.port}/{name}?{asked.format(folder=self.folder)}"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    if (binaries := system_binaries()) is None:
        pytest.skip("no PostgreSQL of this machine's")
    folder = tmp_path_factory.mktemp("certificates")
    make_certificate(folder, "server")
    make_certificate(folder, "other")
    with started(binaries) as server:
        data = server.folder / "data"
        for file in ("server.crt", "server.key"):
            shutil.copy(folder / file, data)
            (data / file).chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(data / file, "postgres")
        (data / "pg_hba.conf").write_text(HBA)
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write(SERVER)
        server.crash()
        server.start()
        yield TlsServer(int(server.url.rpartition(":")[2].partition("/")[0]), folder, binaries / "psql")


def make_certificate(folder: Path, name: str) -> None:
    made = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 -subj /CN={name}"
    files = ("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")
    names = ("-addext", "subjectAltName=DNS:localhost")
    subprocess.run([*made.split(), *files, *names], check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o600)


def told(url: str, query: str) -> str:
    """What the database says by our own connections."""

    async def ask() -> str:
        database = Database(url)
        try:
            return str(await database.read(lambda connection: connection.scalar(text(query))))
        finally:
            await database.close()

    return asyncio.run(ask())


def told_by_psql(psql: Path, url: str, query: str) -> str:
    """What it says by libpq; nothing where it lets nobody in."""
    asked = [str(psql), "--no-psqlrc", "-At", "-c", query, url]
    return subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()


WITH_TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.mark.parametrize(
    ("asked", "host", "name"),
    [
        ("", "localhost", "postgres"),
        ("sslmode=prefer", "127.0.0.1", "postgres"),
        ("sslmode=require", "127.0.0.1", "postgres"),
        ("sslmode=verify-ca&sslrootcert={folder}/server.crt", "127.0.0.1", "postgres"),
        ("sslmode=verify-full&sslrootcert={folder}/server.crt", "localhost", "postgres"),
        ("sslmode=require&sslcert={folder}/server.crt&sslkey={folder}/server.key", "localhost", "template1"),
    ],
)
def test_who_asks_for_tls_has_it(tls: TlsServer, asked: str, host: str, name: str) -> None:
    url = tls.url(asked, host, name)
    check_postgres_url(url)
    assert told(url, WITH_TLS) == "True"
    assert told_by_psql(tls.psql, url, WITH_TLS) == "t"


@pytest.mark.parametrize(
    ("asked", "host", "name", "why"),
    [
        ("sslmode=disable", "localhost", "postgres", "no encryption"),
        (
            "sslmode=verify-full&sslrootcert={folder}/server.crt",
            "127.0.0.1",
            "postgres",
            "IP address mismatch",
        ),
        ("sslmode=verify-ca&sslrootcert={folder}/other.crt", "localhost", "postgres", "verify failed"),
        ("sslmode=require", "localhost", "template1", "certificate"),
    ],
)
def test_who_is_not_whom_he_should_be_is_told_in_words(
    tls: TlsServer, asked: str, host: str, name: str, why: str
) -> None:
    url = tls.url(asked, host, name)
    check_postgres_url(url)
    with pytest.raises((StoreAway, StoreRefuses), match=why):
        told(url, WITH_TLS)
    assert not told_by_psql(tls.psql, url, WITH_TLS)


@pytest.mark.parametrize(
    ("asked", "query", "answer"),
    [
        ("application_name=night%20shift", "SHOW application_name", "night shift"),
        ("options=-c%20search_path%3Djobs", "SHOW search_path", "jobs"),
        ("connect_timeout=3&target_session_attrs=read-write", "SHOW transaction_read_only", "off"),
        ("host=127.0.0.1,localhost&port={port},{port}&sslmode=require", WITH_TLS, "True"),
    ],
)
def test_what_libpq_knows_beside_tls_is_done(tls: TlsServer, asked: str, query: str, answer: str) -> None:
    url = tls.url(asked.replace("{port}", str(tls.port)))
    check_postgres_url(url)
    assert told(url, query) == answer
    assert told_by_psql(tls.psql, url, query) == {"True": "t"}.get(answer, answer)


def test_a_name_of_ones_own_is_not_demanded_and_times_stay_bound(tls: TlsServer) -> None:
    url = tls.url("options=-c%20statement_timeout%3D0")
    assert told(tls.url(""), "SHOW application_name") == "anabranch"
    assert told(url, "SHOW statement_timeout") == "30s"


@pytest.mark.parametrize("word", ["sslrootcert", "sslcert", "sslkey", "passfile"])
def test_a_file_that_is_not_there_is_told_by_name(word: str) -> None:
    url = f"postgresql://u:Hunter2@127.0.0.1:1/none?{word}=/none/here.crt"
    check_postgres_url(url)
    with pytest.raises(
        StoreRefuses, match=f"{word}: the file /none/here.crt cannot be read: No such file"
    ) as no:
        told(url, WITH_TLS)
    assert "Hunter2" not in str(no.value)
