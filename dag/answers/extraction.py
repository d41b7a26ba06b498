r"""Finds the answer that a chain of thought ends with.

The rules, in this order; each holds only where what it finds has a letter or a digit in it:

1. the last `\boxed{…}` or `\fbox{…}`;
2. what follows the last announcement: `#### 42` (GSM8K), `<answer>42</answer>`, `The final answer is 42`,
   `**Answer:** 42`, `The correct option is C`. Where nothing follows the last one, the text was cut:
   the branch abstains;
3. the option that the last line ends with: `(C)`;
4. the last value: a number, with its unit, or as part of a date, time, range, power, fraction or mixed number;
5. the text itself, if it is one short line.

What stands between `<think>` and `</think>` is thinking and no answer; so is what stands before a `</think>` whose
opening was part of the prompt, and what was begun and never closed. Only the last TAIL characters are looked at, each
a bounded number of times: the repetitions of each pattern are bounded, and brackets are matched in one pass.
"""

import re

from anabranch.dag.answers.values import last_value

SHORT = 160
"""Characters up to which a single line without any mark is taken for the answer itself."""
TAIL = 32_768
"""Characters at the end of a text in which its answer is looked for."""
LONGEST = 1_000
"""Characters of the longest answer that is found by a mark: what is longer is an essay, and no two are the same."""

_THOUGHT = re.compile(r"<\s?(/?)\s?think(?:ing)?\s?>", re.IGNORECASE)
_BRACE = re.compile(
    r"\\(?:boxed|fbox)\s{0,8}(\{)|\\(?:boxed|fbox)\s{1,8}([^\s{}$\\]{1,80})|\\.|[{}]", re.DOTALL
)


def extract_answer(text: str) -> str | None:
    """Finds the answer that a text ends with; gives None when it has none: the branch abstains."""
    said = remove_thoughts(text)[-TAIL:]
    found = read_boxed(said)
    if found is not None and _says_something(found) and len(found) <= LONGEST:
        return _open_math(found.strip())
    announced, cut = _find_announced(said)
    if announced is not None or cut:
        return announced
    return _read_option(said) or last_value(said) or _take_line(said)


def remove_thoughts(text: str) -> str:
    """Removes the thinking from a text: what is left is what a reader is meant to read."""
    begin = max(0, len(text) - 2 * TAIL)
    pieces = _THOUGHT.split(text[begin:])
    if len(pieces) == 1:
        return "" if _is_thinking(text, begin) else text
    kept, thinking = [], pieces[1] == "/"
    for piece, next_mark in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        if not thinking:
            kept.append(piece)
        thinking = next_mark != "/"
    return "".join(kept)


def _is_thinking(text: str, at: int) -> bool:
    """Tells whether a thought that began before this place was not closed before it."""
    return text.rfind("<think>", 0, at) > text.rfind("</think>", 0, at)


def read_boxed(text: str) -> str | None:
    r"""What the last closed `\boxed{…}` holds, or the word behind a `\boxed` without braces; None when there is none.

    One pass: a brace closes the last that is open; escaped ones, `\{`, are text.
    """
    open_braces: list[tuple[int, bool]] = []
    last, answer = -1, None
    for mark in _BRACE.finditer(text, max(0, len(text) - TAIL)):
        if mark[1]:
            open_braces.append((mark.end(), True))
        elif mark[2]:
            last, answer = mark.start(2), mark[2].rstrip(".,;")
        elif mark[0] == "{":
            open_braces.append((mark.end(), False))
        elif mark[0] == "}" and open_braces:
            begin, box = open_braces.pop()
            if box and begin > last:
                last, answer = begin, text[begin : mark.start()]
    return answer


_HOLLOW = re.compile(r"\\[A-Za-z]{1,20}\s{0,4}\{\s{0,40}\}")


def _says_something(text: str) -> bool:
    r"""Tells whether a text has a letter or a digit in it; the name of an empty command, `\text{}`, says nothing."""
    for _ in range(3):  # \boxed{\text{}}: nobody nests deeper
        text = _HOLLOW.sub("", text)
    return any(letter.isalnum() for letter in text)


# -- announcements -----------------------------------------------------------------------------------------------------

