"""Lists that models write: one odd line costs itself, and no text costs more than its length."""

import pytest

from anabranch.dag.policies.parts.lists import numbered, written_lines


@pytest.mark.parametrize(
    ("text", "listed", "odd"),
    [
        ("1. A\n2) B\n  3.C", ["A", "B", "C"], []),
        ("Here:\n1. A\nand\n\n2. B", ["A", "B"], ["Here:", "and"]),
        ("1.\n2. B", ["B"], ["1."]),
        ("", [], []),
    ],
)
def test_numbers_make_items_and_other_lines_are_odd(text: str, listed: list[str], odd: list[str]) -> None:
    assert numbered(text) == (listed, odd)


@pytest.mark.parametrize("text", ["\n" * 10**6, " " * 10**6, "1" * 10**6, "1." + " " * 10**6 + "x"])
def test_a_degenerate_text_is_read_at_once(text: str) -> None:
    numbered(text)
    assert len(written_lines(text)) <= 1
