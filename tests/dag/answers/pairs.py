r"""Pairs of answers as the literature's references and models write them: equal, different, or only algebra can tell.

The forms are those of GSM8K (numbers, money, units), MATH and AIME (LaTeX, sets, intervals, tuples, integers of three
digits), GPQA (choices, scientific notation), DROP (spans, dates, counts, lists) and BIG-Bench Hard (dates as
MM/DD/YYYY, choices, truth values). The pairs are our own.
"""

EQUAL = (
    # numbers
    ("12", "12.0"), ("12", "+12"), ("12", "12."), ("0.5", ".5"), ("007", "7"), ("-5", "\u22125"), ("-0", "0"),
    ("1,234", "1234"), ("1,234,567.50", "1234567.5"), (r"1\,000", "1000"), ("1{,}000", "1,000"), (r"1,\!000", "1000"),
    ("1 000 000", "1000000"), ("1'000", "1000"), ("1.234,56", "1234.56"), ("12 000", "12,000"), ("(7)", "7"),
    ("42\u3002", "42"), ("(1,050)", "1050"),
    # fractions and mixed numbers
    ("1/2", "0.5"), ("2/4", "1/2"), (r"\frac{1}{2}", "1/2"), (r"\frac12", r"\dfrac{1}{2}"), (r"\tfrac{3}{4}", "0.75"),
    (r"-\frac{3}{4}", r"\frac{-3}{4}"), (r"2\frac{1}{2}", "2.5"), ("1 1/2", "3/2"), ("2½", "5/2"), ("½", "50%"),
    (r"11\frac12", "23/2"), (r"\frac{3}4", "3/4"), ("1 and 1/2", "1.5"), (r"\frac{1}{2}.", "½"), ("½%", "0.005"),
    # percent
    ("50%", "0.5"), (r"50\%", "50 %"), ("12.5 percent", "1/8"), ("100%", "1"), ("5 per cent", "5%"),
    # powers and scientific notation
    ("10**3", "1000"), ("10^3", "1,000"), ("10^{-3}", "0.001"), ("1.5e3", "1500"), ("1.5E+3", "1500"),
    (r"1.5\times 10^3", "1500"), ("1.5 × 10^{3}", "1.5 x 10^3"), ("2^{10}", "1024"), (r"6.02 \cdot 10^{23}", "6.02e23"),
    ("10 ** 3", "1000"), ("2 ** n", "2^n"), ("(x + 1) ** 2", "(x+1)^2"), ("x**12", "x^{12}"), ("2 ** -1", "1/2"),
    ("1.5 million", "1,500,000"), ("2 thousand", "2000"), ("3 billion", "3e9"),
    # money
    ("$5", "5 dollars"), ("€10", "10 euro"), ("€10", "10 euros"), (r"\$18", "$18.00"), ("$1.5 million", "$1,500,000"),
    ("$1.5M", "1.5 million dollars"), ("-$5", "$-5"), ("£10", "10 GBP"), ("$5 per hour", "$5/hour"), ("5 USD", "$5"),
    ("50 cents", "$0.50"), ("¥500", "500 yen"), ("$18", "18"),
    # units
    ("10 m", "10 meters"), ("10m", "10 m"), ("100 cm", "1 m"), ("1 km", "1000 m"), ("60 minutes", "1 hour"),
    ("90 seconds", "1.5 min"), ("10 m/s", "36 km/h"), ("60 mph", "60 miles per hour"), ("5 kg", "5000 g"),
    ("5 square meters", r"5\text{ m}^2"), (r"5 \text{ cm}", "5 cm"), ("12 inches", "1 foot"), ("2 lbs", "2 pounds"),
    ("90^\\circ", "90 degrees"), (r"90^{\circ}", "90°"), ("20 °C", "20 degrees Celsius"), ("18 eggs", "18 egg"),
    ("5 \u03bcm", "5 \u00b5m"), ("5 micrometers", "5 \u03bcm"), ("10 in", "10 inches"), ("10 in.", "10 inches"),
    ("10 in^2", "10 square inches"), ("5 ft. 6 in.", "66 inches"),
    ("2 1/2 cups", "2.5 cups"), ("1 L", "1000 mL"), (r"3\,\mathrm{kg}", "3 kg"), ("9.8 m/s^2", "9.8 meters/second^2"),
    # lists, tuples, sets, intervals
    ("1, 2", "1,2"), ("1, 2 and 3", "1, 2, 3"), ("(1, 2)", r"\left(1,2\right)"), (r"\{1, 2\}", r"\{2, 1\}"),
    ("{1, 2}", r"\{1,2\}"), (r"\{1,1,2\}", r"\{1,2\}"), ("[0, 1)", r"\left[0, 1.0\right)"), ("(0, 1/2)", "(0, 0.5)"),
    (r"(-\infty, 3]", "(-infinity, 3]"), (r"\emptyset", r"\{\}"), ("(1,000, 2,000)", "(1000, 2000)"),
    ("[3, 1, 2]", "[3,1,2]"), ("Paris, Tokyo and Cairo", "paris, tokyo, cairo"), ("(1, (2, 3))", "(1,(2,3))"),
    ("1; 2", "1, 2"), (r"\varnothing", "∅"), ("(0,100)", "(0, 100)"), ("(3,100)", "(3, 100)"), ("0,100", "0, 100"),
    (r"\left(3,100\right)", "(3, 100)"), ("(10,200)", "(10, 200)"), ("(1,234)", "(1, 234)"),
    # dates and times
    ("March 5, 2024", "2024-03-05"), ("5 March 2024", "Mar 5, 2024"), ("March 5th, 2024", "5th of March 2024"),
    ("13/03/2024", "March 13, 2024"), ("03/13/2024", "13 March 2024"), ("03/05/2024", "3/5/2024"),
    ("3:30 pm", "15:30"), ("3 PM", "3:00 p.m."), ("09:05", "9:05 am"), ("March 2024", "Mar 2024"), ("July 4", "4 July"),
    ("Tuesday, March 5, 2024", "2024-03-05"),
    # ranges and ratios
    ("5-10", "5\u201310"), ("5 to 10", "between 5 and 10"), ("5-10 km", "5 km to 10 km"), ("2:4", "1:2"),
    ("5 - 10", "5-10"),
    ("5%-10%", "5% to 10%"),
    # choices
    ("B", "(B)"), ("B.", "B)"), ("(b)", "B"), ("option C", "C"), ("(C) Paris", "C"), (r"\text{(D)}", "D"),
    ("A, C", "C and A"),
    # text and Markdown
    ("Paris", "paris."), ("the Eiffel Tower", "Eiffel Tower"), (r"\text{Paris}", "Paris"), ("**42**", "42"),
    ("`x`", "x"),
    ("caf\u00e9", "cafe\u0301"), ("東京。", "東京"), ("**2** n", "2n"), ("the **big** one", "the big one"),
    ("$42$", "42"), (r"\(42\)", "42"), ("True", "true"), ("yes!", "Yes"), ('"Paris"', "Paris"),
    ("  New   York ", "new york"),
    ("x = 5", "5"), ("x=5", "x = 5"), ("x = 5", "y = 5"), ("n = 1/2", "0.5"),
    (r"\mathbf{12}", "12"), ("٣", "٣"), ("巴黎", " 巴黎 "),
    # typography, other places' forms, repeating decimals, compound units
    ("1.234.567", "1234567"), ("10⁻³", "0.001"), ("2.5 × 10⁻³", "0.0025"), ("6.022×10²³", "6.022e23"), ("１２", "12"),
    ("（B）", "(B)"), ("1，000", "1,000"), ("USD 10", "10 dollars"), ("EUR 10", "€10"), ("10 EUR", "EUR 10"),
    (r"0.1\overline{6}", "1/6"), (r"0.\overline{3}", r"\frac13"), (r"2.\overline{36}", "26/11"), ("⅖", "0.4"),
    ("1 hour 30 minutes", "90 minutes"), ("5 feet 6 inches", "66 inches"), ("18 dollars and 50 cents", "$18.50"),
    ("1 m 50 cm", "1.5 m"), ("x₁", "x_1"), ("x⁴", "x^4"),
    # formulas that are written alike
    (r"2\sqrt{3}", r"2 \sqrt{3}"), ("x^{2}", "x^2"), (r"2\sqrt{3}\text{ cm}", r"2\sqrt{3} cm"),
)  # fmt: skip