_ANNOUNCEMENT = re.compile(
    r"^[ \t]{0,8}\#{4}[ \t]{1,8}"
    r"|<answer>"
    r"|\b(?:(?:final|correct|right|best)\s{1,4}(?:answer|option|choice|result|value)|answer)"
    r"(?:\s{1,4}(?:to|for|of)\s[^\n.:?!=]{1,80}?)?[*_`]{0,4}\s{0,4}"
    r"(?:\b(?:is|would\sbe|should\sbe|will\sbe|must\sbe)\b(?!\s{1,4}not\b)(?:\s{1,4}(?:therefore|thus|then|simply|just|clearly|option|choice)\b)?|[:=])"
    r"[*_`]{0,4}\s{0,8}:?[*_`]{0,4}"
    r"|^[ \t]{0,8}\#{0,6}[ \t]{0,8}[*_]{0,4}final\s{1,4}answer[*_]{0,4}:?[*_]{0,4}[ \t]{0,8}$",
    re.IGNORECASE | re.MULTILINE,
)
ANNOUNCEMENTS = 16
"""How many announcements, from the last one back, are looked behind."""
_BEFORE = re.compile(r"(?:[ \t\r\n*_:>]|`(?!``)|-[ \t])*")
_DISPLAY = {"\\[": "\\]", "$$": "$$", "\\(": "\\)", "```": "```"}


def _find_announced(text: str) -> tuple[str | None, bool]:
    """Finds what the last announcement announces, and whether the text was cut behind it."""
    marks = list(_ANNOUNCEMENT.finditer(text))[-ANNOUNCEMENTS:]
    cut = bool(marks) and not _says_something(text[marks[-1].end() : marks[-1].end() + LONGEST])
    for mark in reversed(marks):
        answer = _read_behind(text[mark.end() : mark.end() + LONGEST], tagged=mark[0][0] == "<")
        if answer:
            return answer, False
    return None, cut


_CLOSED = re.compile(r"</answer>", re.IGNORECASE)


def _read_behind(text: str, tagged: bool) -> str:
    """Reads the answer at the beginning of what follows an announcement; it is empty when that says nothing."""
    text = _CLOSED.split(text, maxsplit=1)[0]
    if tagged:
        return _tidy(text)
    text = text[_BEFORE.match(text).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    for opens, closes in _DISPLAY.items():
        if text.startswith(opens):
            inner, found, _ = text[len(opens) :].partition(closes)
            if found and opens != "\\(":
                body = inner.partition("\n")[2] if opens == "```" else inner
                return _tidy(body)
    line = text.partition("\n")[0]
    return _tidy(_cut_to_clause(line))


_REASON = re.compile(
    r"(?:,|;|\s[-\u2013\u2014]|\s\()\s?"
    r"(?:as|since|because|so|which|where|for|given|due|thus|hence|but|i\.e|e\.g|that is)\b"
    r"|\sbecause\s|\s\((?=[a-z]{2,})",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?][*_`]{0,4}(?=\s{1,8}\S)")
_ABBREVIATED = re.compile(
    r"(?:\b[A-Z]|\b(?:Dr|Mr|Mrs|Ms|St|Jr|Sr|vs|No|approx|ca|etc|e\.g|i\.e|a\.m|p\.m|Inc|Ltd))\Z"
)
_OPTION_TEXT = re.compile(r"\(?([A-J])[.):]\s{1,4}(?![A-Z]\.)\S")
_WORKING = re.compile(r"[-+*/^()0-9.,\s\\{}×·÷]{3,200}+=\s{0,4}(?=\S)")


def _cut_to_clause(line: str) -> str:
    """Cuts an answer out of the sentence around it: up to the end of the sentence, or to where the reasons begin."""
    if option := _OPTION_TEXT.match(line):
        return option[1]
    reason = _REASON.search(line)
    line = line[: reason.start()] if reason else line
    for end in _END.finditer(line):
        if not _ABBREVIATED.search(line, max(0, end.start() - 8), end.start()):
            line = line[: end.start()]
            break
    begin = 0
    while working := _WORKING.match(line, begin):
        begin = working.end()
    return line[begin:]


def _tidy(answer: str) -> str:
    """Removes the marks around an answer; it is empty when there is nothing else."""
    answer = answer.strip(" \t\r\n*`_")
    while answer.endswith((".", "!", ":", ",", ";", "*", "`")):
        answer = answer[:-1].rstrip()
    answer = _open_math(answer)
    return answer if _says_something(answer) else ""


def _open_math(answer: str) -> str:
    r"""Takes what stands between the marks of mathematics: `$…$`, `\(…\)`, `\[…\]`, `$$…$$`."""
    for opens, closes in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")):
        whole = (
            len(answer) > len(opens) + len(closes) and answer.startswith(opens) and answer.endswith(closes)
        )
        if whole and closes not in answer[len(opens) : -len(closes)]:
            return answer[len(opens) : -len(closes)].strip()
    return answer


# -- without a mark ----------------------------------------------------------------------------------------------------

_LAST_OPTION = re.compile(r"(?:^|\s)\(([A-J])\)[.*]{0,3}\Z")


def _read_option(text: str) -> str | None:
    found = _LAST_OPTION.search(text.rstrip()[-20:])
    return f"({found[1]})" if found else None


def _take_line(text: str) -> str | None:
    line = text.strip()
    short = "\n" not in line and len(line) <= SHORT and _says_something(line)
    return _tidy(line) if short else None
