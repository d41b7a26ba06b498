"""What holds for every grammar: chunks do not matter, nothing crashes, time is linear, memory is bounded."""

import re
import sys
import tracemalloc
from collections import Counter
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.grammars.conftest import Reader

from anabranch.dag.grammars import GRAMMARS, grammar_named, splitter
from anabranch.dag.grammars import parser as parsers
from anabranch.dag.grammars.grammar import Grammar
from anabranch.dag.grammars.marks import NAMES
from anabranch.dag.grammars.parser import TAG_LIMIT, TagParser
from anabranch.dag.grammars.splitter import MARK_LIMIT, Stretches

WELL_FORMED = [
    "so <FORK-1>one</FORK-1> and <FORK-2>two</FORK-2> then <JOIN-2>",
    "hence <ANSWER>59.76</ANSWER>",
    "thus <RETURN>39.95</RETURN>",
    "<Parallel><Outlines><Outline>1: a</Outline><Outline>2: b</Outline></Outlines>",
    " 84 = 2^2 * 3 * 7.</Thread>",
    "<Goal><Outline>1.1: a</Outline><Outline>1.2: b</Outline></Goal>",
    "that is 9</Conclusion></Parallel> and 14</Path>",
    "<Calling Sub Searches>\n<Start Sub Search 0 at level 1> Moving to Node #0,0\n<End Calling Sub Searches>",
    "so <Parallel>and</Path> then</Summary>",
    "<guideline><plan>1: a</plan><plan>2: b</plan></guideline>\n<step>\n1: so</step>",
    "<Sub Searches>\n<No Solution in Sub Search 0 at level 1 at Node #0,0>\n<End Sub Searches>",
]
MARKS = [f"<{slash}{name.replace('#', '1')}>" for name in NAMES for slash in ("", "/")]
BITS = st.one_of(
    st.sampled_from(WELL_FORMED),
    st.sampled_from(MARKS),
    st.sampled_from(MARKS).map(str.lower),
    st.sampled_from(["<", ">", "</", "<FORK-", "-1>", "`", "```\n", "\n", " ", "<" + " " * MARK_LIMIT]),
    st.text(max_size=5),
)
TEXT = st.lists(BITS, max_size=10).map("".join)
NAME = st.sampled_from(sorted(GRAMMARS))
BARE = [name for name in GRAMMARS if ":" not in name]


