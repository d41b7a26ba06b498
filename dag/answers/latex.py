r"""Rewrites LaTeX and typography as plain text: what a formula looks like goes, what it says stays.

Every pattern here reads its text in one pass: no repetition overlaps another.
"""

import re

THIN = "\u2009"
"""Stands for every blank that is narrower than a space: between the digits of a long number it is a separator."""

_TYPOGRAPHY = str.maketrans(
    {
        "\u2212": "-", "\ufe63": "-", "\uff0d": "-", "\u2010": "-", "\u2011": "-", "\u2014": "\u2013",
        "\u2044": "/", "\u2215": "/", "\u00d7": "*", "\u22c5": "*", "\u00b7": "*", "\u2217": "*", "\u00f7": "/",
        "\u00a0": THIN, "\u202f": THIN, "\u2002": " ", "\u2003": " ", "\u3000": " ", "\u200b": "", "\ufeff": "",
        "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
        "\u2205": "\\emptyset", "\u221e": "\\infty", "\u03c0": "\\pi", "\u221a": "\\sqrt", "\u222a": "\\cup",
        "\u2264": "\\le", "\u2265": "\\ge", "\u2208": "\\in", "\u00b1": "\\pm", "\u00ba": "\u00b0",
        "\u2229": "\\cap", "\u00b5": "\u03bc",
    }
    | {chr(wide): chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}
    | {
        sign: rf"\frac{{{over}}}{{{under}}}"
        for sign, over, under in zip("½¼¾⅓⅔⅕⅖⅗⅘⅛", "1131212341", "2443355558", strict=True)
    }
)  # fmt: skip
"""Full-width forms are the same characters, set as wide as Chinese ones."""

_DIGITS_ABOVE = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a", "0123456789-+"
)
_DIGITS_BELOW = str.maketrans("\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089", "0123456789")
_ABOVE = re.compile(r"[\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]{1,400}")
_BELOW = re.compile(r"[\u2080-\u2089]{1,400}")
_NAME = re.compile(
    r"(?<![A-Za-z\\])(?:pi|theta|alpha|beta|gamma|delta|lambda|phi|sigma|omega|exp|sin|cos|tan|cot|sec|csc|log|ln)"
    r"(?![A-Za-z])"
)

_WRAPPED = re.compile(
    r"\\(?:text|textbf|textit|textrm|texttt|mathrm|mathbf|mathit|mathsf|operatorname|mbox|emph|bm|boldsymbol)"
    r"\s{0,4}\{([^{}]*)\}"
)
_DEGREE = re.compile(r"\^\s{0,4}(?:\\circ\b|\{\s{0,4}\\circ\s{0,4}\})|\\degree\b|\\circ\b")
_LOOKS = re.compile(
    r"\\(?:left|right|bigl|bigr|Bigl|Bigr|big|Big|displaystyle|textstyle|limits|rm|bf)(?![A-Za-z])\.?|\\[()\[\]]|\$\$"
)
_SEPARATED = re.compile(r"(?<=[0-9])(?:,\\!|\{,\}|\\,|\\!|\\ |~)(?=[0-9]{3})")
_BLANK = re.compile(r"\\[,;:!> ]|\\q?quad(?![A-Za-z])|~")
_SIGNS = {
    r"\$": "$", r"\%": "%", r"\#": "#", r"\&": "&", r"\_": "_", r"\times": "*", r"\cdot": "*", r"\ast": "*",
    r"\div": "/", r"\leq": r"\le", r"\geq": r"\ge", r"\varnothing": r"\emptyset", r"\lbrace": r"\{",
    r"\rbrace": r"\}", r"\lbrack": "[", r"\rbrack": "]", r"\dfrac": r"\frac", r"\tfrac": r"\frac",
    r"\cfrac": r"\frac", r"\colon": ":", r"\euro": "€", r"\pounds": "£", r"\neq": r"\ne",
}  # fmt: skip
_SIGN = re.compile(r"\\(?:[A-Za-z]+|[$%#&_])")
_HALVES = re.compile(r"\\[dtc]?frac\s{0,4}([0-9])\s{0,4}(?:([0-9])|\{\s{0,4}([0-9]+)\s{0,4}\})")
_NUMBER = r"\{\s{0,4}(-?[0-9][0-9,.]*)\s{0,4}\}"
_FRACTION = re.compile(
    r"(?<![\^/*_A-Za-z])(?<![\^/*_A-Za-z] )(-?)\s{0,4}\\frac\s{0,4}"
    rf"{_NUMBER}\s{{0,4}}(?:{_NUMBER.replace('-?', '')}|([0-9]))"
    r"(?!\s{0,4}(?:[0-9^_!]|\.[0-9]))(?!(?:\*\*|\s\*\*\s)[\w(\[{\\+-])"
)
"""A fraction of two numbers, but for one behind a mark that would then take its upper part only, `x^\frac12`, or before
what would then take its lower part only: `\frac12 3` is no 1/23."""
_POWER = re.compile(
    r"(?<=[\w)\]}!])(?:\s\*\*\s|\*\*)(?:([+-]?[0-9]+(?:\.[0-9]+)?)(?![\w.])|(?=[\w(\[{\\+-]))"
)
"""Between two operands: `2**n`, `2 ** n`. With a blank on one side only it may begin or end what is bold."""


