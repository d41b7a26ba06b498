"""AsyncThink's organizer and worker (arXiv 2510.26658): forks go on decoding, joins, answers and returns stop it."""

import pytest
from tests.dag.grammars.conftest import Reader

from anabranch.dag.decoding import Tag
from anabranch.dag.grammars.parser import TAG_LIMIT, inside

ORGANIZER = (
    "Split the two line totals. <FORK-1>Compute 17 x 2.35 exactly.</FORK-1>\n"
    "<FORK-2>Compute 23 x 1.15 exactly.</FORK-2>\n"
    "While waiting: a 10 % discount means multiplying the sum by 0.9.   <JOIN-1>"
)


def fork(ident: str, body: str, problem: str = "") -> Tag:
    return Tag(kind="fork", ident=ident, body=body, problem=problem)


def test_the_organizer_forks_twice_and_stops_at_its_first_join(read: Reader) -> None:
    told = read("async-think:strict", ORGANIZER)

    assert told.tags == [
        fork("1", "Compute 17 x 2.35 exactly."),
        fork("2", "Compute 23 x 1.15 exactly."),
        Tag(kind="join", ident="1"),
    ]
    assert [cut.stops for cut in told.cuts] == [False, False, True]
    assert told.segments[0].endswith("exactly.</FORK-1>")
    assert told.segments[1] == "\n<FORK-2>Compute 23 x 1.15 exactly.</FORK-2>"
    assert "".join(told.segments) == ORGANIZER


def test_after_the_join_a_new_decode_ends_in_the_answer(read: Reader) -> None:
    told = read("async-think:strict", "39.95 + 26.45 = 66.40; x 0.9 = 59.76. <ANSWER>59.76</ANSWER> and more")

    assert told.tags == [Tag(kind="answer", body="59.76")]
    assert told.stopped
    assert told.segments[0].endswith("<ANSWER>59.76</ANSWER>")


def test_a_worker_stops_at_its_return(read: Reader) -> None:
    told = read("async-think-worker:strict", "17x2=34, 17x0.35=5.95 ... <RETURN>39.95</RETURN>")

    assert told.tags == [Tag(kind="return", body="39.95")]
    assert told.stopped


def test_a_worker_organizes_nothing(read: Reader) -> None:
    told = read("async-think-worker", "<FORK-1>a</FORK-1><JOIN-1><ANSWER>7</ANSWER>")

    assert told.tags == []
    assert told.left is None


def test_an_organizer_returns_nothing(read: Reader) -> None:
    assert read("async-think", "<RETURN>7</RETURN>").tags == []


def test_nothing_is_told_after_the_tag_that_stops(read: Reader) -> None:
    told = read("async-think", "<JOIN-1> 39.95</JOIN-1> <FORK-3>more", "</FORK-3><ANSWER>7</ANSWER>")

    assert told.tags == [Tag(kind="join", ident="1")]
    assert told.left is None


def test_the_body_is_what_was_written_to_the_blank(read: Reader) -> None:
    assert read("async-think:strict", "<FORK-7> sub-query\n</FORK-7>").tags == [fork("7", " sub-query\n")]


@pytest.mark.parametrize("closing", ["</JOIN-1>", "</JOIN-2>"])
def test_a_joins_closing_mark_is_text(read: Reader, closing: str) -> None:
    assert read("async-think:strict", f"39.95{closing} First line is 39.95.").tags == []


# -- malformed, and survived ------------------------------------------------------------------------------------------

MALFORMED = {
    "<FORK-1>a</FORK-2>": "mismatched",
    "<FORK-1></FORK-1>": "empty",
    "<FORK-1> \n</FORK-1>": "empty",
    "<FORK-1>ask <JOIN-2> first</FORK-1>": "nested",
    "<FORK-1>reply as <ANSWER>n</ANSWER></FORK-1>": "nested",
    "<FORK-1>a<FORK-2>b</FORK-2>": "nested",
}


@pytest.mark.parametrize("reading", ["lenient", "strict"])
@pytest.mark.parametrize(("span", "problem"), MALFORMED.items())
def test_a_malformed_fork_is_told_with_its_raw_span_and_reading_goes_on(
    read: Reader, reading: str, span: str, problem: str
) -> None:
    told = read(f"async-think:{reading}", f"so {span} then <FORK-9>c</FORK-9>")

    assert told.tags == [fork("1", span, problem), fork("9", "c")]
    assert told.segments[0] == f"so {span}"
    assert not told.stopped


def test_a_forgotten_closing_mark_costs_no_more_than_the_next_fork(read: Reader) -> None:
    told = read("async-think", "<FORK-1>first\n<FORK-2>second</FORK-2>\n<JOIN-2>")

    assert told.tags == [
        fork("1", "<FORK-1>first\n<FORK-2>second</FORK-2>", "nested"),
        Tag(kind="join", ident="2"),
    ]


def test_an_empty_answer_stops_all_the_same(read: Reader) -> None:
    told = read("async-think", "<ANSWER> </ANSWER> hm")

    assert told.tags == [Tag(kind="answer", body="<ANSWER> </ANSWER>", problem="empty")]
    assert told.stopped


def test_answers_and_returns_may_speak_of_tags(read: Reader) -> None:
    assert read("async-think", "<ANSWER>write <JOIN-1>, not <FORK-1>x</FORK-1></ANSWER>").tags == [
        Tag(kind="answer", body="write <JOIN-1>, not <FORK-1>x</FORK-1>")
    ]
    assert read("async-think-worker", "<RETURN>a <RETURN> b</RETURN>").tags == [
        Tag(kind="return", body="a <RETURN> b")
    ]


