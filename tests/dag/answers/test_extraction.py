"""Finding the answer that a chain of thought ends with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.answers.extraction import LONGEST, SHORT, TAIL, extract_answer, read_boxed, remove_thoughts


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{42}, no: \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"The answer is 7. Checked: \boxed{42}", "42"),
        (r"\boxed{5} and then \boxed{}", "5"),
        (r"\boxed{\text{(A)}}", r"\text{(A)}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{$42$}", "42"),
        (r"so \boxed 5.", "5"),
        (r"\fbox{12}", "12"),
        (r"\boxed{a{b}c", r"\boxed{a{b}c"),
        (r"\boxed{x \boxed{5}", "5"),
    ],
)
def test_a_box_comes_first(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 17.", "17"),
        ("**Final answer:** Paris", "Paris"),
        ("**Answer:** B", "B"),
        ("Answer: **42**", "42"),
        ("**The final answer is 42.**", "42"),
        ("### Final Answer\n\n42", "42"),
        ("**Final Answer**\n\n$$\n\\frac{3}{4}\n$$\n", r"\frac{3}{4}"),
        ("The final answer is:\n\\[\n42\n\\]", "42"),
        ("Answer:\n```\n42\n```", "42"),
        ("Answer:\n- 42", "42"),
        ("The answer is $-5$.", "-5"),
        (r"The answer is \(x^2\), as shown.", "x^2"),
        ("The answer is: `42`", "42"),
        ("5 apples a day.\n#### 1,234", "1,234"),
        ("<answer>yes</answer>", "yes"),
        ("<ANSWER>42</ANSWER>", "42"),
        ("The answer is 42</answer>", "42"),
        ("The correct option is C", "C"),
        ("The correct answer is (B) Paris.", "B"),
        ("The answer is B. Paris is in France.", "B"),
        ("Answer: (B)", "(B)"),
        ("The answer should be (D).", "(D)"),
        ("The answer to the question is 12 apples.", "12 apples"),
        ("First, the answer is 3. Wait: the answer is 4.", "4"),
    ],
)
def test_then_what_is_announced(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 42, as 6*7 is 42.", "42"),
        ("The answer is 42. This follows because 6*7 is so.", "42"),
        ("The answer is 42 (since 6*7=42)", "42"),
        ("The answer is 42 because 6*7 = 42", "42"),
        ("The answer is 6*7 = 42.", "42"),
        ("The answer is 3.14.", "3.14"),
        ("The answer is J. K. Rowling.", "J. K. Rowling"),
        ("The answer is Paris, Tokyo and Cairo.", "Paris, Tokyo and Cairo"),
        ("The answer is March 5, 2024.", "March 5, 2024"),
        ("The answer is between 5 and 10.", "between 5 and 10"),
        ("The answer is 10 m/s.", "10 m/s"),
        ("The answer is {1, 2}", "{1, 2}"),
        ("The answer is ٤٢", "٤٢"),
        ("The answer is not 5. It is 6.", "6"),
    ],
)
def test_the_sentence_around_an_answer_is_none_of_it(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3 + 4 = 7", "7"),
        ("it costs $1,234.50", "1,234.50"),
        ("x - 5", "5"),
        ("x = -5", "-5"),
        ("x = −5", "−5"),
        ("so 5-10", "5-10"),
        ("so 5–10 km", "5–10 km"),
        ("on March 5, 2024", "March 5, 2024"),
        ("on 5 March 2024, that is", "5 March 2024"),
        ("it was 2024-03-05.", "2024-03-05"),
        ("on 03/05/2024.", "03/05/2024"),
        ("at 3:30 pm", "3:30 pm"),
        ("about 2.5 × 10^3", "2.5 × 10^3"),
        (r"about 2.5 \times 10^{-3}", r"2.5 \times 10^{-3}"),
        ("so 10^3", "10^3"),
        ("so 10**3", "10**3"),
        ("so 1.5e-3", "1.5e-3"),
        ("so 2 1/2", "2 1/2"),
        (r"x = \frac{1}{2}.", r"\frac{1}{2}"),
        (r"x = 2\frac{1}{2}.", r"2\frac{1}{2}"),
        ("so 15/20, which is 75%.", "75%"),
        ("It is 10 km.", "10 km"),
        ("It took 3 hours in total", "3 hours"),
        ("about 1.5 million people", "1.5 million"),
        ("it costs €10", "€10"),
        ("1,2,3", "1,2,3"),
        ("答案是42", "42"),
    ],
)
def test_without_a_mark_the_last_value_counts_as_a_whole(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize("text", ["H2O", "GPT-4", "COVID-19", "Paris, Tokyo and Cairo", "unknown"])
def test_a_short_line_without_a_value_is_the_answer(text: str) -> None:
    assert extract_answer(text) == text


@pytest.mark.parametrize("text", ["So I choose (C).", "Not (B), as said.\nSo it is (C)"])
def test_an_option_at_the_end_is_the_answer(text: str) -> None:
    assert extract_answer(text) == "(C)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I wonder.\nStill I wonder.",
        "The answer is:",
        "So 6*7.\nThe answer is: **",
        "**Final Answer:**\n\n\\[",
        "?!",
        "* * *",
        "<think> so \\boxed{7}",
        "<think>The answer is 7.</think>",
    ],
)
def test_a_text_without_an_answer_abstains(text: str) -> None:
    assert extract_answer(text) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"<think>so \boxed{7}</think> The answer is 8", "8"),
        (r"thought \boxed{1}</think>" + "\n\nAnswer: 5", "5"),
        ("<think>a</think>Answer: 5<think>but \\boxed{6}", "5"),
        ("<thinking>Answer: 1</thinking>\n2", "2"),
        (r"<think>so \boxed{7}</think>" + "\n\\boxed{8}", "8"),
        ("<think>" + "so it is 7. " * TAIL, None),
        ("<think>" + "so it is 7. " * TAIL + "</think>8", "8"),
    ],
)
def test_thinking_is_not_the_answer(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


def test_text_without_thoughts_stays_as_it_is() -> None:
    assert remove_thoughts("a < b > c") == "a < b > c"


@given(st.text(alphabet="\\boxed{}$[]()<>think/ answer is:#*1.,%\n", max_size=300))
def test_whatever_is_found_says_something_and_is_bounded(text: str) -> None:
    answer = extract_answer(text)
    if answer is not None:
        assert any(letter.isalnum() for letter in answer)
        assert len(answer) <= max(LONGEST, SHORT)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (r"so \boxed{7}", "7"),
        (r"\boxed{1} no, \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{ }", " "),
        (r"\boxed{7", None),
        (r"\boxed{\{1\}}", r"\{1\}"),
        (r"{ \boxed{7}", "7"),
        (r"\boxed{1 \\}", r"1 \\"),
        ("the answer is 7", None),
    ],
)
def test_a_box_is_found_only_where_one_is_closed(text: str, inside: str | None) -> None:
    assert read_boxed(text) == inside


@pytest.mark.parametrize(
    "text", [r"\boxed{}", r"\boxed{\text{}}", r"The answer is \boxed{}.", r"\fbox{\mathrm{ }}"]
)
def test_an_empty_box_says_nothing(text: str) -> None:
    assert extract_answer(text) is None


def test_degrees_of_temperature_belong_to_the_value() -> None:
    assert extract_answer("It rose to 42 °C.") == "42 °C"
