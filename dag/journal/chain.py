"""Chains a journal's records: each record's hash covers its content and the hash before it.

So nothing can be changed, dropped, inserted or moved without every later hash telling. Only who rewrites all the
rest of the journal, and the head that is kept beside it, stays unnoticed: keep a head elsewhere to prove even that.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

GENESIS = "0" * 64
"""What the first record's `prev_hash` is."""

_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One record of a journal as far as the chain is concerned."""

    job: str
    seq: int
    epoch: int
    at: datetime
    """UTC."""
    kind: str
    branch: str
    payload: str
    """JSON, letter by letter as it is stored."""
    prev_hash: str = GENESIS
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How a journal ends, as kept outside it."""

    seq: int
    hash: str


class Reason(StrEnum):
    """What was done to a journal."""

    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first place at which a journal is not what was written."""

    seq: int
    reason: Reason


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal text. Raises ValueError for NaN and infinity."""
    return _encoder.encode(value)


def content(link: Link) -> bytes:
    """What is hashed of a record: the canonical JSON, in UTF-8, of all but its hashes.

    Only the payload goes in as it stands: a replay may depend on the order of its keys, so that is proven too.
    """
    branch, job, kind = map(canonical, (link.branch, link.job, link.kind))
    return (
        f'{{"at":"{_utc(link.at)}","branch":{branch},"epoch":{link.epoch},"job":{job},"kind":{kind},'
        f'"payload":{link.payload},"seq":{link.seq}}}'
    ).encode()


@lru_cache(maxsize=64)  # all events of a commit have the same moment
def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def link_hash(link: Link) -> str:
    """SHA-256, in hex, over the hash before it and the record's content."""
    return hashlib.sha256(link.prev_hash.encode() + content(link)).hexdigest()


def seal(link: Link) -> Link:
    """The same record with its hash. Each commit does this for each event: `replace` would take three times as long."""
    return Link(
        job=link.job,
        seq=link.seq,
        epoch=link.epoch,
        at=link.at,
        kind=link.kind,
        branch=link.branch,
        payload=link.payload,
        prev_hash=link.prev_hash,
        hash=link_hash(link),
    )


def verify(links: Sequence[Link], head: Head | None = None) -> Break | None:
    """The first break in a journal, given in the order of its `seq`, or None when it is whole.

    `head` is how it ended when it was last written: without it, records cut off the end are not noticed.
    """
    hashes = {GENESIS: 0}
    previous = GENESIS
    for position, link in enumerate(links, start=1):
        if link.prev_hash != previous or link.seq != position or link_hash(link) != link.hash:
            return _told(links, position, previous, hashes, head)
        previous = link.hash
        hashes[previous] = position
    return None if head is None else _told_at_end(len(links), previous, head)


def _told(
    links: Sequence[Link], position: int, previous: str, hashes: dict[str, int], head: Head | None
) -> Break:
    """What must have happened, seen from the first record that does not follow the one before it."""
    if head is not None and previous == head.hash:
        return Break(
            seq=position, reason=Reason.ADDED
        )  # all that was written is there, and then something more
    link, rest = links[position - 1], links[position:]
    in_place = link.seq == position
    if in_place and (link.prev_hash == previous or link_hash(replace(link, prev_hash=previous)) == link.hash):
        return Break(seq=position, reason=Reason.CHANGED)
    if link.prev_hash != previous and link.prev_hash in hashes:
        return Break(seq=hashes[link.prev_hash] + 1, reason=Reason.ADDED)
    if any(later.prev_hash == previous for later in rest):
        followers = {later.prev_hash for later in rest} | ({head.hash} if head else set())
        return Break(seq=position, reason=Reason.REORDERED if link.hash in followers else Reason.ADDED)
    if in_place and link_hash(link) == link.hash:
        # It stands where it was written, but after another record: that one was rewritten, hash and all.
        return Break(seq=max(1, position - 1), reason=Reason.CHANGED)
    return Break(seq=position, reason=Reason.MISSING)


def _told_at_end(length: int, last: str, head: Head) -> Break | None:
    if length != head.seq:
        reason = Reason.MISSING if length < head.seq else Reason.ADDED
        return Break(seq=min(length, head.seq) + 1, reason=reason)
    return None if last == head.hash else Break(seq=length, reason=Reason.CHANGED)
