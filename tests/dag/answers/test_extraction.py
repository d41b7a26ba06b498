"""Finding the answer that a chain of thought ends with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.answers.extraction import TAIL, extract_answer, read_boxed, remove_thoughts


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
        ("The answer is as follows:\n\n42", "42"),
        ("The final answer is the following.\n42", "42"),
        ("The answer is given below: 42", "42"),
        ("The answer for n = 10 is 55.", "55"),
        ("The answer to 3x = 12 is 4", "4"),
        ("The answer to the equation x = y is 5", "5"),
        ("The answer for n = 10: 55", "55"),
        ("The answer to 2 + 2 = 4", "4"),
        ("Answer => 5", "5"),
        ("Answer:\n> 42", "42"),
        ("Answer: correct", "correct"),
    ],
)
def test_then_what_is_announced(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("x = 41. I checked it: the answer is correct.", "41"),
        ("The answer is 42. Let me check: so the answer is right.", "42"),
        ("The answer is 42. The answer is consistent with the data.", "42"),
        ("The answer is 42. I hope this answer is helpful!", "42"),
        ("The answer is clear sky.", "clear sky"),
        ("So it is.\nI hope this answer is helpful!", None),
    ],
)
def test_a_judgement_announces_nothing(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer:\n```python\nprint(1)\n```", "print(1)"),
        ('Answer:\n```json\n{"a": 5}\n```\nDone.', '{"a": 5}'),
        ("**Answer:**\n\n```cpp\nint x;\n```", "int x;"),
        ("The answer is ```5```", "5"),
        ("<answer>```python\nprint(2)\n```</answer>", "print(2)"),
        ("Answer:\n```python\nprint(2 ** n)", "print(2 ** n)"),
        ("Answer:\n```python", None),
    ],
)
def test_a_block_of_code_is_the_answer_and_not_its_language(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer:\n1. Paris\n2. Rome", "Paris, Rome"),
        ("Answer:\n1) Paris\n2) Rome\n\nBoth are cities.", "Paris, Rome"),
        ("Answer:\n\n- 5\n- 6", "5, 6"),
        ("The answers differ. Answer:\n* **Paris**\n* Rome.", "Paris, Rome"),
        ("Answer:\n- Paris, France\n- Rome, Italy", "Paris, France; Rome, Italy"),
        ("Answer:\n1. Paris\n   on the Seine\n2. Rome", "Paris on the Seine, Rome"),
        ("Answer:\n1. Paris", "Paris"),
        ("Answer:\n42. Yes, it is.", "42"),
        ("Answer: - 5", "- 5"),
    ],
)
def test_a_list_is_read_with_all_its_items(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    "mark", [r"\boxed{%s}", "<answer>%s</answer>", "Answer: %s", "#### %s", "Answer:\n```\n%s\n```"]
)
@pytest.mark.parametrize("end", ["in 2024", "in the end"])
def test_what_is_announced_is_taken_whole_however_long_it_is(mark: str, end: str) -> None:
    essay = "word " * 1000 + end
    assert extract_answer(mark % essay) == essay


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
        ("The answer is Jan. 5, 2024.", "Jan. 5, 2024"),
        ("Answer: Dec. 25", "Dec. 25"),
        ("The answer is Mt. Everest.", "Mt. Everest"),
        ("The answer is Prof. Smith, as he wrote it", "Prof. Smith"),
        ("The answer is Fig. 3. It shows more.", "Fig. 3"),
        ("The answer is 5 ft. 6 in.", "5 ft. 6 in"),
        ("The answer is 6 in. by 4 in. That is small.", "6 in. by 4 in"),
        ("The answer is 5 ft. This is long.", "5 ft"),
        ("The answer is vitamin C. It helps.", "vitamin C"),
        ("The answer is Dr. No. It is a film.", "Dr. No"),
        ("The answer is no. 5", "no. 5"),
        ("The answer is no. Because it is so.", "no"),
        ("The answer is 5!.", "5!"),
        ("The answer is n!", "n!"),
        ("The answer is (n + 1)!.", "(n + 1)!"),
        ("The answer is 5! = 120", "120"),
        ("The answer is 42! This is great.", "42"),
        ("The answer is 42!", "42"),
        ("The answer is $5!$", "5!"),
        ("The answer is Paris!", "Paris"),
        ("The answer is (B)!", "(B)"),
        ("The answer is > 5", "> 5"),
        ("The answer is >= 5.", ">= 5"),
        ("The answer is **B**: Paris", "B"),
        ("**The answer is B**: Paris", "B"),
        ("The answer is **42** apples.", "42 apples"),
        ("Final answer: **5** and **6**", "5 and 6"),
        ("**Answer:** 2 ** n", "2 ** n"),
        ("The answer is 東京。これは首都です。", "東京"),
    ],
)
def test_the_sentence_around_an_answer_is_none_of_it(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    ["x^2", "x ** 2", r"\sqrt{x}", "25πr²", "H2O", "GPT-4", "COVID-19", "Paris, Tokyo and Cairo", "unknown"],
)
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
        assert len(answer) <= TAIL


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
