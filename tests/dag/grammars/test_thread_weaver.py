"""ThreadWeaver (arXiv 2512.07843): the trunk stops when its outlines are closed, a thread when it is."""

import pytest
from tests.dag.grammars.conftest import Reader

from anabranch.dag.decoding import Tag
from anabranch.dag.grammars.outline import Outline, outlines

OUTLINES = "<Outline>1: Factor 84.</Outline><Outline>2: Factor 126.</Outline>"
TRUNK = f"<think>Need lcm and gcd of 84 and 126.\n<Parallel><Outlines>{OUTLINES}</Outlines>"


def test_the_trunk_stops_at_its_plan(read: Reader) -> None:
    told = read("thread-weaver:strict", TRUNK + "\n<Thread>")

    assert told.tags == [Tag(kind="plan", body=OUTLINES)]
    assert told.segments == [TRUNK]
    assert told.stopped


def test_after_the_join_the_trunk_closes_its_block_and_ends(read: Reader) -> None:
    told = read("thread-weaver:strict", "</Parallel>\nlcm takes maximum: \\boxed{42, 252}</think>")

    assert (told.tags, told.left) == ([], None)


def test_a_thread_stops_at_its_closing_mark(read: Reader) -> None:
    told = read("thread-weaver-thread:strict", " 84 = 2^2 * 3 * 7.</Thread><Thread>")

    assert told.tags == [Tag(kind="thread")]
    assert told.segments == [" 84 = 2^2 * 3 * 7.</Thread>"]
    assert told.stopped


@pytest.mark.parametrize("reading", ["lenient", "strict"])
def test_blocks_and_threads_in_a_thread_are_literal(read: Reader, reading: str) -> None:
    text = " a</Parallel> b<Parallel><Outlines><Outline>1: x</Outline></Outlines><Thread> c</Thread>"

    assert read(f"thread-weaver-thread:{reading}", text).segments == [text]


def test_the_mark_that_ends_a_thread_is_never_quoted(read: Reader) -> None:
    assert read("thread-weaver-thread", " a stray ` and</Thread>").stopped


def test_a_thread_that_never_closes_leaves_nothing_open(read: Reader) -> None:
    assert read("thread-weaver-thread", " 84 = 2^2").left is None  # its text is the branch's own


def test_an_unfinished_plan_is_unclosed(read: Reader) -> None:
    told = read("thread-weaver", TRUNK.removesuffix("</Outlines>"))

    assert told.left == Tag(kind="plan", body=f"<Outlines>{OUTLINES}", problem="unclosed")


# -- what a plan says -------------------------------------------------------------------------------------------------


def test_outlines_are_read_in_the_order_of_the_plan() -> None:
    assert outlines(OUTLINES) == (Outline("1", "Factor 84."), Outline("2", "Factor 126."))


@pytest.mark.parametrize(
    ("body", "idents"),
    [
        ("<Outline>2: b</Outline><Outline>1: a</Outline>", ["2", "1"]),
        ("<Outline>1.2: a</Outline><Outline>1.10: b</Outline>", ["1.2", "1.10"]),
        ("<Outline>1: a</Outline><Outline>1: again</Outline><Outline>3: c</Outline>", ["1", "3"]),
        ("<outline> 1 : a < b </OUTLINE>\n\n< Outline >2:\n</ Outline >", ["1", "2"]),
        ("<Outline>1: a\n<Outline>2: b", ["1", "2"]),
        ("<Outline>1: old</Outline><Outlines><Outline>5: new</Outline>", ["5"]),
        ("<Outline>first</Outline><Outline>one: a</Outline><Outline>: b</Outline>", []),
        ("1: a 2: b", []),
        ("</Outline>1: a", []),
        ("", []),
    ],
)
def test_outlines_are_read_as_the_orchestrator_reads_them(body: str, idents: list[str]) -> None:
    assert [outline.ident for outline in outlines(body)] == idents


def test_a_duplicate_keeps_the_first_text() -> None:
    assert outlines("<Outline>1: a</Outline><Outline>1: b</Outline>") == (Outline("1", "a"),)


@pytest.mark.parametrize("reading", ["lenient", "strict"])
@pytest.mark.parametrize("body", ["think in parallel", "<Outline>first</Outline>"])
def test_a_plan_without_an_outline_is_malformed(read: Reader, reading: str, body: str) -> None:
    (tag,) = read(f"thread-weaver:{reading}", f"<Outlines>{body}</Outlines>").tags

    assert tag == Tag(kind="plan", body=f"<Outlines>{body}</Outlines>", problem="no-outline")


DEPARTURES = {
    "<Outline>1: a</Outline><Outline>3: c</Outline>": "numbering",
    "<Outline>0: a</Outline>": "numbering",
    "<Outline>2: b</Outline><Outline>1: a</Outline>": "numbering",
    "<Outline>1: a</Outline><Outline>1: b</Outline>": "numbering",
    "<Outline>1.1: a</Outline>": "numbering",
    "<Outline>01: a</Outline>": "numbering",
    "<Outline>1: a</Outline>, then <Outline>2: b</Outline>": "stray-text",
    "<Outline>1: a<Outline>2: b</Outline>": "stray-text",
    "<outline>1: a</outline>": "stray-text",
    "<Outline>1: a <Thread> b</Outline>": "nested",
    "".join(f"<Outline>{n}: a</Outline>" for n in range(1, 52)): "too-many",
}


@pytest.mark.parametrize(("body", "problem"), DEPARTURES.items())
def test_the_strict_reading_reports_departures_that_the_lenient_one_takes(
    read: Reader, body: str, problem: str
) -> None:
    span = f"<Outlines>{body}</Outlines>"

    assert read("thread-weaver:strict", span).tags == [Tag(kind="plan", body=span, problem=problem)]
    assert read("thread-weaver", span).tags == [Tag(kind="plan", body=body)]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_one_to_fifty_outlines_are_the_trained_format(read: Reader, count: int) -> None:
    body = "\n".join(f"<Outline>{n}: keep x < {n}</Outline>" for n in range(1, count + 1))

    assert read("thread-weaver:strict", f"<Outlines>\n{body}\n</Outlines>").tags[0].problem == ""


def test_a_plan_begun_again_counts_from_its_last_beginning(read: Reader) -> None:
    (tag,) = read("thread-weaver", f"<Outlines>no, <Outlines>{OUTLINES}</Outlines>").tags

    assert tag.problem == ""
    assert [outline.ident for outline in outlines(tag.body)] == ["1", "2"]
