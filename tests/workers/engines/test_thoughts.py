"""Thoughts and text are told apart the same however the stream is cut, and written back as they were read."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.text import Context
from anabranch.workers.engines.thoughts import Begin, Marks, ThoughtSplitter

UNKNOWN, OUTSIDE, INSIDE, BEHIND = Begin


def split(pieces: Sequence[str], begin: Begin) -> tuple[str, str]:
    splitter = ThoughtSplitter(begin)
    thought, text = "", ""
    for told in (*map(splitter.feed, pieces), splitter.close()):
        if told.recast:
            assert not thought
            thought, text = text, ""
        assert not (told.thought and text), "a thought behind its text"
        thought, text = thought + told.thought, text + told.text
    return thought, text


CASES = [
    ("<think>\ntwo and two\n</think>\n\nFour.", OUTSIDE, ("two and two", "Four.")),
    ("\n<think>two and two</think>Four.", OUTSIDE, ("two and two", "Four.")),
    ("two and two\n</think>\n\nFour.", INSIDE, ("two and two", "Four.")),
    ("two and two</think>Four.", UNKNOWN, ("two and two", "Four.")),
    ("<think>two</think> Four.", UNKNOWN, ("two", "Four.")),
    ("<think>\ntwo</think> Four.", INSIDE, ("two", "Four.")),
    ("<think>\n\n</think>\n\nFour.", OUTSIDE, ("", "Four.")),
    ("</think>\n\nFour.", INSIDE, ("", "Four.")),
    ("a\n\nb\n</think>\n\nFour.\n\nFive.\n", INSIDE, ("a\n\nb", "Four.\n\nFive.\n")),
    ("Four.", OUTSIDE, ("", "Four.")),
    ("  Four.", UNKNOWN, ("", "  Four.")),
    ("Say <think>no</think>.", OUTSIDE, ("", "Say <think>no</think>.")),
    ("<think>no</think>.", BEHIND, ("", "<think>no</think>.")),
    ("<think>a</think>b</think>c", OUTSIDE, ("a", "b</think>c")),
    ("<think>still going <th", OUTSIDE, ("still going <th", "")),
    ("still going </th", INSIDE, ("still going </th", "")),
    ("still going\n\n", INSIDE, ("still going", "")),
    ("a < b </th", UNKNOWN, ("", "a < b </th")),
    ("Four.\n\n", UNKNOWN, ("", "Four.\n\n")),
    ("two and two\n</think>\n\nFour.\n", UNKNOWN, ("two and two", "Four.\n")),
    (
        "Marks:\n\n```\n<think>\na\n</think>\n```\n",
        UNKNOWN,
        ("", "Marks:\n\n```\n<think>\na\n</think>\n```\n"),
    ),
    ("Say <think>a</think> b</think>c", UNKNOWN, ("", "Say <think>a</think> b</think>c")),
    ("It ends with `</think>`.\n", UNKNOWN, ("", "It ends with `</think>`.\n")),
    ("a <th\n</think>b", UNKNOWN, ("a <th", "b")),
    ("hm</think>\n\nFour.", UNKNOWN, ("hm", "Four.")),
    ("hm `a`</think>\r\nFour.", UNKNOWN, ("hm `a`", "Four.")),
    ("```\na\n```\nhm\n</think>Four.", UNKNOWN, ("```\na\n```\nhm", "Four.")),
    ("Use </think> here.", UNKNOWN, ("", "Use </think> here.")),
    ("Split at '</think>' there.", UNKNOWN, ("", "Split at '</think>' there.")),
    ("'</think>'", UNKNOWN, ("", "'</think>'")),
    ("What ends it is </think>", UNKNOWN, ("", "What ends it is </think>")),
    (
        "```python\ntext.split('</think>')[-1]\n```\nThat is all.",
        UNKNOWN,
        ("", "```python\ntext.split('</think>')[-1]\n```\nThat is all."),
    ),
    (
        "So it ends:\n\n ```\nhm\n</think>\n\n4\n```\n",
        UNKNOWN,
        ("", "So it ends:\n\n ```\nhm\n</think>\n\n4\n```\n"),
    ),
    ("<thi", OUTSIDE, ("", "<thi")),
    ("<thinking>", OUTSIDE, ("", "<thinking>")),
    ("a <</think>b", INSIDE, ("a <", "b")),
    ("", INSIDE, ("", "")),
]


@pytest.mark.parametrize(("written", "begin", "expected"), CASES)
def test_what_is_thought_and_what_is_text(written: str, begin: Begin, expected: tuple[str, str]) -> None:
    assert split([written], begin) == expected
    assert split(list(written), begin) == expected


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "/th", "\n", " ", "a", "ink>", "`", "```", "'"])),
    st.sampled_from(Begin),
    st.data(),
)
def test_any_cut_of_the_stream_gives_the_same(parts: list[str], begin: Begin, data: st.DataObject) -> None:
    written = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)))))
    pieces = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    assert split(pieces, begin) == split([written], begin)


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize(("thought", "text"), [("a\nb", "Four."), ("a\nb", ""), ("", "Four."), ("", "")])
def test_what_is_written_back_is_read_as_the_same(thought: str, text: str, *, opened: bool) -> None:
    context = Context((("user", "?"),), text, thought)
    begin = Begin.INSIDE if opened else Begin.OUTSIDE
    assert split([Marks().written(context, opened=opened)], begin) == (thought, text)


def test_an_upstream_that_tells_thoughts_by_themselves_leaves_only_blanks_to_cut() -> None:
    splitter = ThoughtSplitter(Begin.UNKNOWN)
    splitter.told_apart()
    told = [splitter.feed(piece).text for piece in ("\n", "\n Four", " </think>\n")]
    assert "".join(told) == "Four </think>\n"


def test_line_breaks_before_a_thought_that_comes_late_stay() -> None:
    splitter = ThoughtSplitter(Begin.UNKNOWN)
    told = splitter.feed("I look.\n\n").text
    splitter.told_apart()
    assert told + splitter.feed("Four.").text + splitter.close().text == "I look.\n\nFour."


def test_a_thought_of_nothing_but_line_breaks_costs_no_more_than_its_length() -> None:
    splitter = ThoughtSplitter(Begin.INSIDE)
    for _ in range(200_000):
        assert splitter.feed("\n").thought == ""
    assert splitter.feed("a").thought == "\n" * 200_000 + "a"