DIFFERENT = (
    # numbers
    ("12", "1, 2"), ("12", "1,2"), ("12", "1 2"), ("7", "8"), ("1,234", "1.234"), ("0.333", "1/3"),
    ("-5", "5"), ("1e200000000", "5"), ("9" * 5000, "9" * 4999), ("1e200000000", "1e200000001"), ("3.14", "22/7"),
    ("0,100", "100"), ("0.100,5", "100.5"), ("0 100", "100"),
    # mixed numbers, fractions
    (r"2\frac{1}{2}", "10.5"), ("1 1/2", "11/2"), (r"2\frac{1}{2}", "1"), ("2/3", "3/2"), ("11/2", "5"),
    # percent
    ("50%", "50"), ("0.5%", "0.5"), ("5%", "50%"),
    # powers
    ("10^3", "103"), ("10**3", "30"), ("1.5e3", "1.53"), ("1.5 million", "1.5 billion"), ("1.5 million", "1.5"),
    # money and units
    ("€10", "$10"), ("€10", "£10"), ("10 m", "10 cm"), ("10 m", "10 km"), ("10 cm", "10 km"), ("10 m", "10"),
    ("10 m", "10 s"), ("10 m", "10 m^2"), ("18 eggs", "18 apples"), ("18 eggs", "18"), ("1 hour", "1 minute"),
    ("20 °C", "20 °F"), ("90°", "90%"), ("10 mg", "10 Mg"), ("5 m/s", "5 km/h"), ("$5/hour", "$5/day"),
    ("5 kg", "5 lbs"),
    # lists, tuples, sets, intervals
    ("(1, 2)", "(2, 1)"), ("1, 2", "2, 1"), ("[0, 1)", "[0, 1]"), ("(0, 1)", "[0, 1]"), (r"\{1, 2\}", r"\{1, 2, 3\}"),
    ("(1, 2)", r"\{1, 2\}"), ("[1, 2, 3]", "[3, 2, 1]"), ("(1, 2)", "1.2"), ("1, 2", "1, 3"), ("(1, 2)", "(1, 2, 3)"),
    ("(0,100)", "100"), ("(3,100)", "3100"), ("(10,200)", "10200"), (r"\left(3,100\right)", "3100"),
    ("(1,000)", "(1, 0)"), ("[1,000]", "[1, 0]"),
    ("[1, 2]", "12"), (r"(-\infty, 3]", r"(-\infty, 4]"), (r"\emptyset", "0"), ("(1, x)", "(2, x)"),
    # dates and times
    ("March 5, 2024", "May 3, 2024"), ("03/05/2024", "05/03/2024"), ("2024-03-05", "2024-03-06"),
    ("March 5", "March 5, 2024"),
    ("3:30 pm", "3:30 am"), ("15:30", "15.30"), ("March 2024", "2024"), ("2024-03-05", "2016"),
    ("03/05/2024", "March 5, 2024"),
    # ranges and ratios
    ("5-10", "-5"), ("5-10", "510"), ("5-10", "5-11"), ("3:4", "3/4"), ("3:4", "4:3"), ("5-10 km", "5-10 m"),
    # compound units, typography
    ("5 feet 6 inches", "5 feet"), ("6 inches 5 feet", "66 inches"), ("⅗", "⅖"),
    # choices
    ("A", "B"), ("(A)", "1"), ("(A) Paris", "(B) Paris"), ("A, C", "A, B"), ("B", "8"),
    # text
    ("Paris", "London"), ("yes", "no"), ("True", "False"), ("nineteen", "19"), ("Paris", "7"), ("12th", "12"),
    ("٣", "3"),
    ("New York", "York"), ("about 5", "5"), ("2 or 3", "2, 3"), ("Paris", "x"), ("}{", "$$$"),
    ("unknown", r"\sqrt{2}"), (r"2\sqrt{3}\text{ cm}", r"2\sqrt{3}\text{ kg}"),
)  # fmt: skip

