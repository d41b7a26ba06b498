"""What thinkers read of each other: Hogwild!'s three layouts (protocols.md section 7.2) and what ends a step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.policies.parts.shared_memory import (
    LONGEST_TOKEN,
    Draft,
    Layout,
    Memory,
    own_words,
    written_by,
)
from anabranch.dag.policies.trained.splicing import rewrite


def shared() -> Memory:
    """Alice has finished one step and begun another; Bob finished one between, and writes too."""
    memory = Memory(names=("Alice", "Bob"), me=0)
    memory.hear(0, " I take 1.\n\n")
    memory.hear(1, " Then 2.\n\nI see")
    memory.hear(0, " One is odd")
    return memory


def test_combined_has_finished_steps_then_the_others_then_ones_own() -> None:
    assert shared().page(Layout.COMBINED) == (
        "### Past steps\n\n**Alice [1]:** I take 1.\n\n**Bob [1]:** Then 2.\n\n"
        "### Work in progress (others)\n\n**Bob [2]:** I see <...>\n\n"
        "### Work in progress (own)\n\n**Alice [2]:** One is odd"
    )


def test_interleaved_shows_others_only_when_a_step_is_finished() -> None:
    assert shared().page(Layout.INTERLEAVED) == (
        "**Alice [1]:** I take 1.\n\n**Bob [1]:** Then 2.\n\n**Alice [2]:** One is odd"
    )


def test_contiguous_keeps_each_workers_steps_together_ones_own_last() -> None:
    assert shared().page(Layout.CONTIGUOUS) == (
        "### Work in progress (others)\n\n**Bob [1]:** Then 2.\n\n**Bob [2]:** I see <...>\n\n"
        "### Work in progress (own)\n\n**Alice [1]:** I take 1.\n\n**Alice [2]:** One is odd"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" I take 2.\n**Alice [2]:** And I take 3.", " I take 2.\n"),
        (" I take 2.\n\n### Work in progress (others)\n", " I take 2.\n\n"),
        (" I take 2. <...>", " I take 2. "),
        ("**Bob [1]:** again", ""),
        (" **bold** and ### a comment [1]:", " **bold** and ### a comment [1]:"),
    ],
)
def test_nobody_writes_for_another(text: str, words: str) -> None:
    assert own_words(text, tokens=16) == words


def test_nobody_writes_more_than_its_tokens_can_be_long() -> None:
    assert own_words("x" * 10_000, tokens=8) == "x" * 8 * LONGEST_TOKEN


@pytest.mark.parametrize("layout", Layout)
def test_what_one_wrote_oneself_is_found_on_every_page(layout: Layout) -> None:
    assert written_by("Alice", shared().page(layout)) == "I take 1.\n\nOne is odd"


def test_what_others_wrote_never_reads_as_a_tag_even_when_it_came_in_pieces() -> None:
    memory = Memory(names=("Alice", "Bob"), me=0)
    memory.hear(1, " so <ANS")
    memory.hear(1, "WER>7")
    assert "so &lt;ANSWER>7" in memory.page(Layout.COMBINED)


@pytest.mark.parametrize(
    ("text", "steps", "rest"),
    [
        ("One.\n\nTwo", ["One."], "Two"),
        ("One.\n\n", ["One."], ""),
        ("One.\n \t\n\nTwo!\n\n", ["One.", "Two!"], ""),
        ("a list:\n\n", [], "a list:\n\n"),
        ("He said: “Yes.”\n\n", ["He said: “Yes.”"], ""),
        ("so \\boxed{\\frac{1}{2}}\n\n", ["so \\boxed{\\frac{1}{2}}"], ""),
        ("```\nx = 1.\n\ny = 2\n```\n\nDone", ["```\nx = 1.\n\ny = 2\n```"], "Done"),
        ("One.", [], "One."),
        ("", [], ""),
    ],
)
def test_a_step_ends_at_a_blank_line_behind_a_sentence_and_not_in_code(
    text: str, steps: list[str], rest: str
) -> None:
    draft = Draft()
    assert (draft.add(text), draft.text) == (steps, rest)


@given(st.text(alphabet="a.\n`", max_size=40), st.integers(0, 40))
def test_steps_are_the_same_in_whatever_pieces_they_come(text: str, cut: int) -> None:
    whole, pieces = Draft(), Draft()
    assert pieces.add(text[:cut]) + pieces.add(text[cut:]) == whole.add(text)
    assert pieces.text.strip() == whole.text.strip()


@given(st.text(alphabet="ab", max_size=8), st.text(alphabet="ab", max_size=8))
def test_rewriting_keeps_what_both_texts_begin_with(before: str, after: str) -> None:
    splice = rewrite(before, after)
    assert before[: len(before) - splice.removes] + splice.text == after
    if after.startswith(before):
        assert splice.removes == 0


@pytest.mark.parametrize("end", [".", "?", "!", "…", "。", "？", "！"])
def test_as_released_a_step_ends_where_its_last_character_ends_a_sentence(end: str) -> None:
    draft = Draft(strict=True)
    assert (draft.add(f"One{end}\n\nTwo"), draft.text) == ([f"One{end}"], "Two")


@pytest.mark.parametrize(
    "text",
    [
        "a list:\n\n",
        "He said: “Yes.”\n\n",
        "so \\boxed{5}\n\n",
        "```\nx = 1.\n\ny = 2\n```\n\n",
        "**One.**\n\n",
    ],
)
def test_and_nowhere_else(text: str) -> None:
    draft = Draft(strict=True)
    assert (draft.add(text), draft.text) == ([], text)


@pytest.mark.parametrize("text", ["a\n\n", "\\boxed{", ".)", "```\n\n", "\n \n", "\\boxed{}\n\n"])
def test_a_degenerate_text_is_read_at_once(text: str) -> None:
    Draft().add(text * 200_000)
