"""Places each request on a replica: where most of what it reads is cached, unless that one is overloaded.

What a replica has cached is told by the pool's own book (`workers/prefixes.py`): of what was placed here, and of what
replicas tell that others placed. One more decode beside others is taken to cost as much as reading DECODE_COSTS bytes
of text: so the longer a prefix, the more load it bears. Beyond that each affinity has a home: the replica that served
it first, and not one that helped out when the home was overloaded. So a trunk stays, and its children follow it, where
its text is too short for the book, or was forgotten.
"""

import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from anabranch.workers.messages import DecodeRequest
from anabranch.workers.prefixes import BLOCK, Keys, PrefixBook, keys_of, text_of

TOLERANCE = 4
"""Decodes by which the replica that holds a prefix may exceed the least loaded one before the prefix is decoded anew
elsewhere: a few more in one batch cost less than a prefill, a long queue costs more."""

DECODE_COSTS = 128
"""Bytes of text, about 32 tokens of prefill."""

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
        self._book = PrefixBook()

    def place(
        self, requests: Sequence[DecodeRequest], loads: Mapping[str, int]
    ) -> dict[str, list[DecodeRequest]]:
        """Each request on one of the replicas of `loads` (decodes each has now; at least one replica)."""
        loads = dict(loads)
        placed: dict[str, list[DecodeRequest]] = {}
        for context, siblings in groupby(requests, key=attrgetter("context")):
            keys, holders = keys_of(text_of(context)), set[str]()
            for request in siblings:
                replica = self._replica_for(request, keys, loads)
                loads[replica] += 1
                if replica not in holders:
                    self._book.add(keys, replica)
                    holders.add(replica)
                placed.setdefault(replica, []).append(request)
        return placed

    def wrote(self, request: DecodeRequest, text: str, replica: str) -> None:
        """The replica has decoded this text for the request: whoever goes on from it finds it there."""
        self._book.add(keys_of(text_of(request.context) + text), replica)

    def told(self, keys: Keys, replica: str) -> None:
        """The replica has read or written these blocks for another organizer."""
        self._book.add(keys, replica)

    def keep_only(self, replicas: Mapping[str, int]) -> None:
        """Forgets what replicas had cached that are gone."""
        self._book.keep_only(replicas)

    def _replica_for(self, request: DecodeRequest, keys: Keys, loads: Mapping[str, int]) -> str:
        prefix = request.affinity
        home = self._homes.get(prefix, "") if prefix else ""

        def worth(replica: str) -> tuple[int, bool, int]:
            cached = BLOCK * self._book.held(keys, replica)
            borne = self._tolerance if replica == home else 0
            cost = DECODE_COSTS * (loads[replica] - borne)
            return cached - cost, replica == home, -_mix(prefix or request.key.job, replica)

        best = max(loads, key=worth)
        if prefix:
            self._remember(prefix, home if home in loads else best)
        return best

    def _remember(self, prefix: str, replica: str) -> None:
        self._homes[prefix] = replica
        self._homes.move_to_end(prefix)
        if len(self._homes) > self._remembered:
            self._homes.popitem(last=False)


def _mix(prefix: str, replica: str) -> int:
    return zlib.crc32(f"{prefix}@{replica}".encode())