UNDECIDED = (
    (r"\sqrt{8}", r"2\sqrt{2}"), ("x+1", "1+x"), ("x^2 - 1", "(x-1)(x+1)"), ("7", "x"), (r"\sqrt{2}", "x"),
    (r"\sqrt{4}", "2"), (r"\frac{\pi}{2}", r"0.5\pi"), (r"\sin^2 x + \cos^2 x", "1"), ("y = 2x + 1", "y = 1 + 2x"),
    (r"\{1, \sqrt{4}\}", r"\{1, 2\}"), (r"(0, \sqrt{4})", "(0, 2)"), ("x < 3", "3 > x"), ("5!", "120"), ("10!", "10"),
    ("2x", "x \\cdot 2"),
    (r"\log_2 8", "3"), ("e^{i\\pi}", "-1"), (r"\binom{5}{2}", "10"), (r"[1,2] \cup [3,4]", r"[3,4] \cup [1,2]"),
    ("9^{9^{9^9}}", "1"), (r"2\sqrt{3} \text{ cm}", r"\sqrt{12}\text{ cm}"), (r"\frac{x}{2}", "0.5x"), ("3t", "t+2t"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}"), ("1 + 1", "2"), ("10-5", "5"),
)  # fmt: skip

FORMULAS_EQUAL = (
    ("2√3", r"2\sqrt{3}"), ("√3/2", r"\frac{\sqrt{3}}{2}"), ("2*pi", r"2\pi"), ("pi/2", r"\frac{\pi}{2}"),
    (r"2\mathbf{i}+3\mathbf{j}", r"3\mathbf{j}+2\mathbf{i}"), (r"3/\frac{1}{2}", "6"), ("x ≥ 5", r"x \geq 5"),
    ("2 ** n", "4^{n/2}"), ("x ** 2 - 1", "(x-1)(x+1)"), (r"\frac{1}{2}3", "3/2"), (r"\frac123", "1.5"),
    (r"\sqrt{\frac{1}{2}}", r"\frac{\sqrt2}{2}"), ("x⁴ - 1", "(x²-1)(x²+1)"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}"),
)  # fmt: skip
"""Formulas that algebra finds equal."""

