"""What any door lets in, both databases can hold and every reader can be shown."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from anabranch.service.bounded_json import (
    CUT,
    MAX_DEPTH,
    MAX_NAME,
    MAX_VALUES,
    BadJson,
    TooDeep,
    check_json,
    check_text,
    cut_deep,
    read_json,
)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner), max_leaves=20
)


def nested(levels: int, *, names: bool = False) -> Any:
    """A value of so many levels, built without recursion."""
    value: Any = {} if names else []
    for _ in range(levels - 1):
        value = {"a": value} if names else [value]
    return value


def opened(levels: int) -> str:
    return "[" * levels + "]" * levels


@given(ANYTHING)
def test_what_passes_can_be_stored_and_shown(value: Any) -> None:
    try:
        read = read_json(json.dumps(value))
    except BadJson:
        return
    text = json.dumps(read, allow_nan=False, ensure_ascii=False)
    assert text.encode() and read_json(text) == read
    assert json.loads(TypeAdapter(Any).dump_json(read)) == read
    assert cut_deep(read) == read


@pytest.mark.parametrize("names", [False, True])
def test_the_deepest_value_that_passes(names: bool) -> None:
    check_json(nested(MAX_DEPTH, names=names))
    with pytest.raises(TooDeep) as raised:
        check_json(nested(MAX_DEPTH + 1, names=names))
    assert len(raised.value.path) == MAX_DEPTH


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 300, 990, 5_000, 400_000])
def test_the_place_of_what_is_too_deep_is_told_however_deep_it_is(levels: int) -> None:
    with pytest.raises(TooDeep) as raised:
        read_json(f'{{"metadata": {{"b": 1, "a, \\"[": [0, {opened(levels)}]}}}}')
    assert raised.value.where.startswith("metadata.a, ")
    assert raised.value.path[:1] == ("metadata",) and raised.value.path[2:5] == (1, 0, 0)


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ('{"a": [1, "\\u0000"]}', "a.1"),
        ('{"a": "\\ud800"}', "a"),
        ('{"a": {"\\ud800": 1}}', "a"),
        ('{"a": 1e999}', "a"),
        ('{"a": [-Infinity]}', "a.0"),
        ('{"a": NaN}', "a"),
        (f'{{"a": -{"9" * 309}}}', "a"),
        (f'{{"a": {"9" * 9_000}}}', "a"),
        ('{"b": {"a": 1, "c": 2, "a": 3}}', "b.a"),
        (f'{{"b": {{"{"k" * (MAX_NAME + 1)}": 1}}}}', "b." + "k" * 40),
        (json.dumps({"m": {str(each): each for each in range(100_000)}}), "m"),
        (json.dumps({"m": [[] for _ in range(MAX_VALUES)]}), "m"),
    ],
)
def test_what_is_refused_is_refused_by_its_place(written: str, where: str) -> None:
    with pytest.raises(BadJson) as raised:
        read_json(written)
    assert raised.value.where == where


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('{"a": "\\\\u0000"}', {"a": "\\u0000"}),
        ('"\\ud83d\\ude00"', "😀"),
        ("9" * 308, int("9" * 308)),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    ],
)
def test_what_only_looks_bad_passes(written: str | bytes, value: Any) -> None:
    assert read_json(written) == value


@pytest.mark.parametrize("written", [b"", b"{", b"\xff", b"nul", b"[1,]"])
def test_what_is_no_json_is_told_as_such(written: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        read_json(written)


def test_a_text_is_refused_only_where_it_would_be_read_too_deep() -> None:
    for text in ("plain", "[[[", '{"a": NaN}', "\\u0000", opened(MAX_DEPTH)):
        assert check_text(text) == text
    for levels in (MAX_DEPTH + 1, 5_000):
        with pytest.raises(TooDeep):
            check_text(opened(levels))


def test_what_an_earlier_release_let_in_is_shown_as_far_as_it_can_be() -> None:
    shown = cut_deep({"flat": [1, "x"], "deep": nested(300)})
    assert shown["flat"] == [1, "x"]
    assert CUT in json.dumps(shown)
    check_json(shown, depth=MAX_DEPTH)