@st.composite
def chunked(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text, and the same in chunks."""
    text = draw(TEXT)
    at = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    return text, [text[begin:end] for begin, end in zip([0, *at], [*at, len(text)], strict=True)]


@given(NAME, chunked())
def test_the_split_into_chunks_does_not_matter(read: Reader, name: str, split: tuple[str, list[str]]) -> None:
    text, chunks = split
    whole = read(name, text)

    assert read(name, *chunks) == whole
    assert read(name, *text) == whole


@pytest.mark.parametrize("name", sorted(GRAMMARS))
@pytest.mark.parametrize("text", WELL_FORMED)
def test_a_tag_may_be_split_at_any_point(read: Reader, name: str, text: str) -> None:
    whole = read(name, text)

    assert all(read(name, text[:at], text[at:]) == whole for at in range(len(text)))


@pytest.mark.parametrize("name", sorted(GRAMMARS))
def test_also_where_tags_are_too_long(read: Reader, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The limit is lowered, so that it falls on every character of a closing mark, and of one after it, in turn."""
    text = (
        "<FORK-1><RETURN> <Outlines><Goal><Calling Sub Searches>"
        + "x<y " * 10
        + "</FORK-1></Goal><JOIN-1> <JOIN-2>"
    )
    for limit in range(MARK_LIMIT + 1, len(text) + 1):
        monkeypatch.setattr(parsers, "TAG_LIMIT", limit)
        whole = read(name, text)

        assert all(len(tag.body) <= limit for tag in whole.tags)
        assert read(name, *text) == whole
        assert read(name, *(text[at : at + 11] for at in range(0, len(text), 11))) == whole


@given(NAME, chunked())
def test_every_cut_lies_in_the_chunk_that_told_it_and_nothing_follows_a_stop(
    name: str, split: tuple[str, list[str]]
) -> None:
    _, chunks = split
    parser, fed, last, stopped = grammar_named(name).parser(), 0, 0, False
    for chunk in chunks:
        for cut in parser.feed(chunk):
            assert not stopped
            assert max(fed, last) < cut.offset <= fed + len(chunk)
            last, stopped = cut.offset, cut.stops
        fed += len(chunk)


@given(NAME, TEXT)
def test_a_malformed_tag_carries_its_raw_span(read: Reader, name: str, text: str) -> None:
    told = read(name, text)

    for tag, segment in zip(told.tags, told.segments, strict=True):
        assert segment.endswith(tag.body) if tag.problem else tag.body in segment
    if told.left:
        assert told.left.problem == "unclosed"
        assert text.endswith(told.left.body)


@given(st.sampled_from(BARE), TEXT)
def test_what_the_strict_reading_accepts_the_lenient_one_reads_alike(
    read: Reader, name: str, text: str
) -> None:
    plain = text.replace("`", "")
    strict = read(f"{name}:strict", plain)

    if not any(tag.problem for tag in strict.tags):
        assert read(name, plain) == strict


@given(chunked())
def test_every_character_is_in_exactly_one_stretch(split: tuple[str, list[str]]) -> None:
    text, chunks = split
    lexer = Stretches()
    parts = [stretch for chunk in chunks for stretch in lexer.split(chunk)]

    assert "".join(parts) + lexer.held == text
    assert len(lexer.held) < MARK_LIMIT


@pytest.mark.parametrize("length", [MARK_LIMIT - 1, MARK_LIMIT, MARK_LIMIT + 1])
def test_what_is_too_long_for_a_mark_is_not_held(length: int) -> None:
    lexer, text = Stretches(), ("<" + "a" * length)[:length]

    parts = [part for letter in text for part in lexer.split(letter)]

    assert lexer.held == (text if length < MARK_LIMIT else "")
    assert "".join(parts) == text.removesuffix(lexer.held)


def table_parser(grammar: Grammar) -> TagParser:
    parser = grammar.parser()
    assert isinstance(parser, TagParser)
    return parser


# -- linear time ------------------------------------------------------------------------------------------------------

HARD = {
    "plain": "x",
    "brackets": "<",
    "half marks": "<FORK-",
    "long half marks": "<" + "FORK" * 20,
    "blanks in a mark": "<" + " " * (MARK_LIMIT - 2),
    "forks never closed": "<FORK-1>",
    "closing marks": "</FORK-1>",
    "forks": "<FORK-1>a</FORK-1>",
    "strangers in a fork": "<FORK-1>" + "<div>" * 12,
    "plans": "<Outlines><Goal><Outline>",
    "code": "`<JOIN-1>` ",
    "lines": "\n",
}


class Counting:
    """A pattern that counts the characters it is shown."""

    def __init__(self, pattern: re.Pattern[str], examined: Counter[str]) -> None:
        self.pattern, self.examined = pattern, examined

    def search(self, text: str, at: int, most: int) -> re.Match[str] | None:
        found = self.pattern.search(text, at, most)
        self.examined["search"] += (found.end() if found else min(most, len(text))) - at
        return found

    def fullmatch(self, text: str) -> re.Match[str] | None:
        self.examined["match"] += len(text)
        return self.pattern.fullmatch(text)


@pytest.mark.parametrize("name", BARE)
@pytest.mark.parametrize("hard", HARD.values(), ids=HARD)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_each_character_is_examined_a_fixed_number_of_times(
    monkeypatch: pytest.MonkeyPatch, name: str, hard: str, size: int
) -> None:
    """Once in the search for the mark's end, and, where it lies in a mark, once for each mark of the table."""
    examined: Counter[str] = Counter()
    monkeypatch.setattr(splitter, "_EDGE", Counting(splitter._EDGE, examined))
    parser = table_parser(grammar_named(name))
    templates = [(Counting(pattern, examined), *rest) for pattern, *rest in parser._templates]
    monkeypatch.setattr(parser, "_templates", templates)
    text = (hard * 4000)[:4000]

    for at in range(0, len(text), size):
        parser.feed(text[at : at + size])

    assert examined["search"] <= len(text)
    assert examined["match"] <= len(text) * len(parser._templates)


def operations(name: str, text: str, size: int) -> int:
    """Function calls, of Python's and of C's, in reading the text."""
    calls = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    parser = grammar_named(name).parser()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for at in range(0, len(text), size):
            parser.feed(text[at : at + size])
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize("hard", HARD.values(), ids=HARD)
@pytest.mark.parametrize("name", ["async-think", "multiverse-path:strict", "apr-calling"])
def test_twice_the_text_is_twice_the_work(name: str, hard: str, size: int) -> None:
    text = (hard * 6000)[:6000]

    once, twice = operations(name, text, size), operations(name, text * 2, size)

    assert twice <= 2 * once + 50


# -- bounded memory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BARE)
@pytest.mark.parametrize("endless", ["x", "<", "<FORK-1>", "<a>"])
def test_a_parser_keeps_no_more_than_one_tag(
    monkeypatch: pytest.MonkeyPatch, name: str, endless: str
) -> None:
    monkeypatch.setattr(parsers, "TAG_LIMIT", 2000)
    chunk = (endless * 5000)[:5000]
    parser = grammar_named(name).parser()
    parser.feed("<FORK-1><ANSWER><RETURN><Outlines><Goal><Calling Sub Searches>")
    tracemalloc.start()
    try:
        for _ in range(20):
            assert all(len(cut.tag.body) <= 2000 for cut in parser.feed(chunk))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 20_000  # 100,000 characters went through


# -- the tables -------------------------------------------------------------------------------------------------------

TEMPLATES = {template for grammar in GRAMMARS.values() for _, template, _ in table_parser(grammar)._templates}


def test_the_limits_hold_every_mark() -> None:
    longest = max(len(template.replace("#", "123456789")) for template in TEMPLATES)

    assert 2 * longest <= MARK_LIMIT < TAG_LIMIT


def test_every_mark_of_every_table_is_known_to_the_escape() -> None:
    assert {f"<{slash}{name}>" for name in NAMES for slash in ("", "/")} >= TEMPLATES
