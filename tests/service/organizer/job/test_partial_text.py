"""PartialTexts: what is kept of a segment is always how it begins, whatever happens to the messages."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.service.organizer.job.partial_text import EVERY_SECONDS, EVERY_TOKENS, PartialTexts
from anabranch.workers.messages import Key, TextPiece

BRANCH = BranchId("0.1")


KEY = Key(job=JobId("j"), branch=BRANCH, segment=1)


def piece(text: str, *, offset: int = 0, segment: int = 1, tokens: int = 1) -> TextPiece:
    return TextPiece(key=KEY, segment=segment, offset=offset, text=text, tokens=tokens)


PIECES = [
    piece(text, offset=2 * index, tokens=index + 1) for index, text in enumerate(["ab", "cd", "ef", "gh"])
]


@given(st.lists(st.sampled_from(PIECES)))
def test_lost_repeated_and_disordered_pieces_leave_a_beginning_of_the_text(heard: list[TextPiece]) -> None:
    texts = PartialTexts(lambda: 0.0)
    for each in heard:
        texts.add(each)
    for partial in texts.all_changed():
        assert "abcdefgh".startswith(partial.text)
        assert partial.tokens == len(partial.text) // 2


def test_a_late_piece_of_an_earlier_segment_changes_nothing() -> None:
    texts = PartialTexts(lambda: 0.0)
    texts.add(piece("new", segment=2))
    texts.add(piece("old", segment=1))
    [partial] = texts.all_changed()
    assert (partial.segment, partial.text) == (2, "new")


def test_an_ended_segment_leaves_no_draft_and_does_not_take_the_next_ones_along() -> None:
    texts = PartialTexts(lambda: 0.0)
    texts.add(piece("first", segment=1))
    texts.add(piece("second", segment=2))
    texts.ended(BRANCH, 1)
    assert [partial.text for partial in texts.all_changed()] == ["second"]
    texts.ended(BRANCH, 2)
    texts.add(piece("third", segment=3))
    assert [partial.text for partial in texts.all_changed()] == ["third"]


def test_text_is_due_after_a_time_or_after_many_tokens() -> None:
    clock = [0.0]
    texts = PartialTexts(lambda: clock[0])
    texts.add(piece("few", tokens=3))
    assert texts.due() == ()
    clock[0] = EVERY_SECONDS
    assert [partial.text for partial in texts.due()] == ["few"]
    texts.add(piece("many", offset=3, tokens=3 + EVERY_TOKENS))
    assert [partial.text for partial in texts.due()] == ["fewmany"]
    assert texts.due() == ()


def test_a_hand_over_tells_what_has_begun_without_a_word_too() -> None:
    texts = PartialTexts(lambda: 0.0)
    texts.began(e.SegmentStarted(branch=BRANCH, segment=1, attempt=1), seq=2)
    texts.add(replace(piece("ab"), key=replace(KEY, branch=TRUNK)))
    assert [partial.text for partial in texts.all_changed()] == ["ab"]
    assert [(partial.branch, partial.tokens) for partial in texts.all_to_hand_over()] == [(BRANCH, 0)]


THOUGHTS = [
    TextPiece(key=KEY, segment=1, offset=0, text="", tokens=1, thought="ab", reasoning_tokens=1),
    TextPiece(
        key=KEY, segment=1, offset=0, text="X", tokens=3, thought="cd", thought_offset=2, reasoning_tokens=2
    ),
    TextPiece(key=KEY, segment=1, offset=1, text="Y", tokens=4, thought_offset=4, reasoning_tokens=2),
]
LATE = [
    piece("ab"),
    piece("cd", offset=2, tokens=2),
    TextPiece(
        key=KEY, segment=1, offset=0, text="X", tokens=3, thought_offset=4, reasoning_tokens=2, recast=True
    ),
    TextPiece(key=KEY, segment=1, offset=1, text="Y", tokens=4, thought_offset=4, reasoning_tokens=2),
]


@pytest.mark.parametrize("told", [THOUGHTS, LATE])
def test_a_thought_is_kept_beside_the_text_even_if_it_was_taken_for_text_at_first(
    told: list[TextPiece],
) -> None:
    texts = PartialTexts(lambda: 0.0)
    for each in told:
        texts.add(each)
        texts.add(each)
    [partial] = texts.all_changed()
    assert (partial.thought, partial.text, partial.tokens, partial.reasoning_tokens) == ("abcd", "XY", 4, 2)


@given(st.lists(st.sampled_from(LATE)))
def test_pieces_of_a_thought_however_they_come_leave_a_beginning(heard: list[TextPiece]) -> None:
    texts = PartialTexts(lambda: 0.0)
    for each in heard:
        texts.add(each)
    for partial in texts.all_changed():
        whole = "abcd" if not partial.thought else partial.thought
        assert (whole == "abcd" and "XY".startswith(partial.text)) or "abcd".startswith(partial.text)


def test_what_no_database_can_hold_is_replaced_one_for_one() -> None:
    texts = PartialTexts(lambda: 0.0)
    texts.add(piece("a\x00b\ud83d"))
    texts.add(piece("\ude00c", offset=4))
    [partial] = texts.all_changed()
    assert partial.text == "a\ufffdb\ufffd\ufffdc" == partial.checkpoint(1).text
