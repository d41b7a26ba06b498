"""Packs links of an ended job into few bytes, and unpacks the same links again.

A row has two hashes, the job's id and a moment for some seventy bytes of payload. A pack holds a run of links as one
compressed text, without what can be computed from it: hashes are what the chain gives. Only links that are whole are
packed, so nothing is lost; and unpacking verifies them.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from anabranch.dag.journal.chain import Link, link_hash, seal

FORMAT = 1


class BadPack(Exception):
    """These bytes are no pack, were changed, or are one that only a newer release can read."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Links that follow one another, in the order of their `seq`."""

    last_seq: int
    data: bytes


def pack(links: Sequence[Link]) -> Pack | None:
    """Packs these links of one job; None where one is not what was written, or not behind the one before it."""
    first, last = links[0], links[-1]
    if not _are_whole(links):
        return None
    rest = [(link.epoch, link.at.isoformat(), link.kind, link.branch, link.payload) for link in links]
    text = json.dumps(
        [FORMAT, first.seq, first.prev_hash, last.hash, rest], ensure_ascii=False, separators=(",", ":")
    )
    return Pack(last.seq, zlib.compress(text.encode()))


def unpack(job: str, data: bytes) -> list[Link]:
    """Gives the links of this job that were packed. Raises BadPack."""
    try:
        written, seq, prev_hash, last_hash, rest = json.loads(zlib.decompress(data))
        if written != FORMAT:
            raise BadPack(f"a pack of format {written}, and this release reads {FORMAT}")
        links = []
        for epoch, at, kind, branch, payload in rest:
            link = Link(
                job=job,
                seq=seq,
                epoch=epoch,
                at=datetime.fromisoformat(at).astimezone(UTC),
                kind=kind,
                branch=branch,
                payload=payload,
                prev_hash=prev_hash,
            )
            links.append(seal(link))
            seq, prev_hash = seq + 1, links[-1].hash
    except (zlib.error, ValueError, TypeError, AttributeError) as error:
        raise BadPack(f"bytes that are no pack ({error})") from error
    if prev_hash != last_hash:
        raise BadPack("what is packed there is not what was written")
    return links


def _are_whole(links: Sequence[Link]) -> bool:
    seq, prev_hash = links[0].seq, links[0].prev_hash
    for link in links:
        if (link.seq, link.prev_hash) != (seq, prev_hash) or link_hash(link) != link.hash:
            return False
        seq, prev_hash = seq + 1, link.hash
    return True
