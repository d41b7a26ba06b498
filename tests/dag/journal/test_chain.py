"""The chain tells what was done to a journal, and where."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.dag.journal.chain import (
    GENESIS,
    Break,
    Head,
    Link,
    Reason,
    canonical,
    content,
    link_hash,
    verify,
)

AT = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


def journal(length: int) -> list[Link]:
    """A whole journal of so many records."""
    links: list[Link] = []
    for seq in range(1, length + 1):
        link = Link(
            job="j",
            seq=seq,
            epoch=1,
            at=AT + timedelta(seconds=seq),
            kind="TextPosted",
            branch="0",
            payload=f'{{"text":"thought {seq}"}}',
            prev_hash=links[-1].hash if links else GENESIS,
        )
        links.append(replace(link, hash=link_hash(link)))
    return links


def head(links: list[Link]) -> Head:
    return Head(seq=len(links), hash=links[-1].hash)


def renumbered(links: list[Link]) -> list[Link]:
    """As a forger leaves it who has no holes in the numbers."""
    return [replace(link, seq=seq) for seq, link in enumerate(links, start=1)]


def forged(link: Link, **changes: object) -> Link:
    """Changed, and hashed anew."""
    changed = replace(link, **changes)  # type: ignore[arg-type]
    return replace(changed, hash=link_hash(changed))


lengths = st.integers(3, 12)


@settings(deadline=None)
@given(st.integers(0, 12))
def test_a_journal_that_nobody_touched_is_whole(length: int) -> None:
    links = journal(length)
    assert verify(links) is None
    assert verify(links, head(links) if links else Head(seq=0, hash=GENESIS)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"payload": '{"text":"another thought"}'},
        {"payload": '{"text" :"thought 2"}'},
        {"kind": "ActionMalformed"},
        {"branch": "0.1"},
        {"epoch": 2},
        {"at": AT},
        {"job": "k"},
        {"hash": "f" * 64},
        {"prev_hash": "f" * 64},
        {"prev_hash": GENESIS},
    ],
    ids=str,
)
def test_any_changed_field_is_found(change: dict[str, object]) -> None:
    links = journal(4)
    links[1] = replace(links[1], **change)  # type: ignore[arg-type]
    assert verify(links, head(links)) == Break(seq=2, reason=Reason.CHANGED)


@settings(deadline=None)
@given(lengths, st.data())
def test_a_changed_record_is_found_even_if_it_was_hashed_anew(length: int, data: st.DataObject) -> None:
    links = journal(length)
    index = data.draw(st.integers(0, length - 1))
    end = head(links)
    links[index] = forged(links[index], payload="{}")
    assert verify(links, end) == Break(seq=index + 1, reason=Reason.CHANGED)


@settings(deadline=None)
@given(lengths, st.booleans(), st.data())
def test_a_missing_record_is_found(length: int, renumber: bool, data: st.DataObject) -> None:
    links = journal(length)
    end = head(links)
    index = data.draw(st.integers(0, length - 1))
    del links[index]
    broken = verify(renumbered(links) if renumber else links, end)
    assert broken == Break(seq=index + 1, reason=Reason.MISSING)


@settings(deadline=None)
@given(lengths, st.data())
def test_records_cut_off_the_end_are_found_by_the_head(length: int, data: st.DataObject) -> None:
    links = journal(length)
    kept = data.draw(st.integers(0, length - 1))
    assert verify(links[:kept], head(links)) == Break(seq=kept + 1, reason=Reason.MISSING)
    assert verify(links[:kept]) is None


@settings(deadline=None)
@given(lengths, st.booleans(), st.data())
def test_an_added_record_is_found_however_well_it_is_linked(
    length: int, linked: bool, data: st.DataObject
) -> None:
    links = journal(length)
    end = head(links)
    index = data.draw(st.integers(0, length))
    previous = links[index - 1].hash if index else GENESIS
    stranger = forged(links[-1], seq=index + 1, payload="{}", prev_hash=previous if linked else "f" * 64)
    links.insert(index, stranger)
    assert verify(renumbered(links), end) == Break(seq=index + 1, reason=Reason.ADDED)


@settings(deadline=None)
@given(lengths, st.booleans(), st.data())
def test_records_in_another_order_are_found(length: int, renumber: bool, data: st.DataObject) -> None:
    links = journal(length)
    end = head(links)
    first, second = sorted(data.draw(st.sets(st.integers(0, length - 1), min_size=2, max_size=2)))
    links[first], links[second] = links[second], links[first]
    broken = verify(renumbered(links) if renumber else links, end)
    assert broken == Break(seq=first + 1, reason=Reason.REORDERED)


def test_the_same_moment_in_another_zone_is_the_same_content() -> None:
    (link,) = journal(1)
    there = link.at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert content(replace(link, at=there)) == content(link)


def test_the_content_is_canonical_json_so_that_others_can_verify_it() -> None:
    (link,) = journal(1)
    assert content(link).decode() == canonical(
        {
            "job": "j",
            "seq": 1,
            "epoch": 1,
            "at": "2026-11-22T10:30:01.000000Z",
            "kind": "TextPosted",
            "branch": "0",
            "payload": {"text": "thought 1"},
        }
    )
