"""How long an upstream asks to be left alone, in every form that it says so."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.workers.engines.openai.waits import told_wait

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "6"}, 6.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True), "date": formatdate(NOW + 20, usegmt=True)}, 10.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "inf"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"x-ratelimit-reset-requests": "20ms"}, 0.02),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset": str(int(NOW * 1000 + 45_000))}, 45.0),
        ({"x-ratelimit-reset": str(int(NOW + 45))}, 45.0),
        ({"ratelimit-reset": "45"}, 45.0),
        ({"ratelimit-reset": "45", "ratelimit-remaining": "3"}, 0.0),
        ({"x-ratelimit-reset": "whenever"}, 0.0),
    ],
)
def test_headers(headers: dict[str, str], seconds: float) -> None:
    assert told_wait(headers, "", NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please try again in 20s. Visit …", 20.0),
        ("Please try again in 450ms.", 0.45),
        ("try again in 2m", 120.0),
        ("please retry after 12 seconds", 12.0),
        ("try again in a while", 0.0),
    ],
)
def test_words(message: str, seconds: float) -> None:
    assert told_wait({}, message, NOW) == pytest.approx(seconds)


NAMES = st.sampled_from(
    ["retry-after", "retry-after-ms", "x-ratelimit-reset", "date", "x-ratelimit-remaining"]
)
VALUES = st.text(st.sampled_from("0123456789.hms :-+eGMT,JanFri"), max_size=30)


@given(st.dictionaries(NAMES, VALUES), st.text(max_size=30))
def test_nothing_that_is_told_breaks_it_or_lies_in_the_past(headers: dict[str, str], message: str) -> None:
    assert 0.0 <= told_wait(headers, message, NOW) < float("inf")
