"""Keys in the store: only digests are kept, and whether a key counts is asked of the database's clock."""

from typing import Any

import pytest
from sqlalchemy import text

from anabranch.service.store.errors import NotFound
from anabranch.service.store.keys import BadKey, KeyEnded, NewKey, NotOneKey, digest, name_of
from anabranch.service.store.store import Store

READER = NewKey(tenant="acme", roles=["read"])


async def counts(store: Store, key: str) -> bool:
    return digest(key) in await store.keys.find([digest(key)])


async def test_a_key_is_found_by_its_digest_from_every_process(store: Store, other_store: Store) -> None:
    assert not await store.keys.any()
    made = await store.keys.make(READER)
    found = await other_store.keys.find([digest(made.key), digest("ab-none")])
    assert found == {digest(made.key): made.row}
    assert (made.row.tenant, made.row.roles, made.row.operator) == ("acme", ["read"], False)
    assert await other_store.keys.any()


async def test_nothing_in_the_database_holds_the_key(store: Store) -> None:
    made = await store.keys.make(READER)

    def everything(connection: Any) -> str:
        return str(connection.execute(text("SELECT * FROM keys")).all())

    kept = await store.database.read(everything)
    assert made.key not in repr(made), "nor does a log of it"
    assert name_of(made.key) in kept and made.key.removeprefix(name_of(made.key)) not in kept


def test_a_key_is_named_by_its_beginning_which_tells_nothing_of_its_secret() -> None:
    assert name_of(f"ab-01234567-{'s' * 43}") == "ab-01234567"


async def test_a_key_expires(store: Store) -> None:
    alive = await store.keys.make(NewKey(tenant="acme", roles=["read"], seconds=3600))
    over = await store.keys.make(READER)
    await store.keys.rotate(over.row.name, 0)
    assert (await counts(store, alive.key), await counts(store, over.key)) == (True, False)
    assert len(await store.keys.list()) == 3, "its row stays, beside the one that replaced it"


@pytest.mark.parametrize("tenant", ["", "  ", "x\ny", "x\u202ey", "\udcff", "x" * 101])
def test_a_tenant_has_a_name_that_can_be_read(tenant: str) -> None:
    with pytest.raises(BadKey, match="1 to 100 printable characters"):
        NewKey(tenant=tenant, roles=["read"])


def test_blanks_around_a_name_are_none_of_it() -> None:
    assert NewKey(tenant=" Müller & Co \n", roles=["read"]).tenant == "Müller & Co"
    assert NewKey(tenant="x" * 100, roles=["read"]).tenant == "x" * 100


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
async def test_no_key_is_made_that_would_have_ended_already(seconds: float, store: Store) -> None:
    with pytest.raises(BadKey, match="Nothing was written"):
        NewKey(tenant="acme", roles=["read"], seconds=seconds)
    made = await store.keys.make(READER)
    with pytest.raises(BadKey):
        await store.keys.rotate(made.row.name, 0, seconds)
    assert await counts(store, made.key), "the old one goes on"


async def test_revoking_ends_it_once_and_keeps_the_moment(store: Store) -> None:
    made = await store.keys.make(READER)
    first = await store.keys.revoke(made.row.name)
    assert first.revoked_at is not None and not await counts(store, made.key)
    assert await store.keys.revoke(made.key) == first, "the key itself names it, too"
    assert await store.keys.any(), "a service whose only key was revoked goes on asking"


async def test_rotating_lets_the_old_one_end_later_but_never_later_than_it_would(store: Store) -> None:
    made = await store.keys.make(NewKey(tenant="acme", roles=["read", "submit"], operator=True, seconds=100))
    new = await store.keys.rotate(made.row.name, 3600)
    old = (await store.keys.find([digest(made.key)]))[digest(made.key)]
    assert old.expires_at == made.row.expires_at
    assert (new.row.roles, new.row.operator, new.row.tenant) == (["read", "submit"], True, "acme")
    assert new.row.expires_at is not None and made.row.expires_at is not None
    assert new.row.expires_at >= made.row.expires_at, "it lives as long as the old one was to"
    await store.keys.rotate(new.row.name, 0)
    assert not await counts(store, new.key)
    with pytest.raises(KeyEnded, match="keys new"):
        await store.keys.rotate(new.row.name, 10)


async def test_a_name_is_any_beginning_that_only_one_key_has(store: Store) -> None:
    made = [await store.keys.make(READER) for _ in range(2)]
    with pytest.raises(NotOneKey, match=made[0].row.name):
        await store.keys.revoke("ab-")
    for unknown in ("", "ab-%", "ab-________", "zz"):
        with pytest.raises(NotFound):
            await store.keys.revoke(unknown)
    assert [row.revoked_at for row in await store.keys.list()] == [None, None]