FORMULAS_APART = (
    ("2√2", "2√3"), (r"x \equiv 3 \pmod 7", r"x \equiv 4 \pmod 7"), (r"3 \pmod 7", r"4 \pmod{7}"),
    ("101_2", "101_3"), ("101_2", "101"), (r"2\mathbf{i}+3\mathbf{j}", r"2\mathbf{i}+5\mathbf{j}"),
    ("f'(x)", "f(x)"), ("f''(x)", "f'(x)"), ("5'", "5"), ("≥ 5", "5"), ("≥ 5", "≤ 5"), ("> 5", "< 5"),
    ("1.2.3", "0.36"), (r"x^\frac{1}{2}", "x^1/2"), (r"3/\frac{1}{2}", "3/2"), ("2x+", "2"), ("n!", "n"),
    ("2 ** n", "2n"), ("2 **n", "2n"), ("O(2 ** n)", "O(2n)"), ("(x + 1) ** 2", "(x+1)2"), ("3 ** x + 1", "3x + 1"),
    (r"\frac{1}{2}3", "1/23"), (r"\frac123", "1/23"), (r"\frac{3}{2}5", "3/25"), ("½3", "1/23"), (r"\dfrac123", "1/23"),
    ("5°30'", "5°45'"), ("5§", "5"), (r"0.\overline{x}", "0"), ("x⁴", "x⁵"), ("A∪B", "A∩B"),
)  # fmt: skip
"""Formulas that a parser takes for equal when it passes over what it does not know."""
