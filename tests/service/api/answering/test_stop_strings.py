"""What may be told of a growing text is what cutting and stripping leave of the whole."""

from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.job import AnswerFormat, Problem
from anabranch.service.api.answering.stop_strings import SafeText

LETTERS = st.text(alphabet="ab \n", max_size=30)
STOPS = st.lists(st.text(alphabet="ab \n", min_size=1, max_size=5), max_size=3)


@given(pieces=st.lists(LETTERS, max_size=8), stops=STOPS, begun=st.booleans())
def test_what_is_told_is_how_the_answer_begins_and_all_of_it_but_what_is_in_doubt(
    pieces: list[str], stops: list[str], begun: bool
) -> None:
    whole, safe = "".join(pieces), SafeText(stops, begun=begun)
    told = "".join(safe.feed(piece) for piece in pieces)
    problem = Problem(messages=(), question="", begun=begun)
    answer = problem.trimmed(AnswerFormat(stop=tuple(stops)).cut(whole))
    assert answer.startswith(told)
    left = answer[len(told) :].strip()
    assert not left or any(stop.startswith(left[-1:]) or left[-1] in stop for stop in stops)


@given(pieces=st.lists(LETTERS, max_size=8), stops=STOPS)
def test_how_the_text_is_cut_into_pieces_does_not_matter(pieces: list[str], stops: list[str]) -> None:
    letters, at_once = SafeText(stops), SafeText(stops)
    assert "".join(letters.feed(letter) for letter in "".join(pieces)) == at_once.feed("".join(pieces))


def test_text_is_told_as_soon_as_it_cannot_begin_a_stop_string() -> None:
    safe = SafeText(("END",))
    assert [safe.feed(piece) for piece in (" The", " E", "N", "ORM END of")] == ["The", "", "", " ENORM"]
    assert safe.feed("it") == ""


def test_of_a_text_that_goes_on_from_another_blanks_in_front_are_told_with_its_first_word() -> None:
    safe = SafeText((), begun=True)
    assert [safe.feed(piece) for piece in ("    ", "if x:\n", "   ")] == ["", "    if x:", ""]


def test_an_earlier_stop_string_that_is_longer_counts_first() -> None:
    safe = SafeText(("abcd", "bc"))
    assert [safe.feed(piece) for piece in ("x", "abc", "d")] == ["x", "", ""]
    safe = SafeText(("abcd", "bc"))
    assert [safe.feed(piece) for piece in ("x", "abc", "e")] == ["x", "", "a"]


def test_where_nothing_may_be_told_nothing_is() -> None:
    assert SafeText(None).feed("text") == ""