def test_the_strict_reading_lets_no_tag_hold_marks(read: Reader) -> None:
    (tag,) = read("async-think:strict", "<ANSWER>write <JOIN-1></ANSWER>").tags

    assert tag == Tag(kind="answer", body="<ANSWER>write <JOIN-1></ANSWER>", problem="nested")


@pytest.mark.parametrize("end", ["", "</FO", "</FORK-1"])
def test_a_fork_that_decoding_ends_within_is_unclosed(read: Reader, end: str) -> None:
    told = read("async-think", f"so <FORK-1>half a query{end}")

    assert told.tags == []
    assert told.left == fork("1", f"<FORK-1>half a query{end}", "unclosed")
    assert inside(told.left) == f"half a query{end}"


@pytest.mark.parametrize(
    "text", ["no tag", "a mark that is cut off <FORK-1", "a < b", "closed <FORK-1>x</FORK-1>"]
)
def test_nothing_is_unclosed_where_no_tag_is_open(read: Reader, text: str) -> None:
    assert read("async-think", text).left is None


def test_a_tag_too_long_is_told_once_at_its_limit_and_does_not_stop(read: Reader) -> None:
    long = "so <ANSWER>" + "x" * TAG_LIMIT + "</ANSWER> <JOIN-1>"
    told = read("async-think", long)

    overlong, join = told.cuts
    assert (overlong.offset, overlong.stops) == (3 + TAG_LIMIT, False)
    assert overlong.tag == Tag(kind="answer", body=long[3 : 3 + TAG_LIMIT], problem="too-long")
    assert join.tag == Tag(kind="join", ident="1")


def test_the_longest_tag_is_no_longer_than_the_limit(read: Reader) -> None:
    marks = len("<FORK-1></FORK-1>")
    just = "<FORK-1>" + "x" * (TAG_LIMIT - marks) + "</FORK-1>"

    assert read("async-think", just).tags == [fork("1", "x" * (TAG_LIMIT - marks))]
    assert read("async-think", just[:8] + "x" + just[8:]).tags[0].problem == "too-long"


def test_a_mark_does_not_reach_over_the_cut_of_a_tag_too_long(read: Reader) -> None:
    text = ("<FORK-1>" + "x" * TAG_LIMIT)[: TAG_LIMIT - 3] + "<JOIN-2> <JOIN-3>"
    told = read("async-think", text)

    assert [cut.tag.problem for cut in told.cuts] == ["too-long", ""]
    assert told.tags[1] == Tag(kind="join", ident="3")


# -- lenient and strict -----------------------------------------------------------------------------------------------

LOOSE = ["<fork-1>a</fork-1>", "< FORK - 1 >a< / FORK-1>", "<Fork-1 >a</FORK-1>", "<FORK-1>a</ Fork-1>"]


@pytest.mark.parametrize("text", LOOSE)
def test_case_and_blanks_are_harmless(read: Reader, text: str) -> None:
    assert read("async-think", text).tags == [fork("1", "a")]


@pytest.mark.parametrize("text", LOOSE)
def test_the_strict_reading_reports_them(read: Reader, text: str) -> None:
    assert read("async-think:strict", text).tags == [fork("1", text, "spelling")]


@pytest.mark.parametrize(
    "text",
    [
        "<FORK-i>a</FORK-i>",
        "<FORK>a</FORK>",
        "<FORK-1 a>",
        "<FORK-1\n>a",
        "<\nJOIN-1>",
        "<JOIN-1/>",
        "<JOIN->",
        "<JO\u0130N-1>",
        "<FOR\u212a-1>a",
    ],
)
def test_what_only_looks_like_a_tag_is_text(read: Reader, text: str) -> None:
    for reading in ("lenient", "strict"):
        told = read(f"async-think:{reading}", text)
        assert (told.tags, told.left) == ([], None)


@pytest.mark.parametrize("text", ["a </FORK-1> b", "</ANSWER>"])
def test_a_closing_mark_alone_is_text_or_strictly_malformed(read: Reader, text: str) -> None:
    assert read("async-think", text).tags == []

    (tag,) = read("async-think:strict", text).tags
    assert tag.problem == "unopened"
    assert tag.body == text.removeprefix("a ").removesuffix(" b")


@pytest.mark.parametrize(
    "text",
    ["I write `<JOIN-1>` to wait", "`<FORK-1>a` and", "the ``x` <ANSWER>", "```<JOIN-1>```"],
)
def test_an_opening_mark_in_inline_code_is_quoted(read: Reader, text: str) -> None:
    told = read("async-think", text)

    assert (told.tags, told.left) == ([], None)


@pytest.mark.parametrize(
    "text",
    ["`x` <JOIN-1>", "a stray ` is forgotten\n<JOIN-1>", "```\n<JOIN-1>\n```", "```xml\nfenced\n<JOIN-1>"],
)
def test_a_mark_after_inline_code_or_in_a_fence_is_read(read: Reader, text: str) -> None:
    assert read("async-think", text).tags == [Tag(kind="join", ident="1")]
    assert read("async-think", *text).tags == [Tag(kind="join", ident="1")]


def test_a_sub_query_may_quote_a_tag_and_its_closing_mark_is_never_quoted(read: Reader) -> None:
    told = read("async-think", "<FORK-1>what does `<JOIN-2>` and a stray ` do</FORK-1>")

    assert told.tags == [fork("1", "what does `<JOIN-2>` and a stray ` do")]


def test_the_strict_reading_knows_no_quoting(read: Reader) -> None:
    assert read("async-think:strict", "I write `<JOIN-1>`").tags == [Tag(kind="join", ident="1")]
