"""What sources say in whatever form, and what an answer cites of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.answers.citations import CUT, Passage, cited, read_passages

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["text", "title", "url", "hits"]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("said", "passages"),
    [
        ("Rent is due on Monday.", [Passage(text="Rent is due on Monday.")]),
        ('["one", "two", ""]', [Passage(text="one"), Passage(text="two")]),
        (
            '[{"text": "one", "title": "T", "url": "https://a"}, {"content": "two", "id": "7"}]',
            [Passage(text="one", title="T", url="https://a"), Passage(text="two", url="7")],
        ),
        ('{"results": [{"snippet": "one"}]}', [Passage(text="one")]),
        ('{"text": "alone"}', [Passage(text="alone")]),
        ("[3, {}]", [Passage(text="3")]),
        ("42", [Passage(text="42")]),
        ("", []),
        ('["a\\ud83d\\u0000b"]', [Passage(text="a\ufffd\ufffdb")]),  # as a journal holds it
        ("[" * 80 + "]" * 80, [Passage(text="[" * 80 + "]" * 20 + CUT)]),  # the same from any stack
        ("[" * 5000, [Passage(text="[" * 100 + CUT)]),
    ],
)
def test_passages_come_in_many_forms(said: str, passages: list[Passage]) -> None:
    assert read_passages(said, most=9, characters=100) == passages


def test_so_many_passages_of_so_many_characters() -> None:
    said = json.dumps(["a" * 200] * 9)
    assert read_passages(said, most=2, characters=100) == [Passage(text="a" * 100 + CUT)] * 2


@given(said=JSON, most=st.integers(1, 5), characters=st.integers(1, 50))
def test_whatever_a_tool_says_is_read(said: object, most: int, characters: int) -> None:
    passages = read_passages(json.dumps(said), most, characters)
    assert len(passages) <= most
    assert all(0 < len(each.text) <= characters + len(CUT) for each in passages)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Monday [2], or Tuesday [1]; Monday [2].", (2, 1)),
        ("Both [1, 3] and [2;4].", (1, 3, 2, 4)),
        ("a[i] and [x1] and [] and [1.5] and [-1]", ()),
        ("a list: [1, 2", ()),
    ],
)
def test_numbers_in_brackets_are_citations(text: str, numbers: tuple[int, ...]) -> None:
    assert cited(text) == numbers


@pytest.mark.parametrize("depth", [*range(60, 70), *range(900, 1000, 3), 992, 993, 994, 995])
def test_whatever_is_nested_is_a_passage(depth: int) -> None:
    [passage] = read_passages("[" * depth + "1" + "]" * depth, most=1, characters=5000)
    assert passage.text.startswith("[" * (depth - 1))
