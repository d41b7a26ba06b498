"""Places each request on a replica. It remembers the home of each prefix: the replica that served it first, and not
one that helped out when the home was overloaded.
"""

import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from anabranch.workers.messages import DecodeRequest

TOLERANCE = 4
"""Decodes by which the replica that holds a prefix may exceed the least loaded one before the prefix is decoded anew
elsewhere: a few more in one batch cost less than a prefill, a long queue costs more."""

REMEMBERED = 10_000
"""Prefixes whose home is remembered; the one that was asked for least recently is forgotten first."""


class Placement:
    """Children that share a prefix follow it, unless its replica is overloaded; all else goes where least is to do.

    Ties between replicas are broken by a hash of affinity and replica, so that several organizers spread their jobs
    alike without talking, and a restarted one finds the prefixes again.
    """

    def __init__(self, *, tolerance: int = TOLERANCE, remembered: int = REMEMBERED) -> None:
        self._tolerance = tolerance
        self._remembered = remembered
        self._homes: OrderedDict[str, str] = OrderedDict()

    def place(
        self, requests: Sequence[DecodeRequest], loads: Mapping[str, int]
    ) -> dict[str, list[DecodeRequest]]:
        """Each request on one of the replicas of `loads` (decodes each has now; at least one replica)."""
        loads = dict(loads)
        placed: dict[str, list[DecodeRequest]] = {}
        for request in requests:
            replica = self._replica_for(request, loads)
            loads[replica] += 1
            placed.setdefault(replica, []).append(request)
        return placed

    def _replica_for(self, request: DecodeRequest, loads: Mapping[str, int]) -> str:
        prefix = request.affinity
        least = min(loads, key=lambda replica: (loads[replica], _mix(prefix or request.key.job, replica)))
        if not prefix:
            return least
        home = self._homes.get(prefix, "")
        if home not in loads:
            home = least
        self._remember(prefix, home)
        return home if loads[home] <= loads[least] + self._tolerance else least

    def _remember(self, prefix: str, replica: str) -> None:
        self._homes[prefix] = replica
        self._homes.move_to_end(prefix)
        if len(self._homes) > self._remembered:
            self._homes.popitem(last=False)


def _mix(prefix: str, replica: str) -> int:
    return zlib.crc32(f"{prefix}@{replica}".encode())
