"""Finds whose a key is: in the tenants file, and in the store, whose rows are kept in memory for a second.

So a key that is made, revoked or expires counts, or counts no more, a second later in every process. While the store is
away whoever had a key keeps it, until it expires; keys that were not seen before are answered when it is back.
"""

import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from anabranch.service.settings.fields import Ask
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.keys import KeyRow, Keys, digest
from anabranch.service.tenants.callers import ANYBODY, Caller
from anabranch.service.tenants.file import Tenants, Usual

FRESH_SECONDS = 1.0
_ASKS: Mapping[Ask, bool | None] = {"auto": None, "always": True, "never": False}
MOST_KEPT = 10_000
"""Keys, and what was sent as one, that are kept in memory."""


@dataclass(frozen=True, slots=True)
class _Found:
    row: KeyRow | None
    at: float


class Keyring:
    """All keys that open this service."""

    def __init__(
        self,
        keys: Keys,
        *,
        file: Path | None = None,
        ask: Ask = "auto",
        usual: Usual = Usual(),  # noqa: B008 - frozen
    ) -> None:
        """Raises BadTenants."""
        self._keys = keys
        self._tenants = Tenants(file, usual)
        self._found: OrderedDict[str, _Found] = OrderedDict()
        self._asks: bool | None = _ASKS[ask] if file is None else True
        """None: it depends on whether there is a key."""
        self._looked: float | None = None

    @property
    def asks_always(self) -> bool:
        """Whether nobody is answered without a key, as far as is known now."""
        return self._asks is True

    async def asks(self) -> bool:
        """Whether a key is needed. There is no way back: a service whose only key was revoked is not open to all.
        Raises StoreAway while nobody can tell."""
        if self._asks is not None:
            return self._asks
        if self._looked is None or time.monotonic() - self._looked > FRESH_SECONDS:
            try:
                if await self._keys.any():
                    self._asks = True
                self._looked = time.monotonic()
            except StoreAway:
                if self._looked is None:
                    raise
        return self._asks is True

    async def find(self, key: str) -> Caller | None:
        """Whose key this is. Raises StoreAway for one that was not seen before."""
        return (await self.find_all([digest(key)])).get(digest(key))

    async def of_tenant(self, tenant: str) -> Caller | None:
        """What holds for the jobs of a tenant when nobody calls; None while no key opens the service for it. Raises
        StoreAway."""
        if not await self.asks():
            return ANYBODY
        may_call = self._tenants.has_keys(tenant) or await self._keys.any_alive(tenant)
        return self._tenants.of(tenant) if may_call else None

    async def find_all(self, digests: Collection[str]) -> dict[str, Caller]:
        """Whose keys these are the digests of; those that count for nothing are left out. Raises as `find`."""
        found = {each: self._tenants.caller(each) for each in digests}
        await self._refresh([each for each, caller in found.items() if caller is None])
        for each, caller in found.items():
            if caller is None and (row := self._row(each)) is not None:
                found[each] = self._tenants.caller_of_row(row)
        return {each: caller for each, caller in found.items() if caller is not None}

    async def _refresh(self, digests: Collection[str]) -> None:
        now = time.monotonic()
        stale = [
            each
            for each in digests
            if (known := self._found.get(each)) is None or now - known.at > FRESH_SECONDS
        ]
        if not stale:
            return
        try:
            rows = await self._keys.find(stale)
        except StoreAway:
            if any(each not in self._found for each in stale):
                raise
            return
        for each in stale:
            self._found[each] = _Found(rows.get(each), now)
            self._found.move_to_end(each)
        while len(self._found) > MOST_KEPT:
            self._found.popitem(last=False)

    def _row(self, of_digest: str) -> KeyRow | None:
        known = self._found.get(of_digest)
        if known is None or known.row is None:
            return None
        expires = known.row.expires_at
        return known.row if expires is None or expires > datetime.now(UTC) else None
