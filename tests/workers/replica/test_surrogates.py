"""Halves of characters: however text is cut between them, what comes out is the same, whole, and fit to be stored."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.workers.replica.surrogates import SurrogateJoiner

WHOLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HALVES = st.text(st.sampled_from("a\ud83d\ude00\udbff\udc00é😀"), max_size=20)


def units(text: str) -> list[str]:
    """Text in UTF-16's units, as JSON's escapes have it."""
    data = text.encode("utf-16-le", "surrogatepass")
    return [data[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(data), 2)]


def joined(chunks: list[str]) -> str:
    joiner = SurrogateJoiner()
    return "".join(map(joiner.feed, chunks)) + joiner.close()


@given(WHOLE)
def test_any_text_unit_by_unit_comes_out_as_it_was(text: str) -> None:
    assert joined(units(text)) == text


@given(HALVES, st.data())
def test_where_it_is_cut_makes_no_difference_and_nothing_is_left_alone(
    text: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert joined(chunks) == joined([text])
    joined(chunks).encode()  # raises for a lone half


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        (['"\\ud83d"', '"\\ude00"'], "😀"),
        (['"\\ud83d"', '""', '"\\ude00"'], "😀"),
        (['"\\ud83d"', '"x"'], "\ufffdx"),
        (['"\\ude00"', '"\\ud83d"'], "\ufffd\ufffd"),
        (['"\\ud83d"', '"\\ud83d"', '"\\ude00"'], "\ufffd😀"),
    ],
)
def test_as_an_upstream_sends_them(chunks: list[str], text: str) -> None:
    assert joined([json.loads(chunk) for chunk in chunks]) == text
