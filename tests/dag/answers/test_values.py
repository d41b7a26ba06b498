"""Finding the last value of a text: of what belongs together no part is taken."""

import pytest

from anabranch.dag.answers.extraction import extract_answer


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
        ("The address is 192.168.1.1.", "192.168.1.1"),
        ("It needs version 3.11.5, or later", "3.11.5"),
        ("Es sind 1.234.567,89 Euro", "1.234.567,89 Euro"),
        ("So the area is 25π.", "25π"),
        ("So it is π/2.", "π/2"),
        ("With r = 1 the area is π.", "π"),
        ("The area is 78.5, using π.", "78.5"),
        ("So x = 2*pi", "2*pi"),
        (r"So it is 25\pi cm^2.", r"25\pi cm^2"),
        ("The length is 2√3.", "2√3"),
        ("The length is √3 cm.", "√3 cm"),
        (r"The length is 2\sqrt{3}.", r"2\sqrt{3}"),
        ("It takes O(2 ** n).", "2 ** n"),
        ("It takes O(2^n).", "2^n"),
        ("So about 10³", "10³"),
        (r"The angle is $90^\circ$.", r"90^\circ"),
        ("It is 10 cm^2.", "10 cm^2"),
        ("It is 5 percent.", "5 percent"),
        ("It is 5 per cent.", "5 per cent"),
        ("12\u00a0500 habitants", "12\u00a0500"),
        ("12\u202f500 habitants", "12\u202f500"),
        ("So **42** of them", "42"),
        ("It is 10 in.", "10 in"),
        ("There are 10 in total", "10"),
    ],
)
def test_without_a_mark_the_last_value_counts_as_a_whole(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


def test_degrees_of_temperature_belong_to_the_value() -> None:
    assert extract_answer("It rose to 42 °C.") == "42 °C"
