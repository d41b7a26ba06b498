"""A database that refuses logins for a while, as one does whose password is being changed: who runs goes on."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.clients import Client
from tests.databases import Databases
from tests.service.organizer.conftest import NoChecks

from anabranch.service.api.server import serve_api
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.start_check import await_schema
from anabranch.service.store import programs
from anabranch.service.store.errors import StoreRefuses
from anabranch.service.store.sql.database import with_driver
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool

pytestmark = pytest.mark.postgres
REFUSED = "is not permitted to log in"


@dataclass(frozen=True)
class Login:
    """A user of a database, who may be shut out of it."""

    url: str
    user: str
    owner: str

    def shut_out(self) -> None:
        self._ask(f"ALTER ROLE {self.user} NOLOGIN")
        self._ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{self.user}'")

    def let_in(self) -> None:
        self._ask(f"ALTER ROLE {self.user} LOGIN")

    def forget_programs(self) -> None:
        self._ask("DELETE FROM programs")

    def count_programs(self) -> int:
        return int(self._ask("SELECT count(*) FROM programs WHERE role = 'api'"))

    def _ask(self, statement: str) -> Any:
        return asyncio.run(_execute(self.owner, statement))


async def _execute(url: str, statement: str) -> Any:
    engine = create_async_engine(with_driver(url), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        done = await connection.execute(text(statement))
        found = done.scalar() if done.returns_rows else None
    await engine.dispose()
    return found


@pytest.fixture
def login(databases: Databases) -> Iterator[Login]:
    owner = databases.new("postgres")
    url = make_url(owner)
    user = f"{url.database}_user"
    asyncio.run(_execute(owner, f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD 'x'"))
    own = url.set(username=user, password="x").render_as_string(hide_password=False)
    yield Login(own, user, owner)
    asyncio.run(_execute(owner, f"DROP ROLE {user}"))


def test_rest_says_503_and_its_works_go_on_when_it_is_let_in_again(
    login: Login, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "RENEW_SECONDS", 0.05)
    with serve_api(Settings(database=login.url, state=tmp_path, stop_seconds=0)) as url:
        question = {"question": "What is six times seven?"}
        assert httpx.post(f"{url}/v1/jobs", json=question).status_code == 202
        login.shut_out()
        while REFUSED not in httpx.get(f"{url}/readyz").json().get("detail", ""):
            pass  # connections that were cut are noticed first
        refused = [
            httpx.get(f"{url}/readyz"),
            httpx.get(f"{url}/v1/jobs"),
            httpx.post(f"{url}/v1/jobs", json=question),
        ]
        for each in refused:
            assert (each.status_code, each.headers.get("retry-after")) == (503, "1")
        assert "anabranch_store_up 0.0" in httpx.get(f"{url}/metrics").text
        login.forget_programs()
        login.let_in()
        while not login.count_programs():
            pass
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert httpx.post(f"{url}/v1/jobs", json=question).status_code == 202


async def test_an_organizer_goes_on_when_it_is_let_in_again(
    login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    pool = LocalPool(ScriptedEngine(lambda _request: Line(text="it is 42")))
    async with Store(login.url) as store:
        client = Client(store)
        organizer = Organizer(
            store, pool, NoChecks(), Traces(store, "scripted"), name="here", lease_seconds=1.0
        )
        working = asyncio.create_task(organizer.run())
        await client.ended(await client.submit("sequential"))
        await asyncio.to_thread(login.shut_out)
        while caplog.text.count(f"{REFUSED}") < 3:
            assert not working.done()
            await asyncio.sleep(0.05)
        await asyncio.to_thread(login.let_in)
        row = await client.ended(await client.submit("sequential"))
        assert row.status == "succeeded"
        async with asyncio.timeout(30):
            await organizer.drain()
            await working
        await pool.close()


async def test_who_is_shut_out_at_the_start_says_so_and_ends(login: Login) -> None:
    await asyncio.to_thread(login.shut_out)
    with pytest.raises(StoreRefuses, match=r"not permitted to log in.*ANABRANCH_DATABASE"):
        await await_schema(login.url, pytest.fail)
