"""Whose a key is: the file's and the store's keys together, fresh within a second, also while the store is away."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anabranch.dag.job import Budget
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.keys import NewKey
from anabranch.service.store.store import Store
from anabranch.service.tenants import keyring
from anabranch.service.tenants.callers import ALL_ROLES, Role
from anabranch.service.tenants.file import Usual, add_key
from anabranch.service.tenants.keyring import Keyring


@pytest.fixture
async def store(tmp_path: Path, empty_database: Path) -> AsyncIterator[Store]:
    shutil.copy(empty_database, tmp_path)
    async with Store(f"sqlite:///{tmp_path / empty_database.name}") as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tenants.json"


def write(path: Path, tenants: dict[str, dict[str, int]]) -> None:
    path.write_text(json.dumps(tenants))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept in memory."""
    monkeypatch.setattr(keyring, "FRESH_SECONDS", -1.0)


async def test_a_service_asks_from_its_first_key_on_and_never_stops(store: Store, at_once: None) -> None:
    ring = Keyring(store.keys)
    assert not await ring.asks()
    made = await store.keys.make(NewKey(tenant="acme", roles=["read"]))
    assert await ring.asks()
    await store.keys.revoke(made.row.name)
    assert await ring.asks() and await Keyring(store.keys).asks()


async def test_whom_to_ask_can_be_said(store: Store, path: Path) -> None:
    assert await Keyring(store.keys, ask="always").asks()
    await store.keys.make(NewKey(tenant="acme", roles=["read"]))
    assert not await Keyring(store.keys, ask="never").asks()
    add_key(path, "acme")
    assert await Keyring(store.keys, file=path).asks()


async def test_the_file_says_how_much_a_key_of_the_store_may_spend(
    store: Store, path: Path, at_once: None
) -> None:
    write(path, {"acme": {"tokens_per_day": 10, "tokens_per_job": 5, "streams": 2}})
    made = await store.keys.make(NewKey(tenant="acme", roles=["submit", "of a newer release"]))
    ring = Keyring(store.keys, file=path, usual=Usual(requests_per_minute=7, streams=9))
    caller = await ring.find(made.key)
    assert caller is not None
    assert (caller.quota.tokens, caller.bound(Budget()).tokens) == (10, 5)
    assert (caller.requests_per_minute, caller.streams) == (7, 2)
    assert (caller.scope, caller.key, caller.roles) == ("acme", made.row.name, frozenset({Role.SUBMIT}))
    write(path, {})
    assert (again := await ring.find(made.key)) is not None
    assert again.quota.tokens is None, "the file is read again when it changes"


async def test_a_key_of_the_file_may_do_all(store: Store, path: Path) -> None:
    key = add_key(path, "acme")
    caller = await Keyring(store.keys, file=path).find(key)
    assert caller is not None and caller.roles == ALL_ROLES


async def test_revoked_and_expired_keys_count_no_more(store: Store, at_once: None) -> None:
    ring = Keyring(store.keys)
    made = [await store.keys.make(NewKey(tenant="acme", roles=["read"])) for _ in range(2)]
    assert all([await ring.find(one.key) for one in made])
    await store.keys.revoke(made[0].row.name)
    await store.keys.rotate(made[1].row.name, 0)
    assert [await ring.find(one.key) for one in made] == [None, None]


class Away(Store):
    """Its keys cannot be asked for."""

    def go(self) -> None:
        async def away(*_: object) -> None:
            raise StoreAway(OSError("gone"))

        self.keys.find = self.keys.any = away  # type: ignore[method-assign, assignment]


async def test_while_the_store_is_away_whoever_had_a_key_keeps_it(
    tmp_path: Path, empty_database: Path, at_once: None
) -> None:
    shutil.copy(empty_database, tmp_path)
    async with Away(f"sqlite:///{tmp_path / empty_database.name}") as store:
        ring = Keyring(store.keys)
        kept = await store.keys.make(NewKey(tenant="acme", roles=["read"]))
        ending = await store.keys.make(NewKey(tenant="acme", roles=["read"], seconds=0.05))
        assert await ring.asks() and await ring.find(kept.key)
        while await ring.find(ending.key):
            pass
        store.go()
        assert await ring.asks() and await ring.find(kept.key)
        assert await ring.find(ending.key) is None
        with pytest.raises(StoreAway):
            await ring.find("ab-never-seen")
        with pytest.raises(StoreAway):
            await Keyring(store.keys).asks()


async def test_what_holds_for_a_tenant_while_nobody_calls(store: Store, path: Path, at_once: None) -> None:
    assert (await Keyring(store.keys).of_tenant("acme")) is not None  # nobody needs a key
    write(path, {"acme": {"tokens_per_day": 100, "tokens_per_job": 10}})
    ring = Keyring(store.keys, file=path)
    assert await ring.of_tenant("acme") is None
    made = await store.keys.make(NewKey(tenant="acme", roles=["read"]))
    caller = await ring.of_tenant("acme")
    assert caller is not None
    assert (caller.tenant, caller.sees_all, caller.quota.tokens) == ("acme", False, 100)
    await store.keys.revoke(made.row.name)
    assert await ring.of_tenant("acme") is None
    add_key(path, "acme")
    assert await ring.of_tenant("acme") is not None
