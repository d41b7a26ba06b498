"""Nobody reads a secret where others look: in what Serve and Ray tell, in what heads keep, in logs, in tables."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, select
from tests.cluster.bed import Bed
from tests.cluster.ray_pods import DASHBOARD

from anabranch.service.store.sql.tables import metadata
from anabranch.service.store.store import Store

pytestmark = pytest.mark.cluster

RAY_STATE = (
    "api/serve/applications/",
    "api/v0/actors?detail=1",
    "api/v0/nodes?detail=1",
    "api/v0/runtime_envs?detail=1",
    "api/v0/tasks?detail=1",
    "api/v0/workers?detail=1",
    "api/cluster_status",
    "api/jobs/",
    "logical/actors",
    "nodes?view=summary",
)
"""What `ray list`, `ray status` and Ray's dashboard show."""


async def test_no_secret_is_told_kept_or_logged(bed: Bed) -> None:
    assert not await leaks(bed)


async def leaks(bed: Bed) -> list[str]:
    """Where a secret stands, and which one."""
    found = [f"{where}: {name}" for where, text in _told(bed) for name in _secrets_in(bed, text)]
    async with Store(bed.database) as store:
        found += await store.database.read(lambda connection: _in_tables(bed, connection))
    return found


def _in_tables(bed: Bed, connection: Connection) -> list[str]:
    rows = {table.name: repr(connection.execute(select(table)).all()) for table in metadata.sorted_tables}
    return [
        f"table {name}: {secret}" for name, told in rows.items() for secret in _secrets_in(bed, told.encode())
    ]


def _told(bed: Bed) -> Iterator[tuple[str, bytes]]:
    token = {"Authorization": f"Bearer {bed.secrets.ray}"}
    for path in RAY_STATE:
        url = f"http://{bed.ray.head.address}:{DASHBOARD}/{path}"
        answer = httpx.get(url, headers=token, timeout=30).raise_for_status()
        assert answer.content, path
        yield path, answer.content
    for file in sorted(bed.folder.rglob("*")):  # logs, and what a head keeps in RocksDB
        if file.is_file() and not file.is_relative_to(bed.postgres.folder / "data"):
            yield str(file.relative_to(bed.folder)), file.read_bytes()
    yield "Redis", _kept_in_redis(bed)


def _kept_in_redis(bed: Bed) -> bytes:
    """All keys and values, asked for as a head asks."""
    names = {"--cacert": "ca.crt", "--cert": "tls.crt", "--key": "tls.key"}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in bed.secrets.redis.client.items():
            (Path(folder) / Path(name).name).write_text(text)
        shown = [word for flag, name in names.items() for word in (flag, f"{folder}/{name}")]
        return _every_value(("redis-cli", "-h", bed.redis.address, "--tls", *shown))


def _every_value(asked: Sequence[str]) -> bytes:
    script = "local all = {} for _, key in ipairs(redis.call('KEYS', '*')) do "
    script += "all[#all + 1] = key if redis.call('TYPE', key).ok == 'hash' "
    script += "then all[#all + 1] = table.concat(redis.call('HGETALL', key)) "
    script += "else all[#all + 1] = redis.call('GET', key) end end return all"
    words = (*asked, "-e", "EVAL", script, "0")  # -e: an error ends it as one
    return subprocess.run(words, check=True, capture_output=True, timeout=60).stdout


def _secrets_in(bed: Bed, text: bytes) -> list[str]:
    return [name for name, lines in bed.secrets.lines.items() if any(line.encode() in text for line in lines)]