def plain(text: str) -> str:
    r"""Rewrites a text without LaTeX's looks: `\dfrac12` as 1/2, `\text{ cm}` as cm, `90^\circ` as 90°, `1{,}000` as
    1,000. What has no plain form (roots, sums, unknown commands) stays as it is."""
    text = _use_keyboard_marks(text)
    text = _SEPARATED.sub(lambda found: "," if "," in found[0][:2] and found[0] != "\\," else THIN, text)
    text = _DEGREE.sub("°", text)
    for _ in range(3):  # \textbf{\text{…}}: nobody nests deeper
        text = _WRAPPED.sub(r" \1 ", text)
    text = _SIGN.sub(lambda sign: _SIGNS.get(sign[0], sign[0]), text)
    text = _BLANK.sub(" ", _LOOKS.sub(" ", text))
    text = _brace_halves(text)
    text = _FRACTION.sub(lambda found: f"{found[1]} {found[2]}/{found[3] or found[4]}", text)
    return _unwrap(text.replace("- ", "-") if text.startswith("- ") else text)


def for_algebra(text: str) -> str:
    r"""Rewrites a text in LaTeX that algebra reads whole: `2√3` as `2\sqrt3`, `2*pi` as `2*\pi`, `\mathbf{i}` as i,
    `\frac123` as `\frac{1}{2}3`, `x**12` as `x^{12}`."""
    text = _brace_halves(_WRAPPED.sub(r" \1 ", _use_keyboard_marks(text)))
    return _NAME.sub(r"\\\g<0>", use_carets(text))


def use_carets(text: str) -> str:
    """Writes powers with a caret: `2 ** n` as 2^n, `x**12` as x^{12}."""
    return _POWER.sub(lambda found: f"^{{{found[1]}}}" if found[1] else "^", text)


def _brace_halves(text: str) -> str:
    r"""Writes `\frac12` with its braces."""
    return _HALVES.sub(lambda half: rf"\frac{{{half[1]}}}{{{half[2] or half[3]}}}", text)


def _use_keyboard_marks(text: str) -> str:
    """Replaces what typography has for marks that a keyboard lacks."""
    text = _ABOVE.sub(lambda found: f"^{{{found[0].translate(_DIGITS_ABOVE)}}}", text)
    text = _BELOW.sub(lambda found: f"_{{{found[0].translate(_DIGITS_BELOW)}}}", text)
    return text.translate(_TYPOGRAPHY)


def _unwrap(text: str) -> str:
    """Removes the marks of mathematics or Markdown around all of a text."""
    text = text.strip(" \t\r\n")
    for mark in ("**", "__", "`", "$", '"', "'", "*"):
        inner = text[len(mark) : -len(mark)]
        if inner and text.startswith(mark) and text.endswith(mark) and (mark != "**" or mark not in inner):
            text = inner.strip(" \t\r\n")
    return text
