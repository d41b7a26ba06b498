"""What was packed is unpacked letter by letter; bytes that are no pack are refused."""

import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anabranch.dag.journal.chain import GENESIS, Link, link_hash
from anabranch.dag.journal.packing import BadPack, pack, unpack

texts = st.text(st.characters(codec="utf-8"))
moments = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - see timezones


@st.composite
def chains(draw: st.DrawFn) -> list[Link]:
    """Links of one job that follow one another, from anywhere in its journal."""
    links: list[Link] = []
    seq, before = draw(st.integers(1, 10**6)), draw(st.sampled_from([GENESIS, "ab" * 32]))
    for _ in range(draw(st.integers(1, 8))):
        link = Link(
            job="j", seq=seq, epoch=draw(st.integers(0, 9)), at=draw(moments), kind=draw(texts), branch=draw(texts),
            payload=draw(texts), prev_hash=before,
        )  # fmt: skip
        links.append(replace(link, hash=link_hash(link)))
        seq, before = seq + 1, links[-1].hash
    return links


@given(chains())
def test_links_come_back_as_they_were(links: list[Link]) -> None:
    packed = pack(links)
    assert packed is not None
    assert packed.last_seq == links[-1].seq
    assert unpack("j", packed.data) == links


@given(chains(), st.data())
def test_links_that_are_not_whole_are_not_packed(links: list[Link], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(links) - 1))
    what, odd = data.draw(
        st.sampled_from([("seq", 0), ("hash", "cd" * 32), ("branch", "another"), ("epoch", 77)])
    )
    assume(getattr(links[at], what) != odd)
    links[at] = replace(links[at], **{what: odd})  # type: ignore[arg-type]
    assert pack(links) is None


@given(chains())
def test_what_was_changed_in_a_pack_is_refused(links: list[Link]) -> None:
    packed = pack(links)
    assert packed is not None
    told = json.loads(zlib.decompress(packed.data))
    told[4][-1][0] += 1
    with pytest.raises(BadPack, match="not what was written"):
        unpack("j", zlib.compress(json.dumps(told).encode()))


@pytest.mark.parametrize(
    "data",
    [b"", b"no pack", zlib.compress(b"{}"), zlib.compress(b"[1]"), zlib.compress(b'[1,1,"","",[[1]]]')],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadPack, match="no pack"):
        unpack("j", data)


def test_a_newer_releases_pack_is_told() -> None:
    with pytest.raises(BadPack, match="format 2, and this release reads 1"):
        unpack("j", zlib.compress(b'[2,1,"","",[]]'))
