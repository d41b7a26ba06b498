"""Cursors lead on from where a page ended; whatever else comes as one is refused, and costs next to nothing."""

import base64
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.service.store.errors import BadCursor
from anabranch.service.store.listings.cursors import LONGEST, cursor_at, place_of
from anabranch.service.store.listings.sorting import Sort, sorted_cursor, sorted_place
from anabranch.service.store.store import Store


def cursor_of(written: str) -> str:
    return base64.urlsafe_b64encode(written.encode()).decode()


MOMENTS = [
    '["9999-12-31T23:59:59-14:00", "x"]',
    '["0001-01-01T00:00:00+14:00", "x"]',
    '["2026-01-01T00:00:00", "x"]',
    '["20", "x"]',
    '[20, "x"]',
    '["2026-01-01T00:00:00Z", 7]',
    r'["2026-01-01T00:00:00Z", "\u0000"]',
]
NUMBERS = [
    f'[{"9" * 400}, "x"]',
    '[1e999, "x"]',
    '[NaN, "x"]',
    '[true, "x"]',
    '["1", "x"]',
    "[1, 7]",
    '[1, 2, "x"]',
]
ANY = ["[" * 700, "[" * 100_000, '"x"', "7", "null", "{}", "x" * 3 * LONGEST]


@pytest.mark.parametrize("written", [*MOMENTS, *ANY], ids=lambda text: text[:40])
def test_what_is_no_moment_and_job_is_refused(written: str) -> None:
    with pytest.raises(BadCursor):
        place_of(cursor_of(written))


@pytest.mark.parametrize("written", [*NUMBERS, *ANY], ids=lambda text: text[:40])
def test_what_is_no_number_and_job_is_refused(written: str) -> None:
    with pytest.raises(BadCursor):
        sorted_place(cursor_of(written))


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_cursor_of_a_sorted_page_makes_anything_worse_than_a_refusal(cursor: str) -> None:
    try:
        sorted_place(cursor)
    except BadCursor:
        return


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00Z", "2026-03-14T09:26:53.589793Z", "9999-12-31T23:59:59.999999Z"]
)
async def test_the_first_and_the_last_moment_are_places_like_any_other(store: Store, at: str) -> None:
    cursor = cursor_at(datetime.fromisoformat(at), "0190" * 9)
    assert len(cursor) < LONGEST
    assert (await store.jobs.list_page(cursor=cursor)).items == ()


@pytest.mark.parametrize("value", [0.0, -1.5, 1e308, 5e-324])
async def test_any_number_is_a_place_like_any_other(store: Store, value: float) -> None:
    cursor = sorted_cursor(value, "0190" * 9)
    assert (await store.jobs.list_page(sort=Sort.COST, cursor=cursor)).items == ()
