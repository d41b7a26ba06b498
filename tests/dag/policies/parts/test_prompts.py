"""Users' prompts: known names are fields, every other brace is itself, and a field is never read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.ids import BranchId
from anabranch.dag.policies.parts.prompts import ask, fill, fill_text, names_any
from anabranch.dag.text import Base, Output, say

ONE = Output(branch=BranchId("0.1"))
FIELDS = {"question": ("What is {steps}?",), "steps": (ONE, "\n")}


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("Q: {question}", ("Q: ", "What is {steps}?")),
        ("{steps}{steps}", (ONE, "\n", ONE, "\n")),
        (
            "Box it: \\boxed{} {{question}} {other} {",
            ("Box it: \\boxed{} {", "What is {steps}?", "} {other} {"),
        ),
        ("{0} {question!r} {question.x} {} {:>9}", ("{0} {question!r} {question.x} {} {:>9}",)),
        ("", ()),
    ],
)
def test_known_names_are_fields_and_all_else_is_itself(prompt: str, parts: tuple[object, ...]) -> None:
    assert fill(prompt, FIELDS) == parts


@given(st.text(alphabet="{}question!.0 ", max_size=30), st.text(alphabet="{}question ", max_size=30))
def test_whatever_is_written_nothing_raises_and_a_field_stands_as_it_is(prompt: str, question: str) -> None:
    assert fill_text(prompt, question=question) == prompt.replace("{question}", question)


def test_a_prompt_that_names_a_field_is_all_that_is_read() -> None:
    assert ask("Q: {question}", FIELDS) == (Base.NOTHING, (say("user", "Q: ", "What is {steps}?"),))
    assert not names_any("{k} \\boxed{}", FIELDS)


def test_any_other_stands_behind_the_problem_and_what_is_shown() -> None:
    assert ask("Go on.", FIELDS, (ONE,)) == (Base.PROBLEM, (say("user", ONE), say("user", "Go on.")))
    assert ask("", FIELDS, (ONE,)) == (Base.PROBLEM, (say("user", ONE),))
    assert ask("", FIELDS) == (Base.PROBLEM, ())
