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
        "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00b2": "^2", "\u00b3": "^3",
        "\u00bd": " 1/2", "\u00bc": " 1/4", "\u00be": " 3/4", "\u2153": " 1/3", "\u2154": " 2/3", "\u215b": " 1/8",
        "\u2205": "\\emptyset", "\u221e": "\\infty", "\u03c0": "\\pi", "\u221a": "\\sqrt", "\u222a": "\\cup",
        "\u2264": "\\le", "\u2265": "\\ge", "\u2208": "\\in", "\u00b1": "\\pm", "\u00ba": "\u00b0",
    }
)  # fmt: skip

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
_HALVES = re.compile(r"\\frac\s{0,4}([0-9])\s{0,4}(?:([0-9])|\{\s{0,4}([0-9]+)\s{0,4}\})")
_FRACTION = re.compile(
    r"(-?)\s{0,4}\\frac\s{0,4}\{\s{0,4}(-?[0-9][0-9,.]*)\s{0,4}\}\s{0,4}(?:\{\s{0,4}([0-9][0-9,.]*)\s{0,4}\}|([0-9]))"
)


def plain(text: str) -> str:
    r"""The same text without LaTeX's looks: `\dfrac12` as 1/2, `\text{ cm}` as cm, `90^\circ` as 90°, `1{,}000` as
    1,000. What has no plain form (roots, sums, unknown commands) stays as it is."""
    text = text.translate(_TYPOGRAPHY)
    text = _SEPARATED.sub(lambda found: "," if "," in found[0][:2] and found[0] != "\\," else THIN, text)
    text = _DEGREE.sub("°", text)
    for _ in range(3):  # \textbf{\text{…}}: nobody nests deeper
        text = _WRAPPED.sub(r" \1 ", text)
    text = _SIGN.sub(lambda sign: _SIGNS.get(sign[0], sign[0]), text)
    text = _BLANK.sub(" ", _LOOKS.sub(" ", text))
    text = _HALVES.sub(lambda half: rf"\frac{{{half[1]}}}{{{half[2] or half[3]}}}", text)
    text = _FRACTION.sub(lambda found: f"{found[1]} {found[2]}/{found[3] or found[4]}", text)
    return _unwrapped(text.replace("- ", "-") if text.startswith("- ") else text)


def _unwrapped(text: str) -> str:
    """Without the marks of mathematics or Markdown around all of it."""
    text = text.strip(" \t\r\n")
    for mark in ("**", "__", "`", "$", '"', "'", "*"):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            text = text[len(mark) : -len(mark)].strip(" \t\r\n")
    return text
