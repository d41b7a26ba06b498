r"""Finds the answer that a chain of thought ends with.

The rules, in this order; each holds only where what it finds has a letter or a digit in it:

1. the last `\boxed{…}` or `\fbox{…}`;
2. what follows the last announcement: `#### 42` (GSM8K), `<answer>42</answer>`, `The final answer is 42`,
   `**Answer:** 42`, `The correct option is C`: the rest of the sentence, or the list, the formula or the code that
   begins there. Where nothing follows the last one, the text was cut: the branch abstains. A judgement, `the answer is
   correct`, announces nothing;
3. the option that the last line ends with: `(C)`;
4. the last value: a number, with its unit, or as part of a date, time, range, power, fraction or mixed number;
5. the text itself, if it is one short line.

What stands between `<think>` and `</think>` is thinking and no answer; so is what stands before a `</think>` whose
opening was part of the prompt, and what was begun and never closed. Only the last TAIL characters are looked at, each
a bounded number of times: the repetitions of each pattern are bounded, and brackets are matched in one pass. What a
mark announces is taken whole, however long it is: of an essay no part is the answer.
"""

import re

from anabranch.dag.answers.clauses import (
    cut_to_clause,
    open_math,
    read_block,
    read_list,
    says_something,
    tidy,
)
from anabranch.dag.answers.values import last_value

SHORT = 160
"""Characters up to which a single line without any mark is taken for the answer itself."""
TAIL = 32_768
"""Characters at the end of a text in which its answer is looked for."""

_THOUGHT = re.compile(r"<\s?(/?)\s?think(?:ing)?\s?>", re.IGNORECASE)
_BRACE = re.compile(
    r"\\(?:boxed|fbox)\s{0,8}(\{)|\\(?:boxed|fbox)\s{1,8}([^\s{}$\\]{1,80})|\\.|[{}]", re.DOTALL
)


def extract_answer(text: str) -> str | None:
    """Finds the answer that a text ends with; gives None when it has none: the branch abstains."""
    said = remove_thoughts(text)[-TAIL:]
    found = read_boxed(said)
    if found is not None and says_something(found):
        return open_math(found.strip())
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


# -- announcements -----------------------------------------------------------------------------------------------------

_NAMED = r"\b(?:(?:final|correct|right|best)\s{1,4}(?:answer|option|choice|result|value)|answer)"
_IS = (
    r"(?:is|would\sbe|should\sbe|will\sbe|must\sbe)\b(?!\s{1,4}not\b)"
    r"(?:\s{1,4}(?:therefore|thus|then|simply|just|clearly|option|choice)\b)?"
    r"(?:\s{1,4}(?:as\s{1,4}follows|the\s{1,4}following|(?:given\s|shown\s)?below)"
    r"(?=[ \t]{0,4}(?:[.:\n]|\Z))[ \t]{0,4}\.?)?"
)
_ANNOUNCEMENT = re.compile(
    r"^[ \t]{0,8}\#{4}[ \t]{1,8}"
    r"|<answer>"
    rf"|{_NAMED}(?:\s{{1,4}}(?:to|for|of)\s"
    rf"(?:[^\n.:?!]{{1,80}}?(?:[*_`]{{0,4}}\s{{1,4}}(?P<of_it>{_IS})|:)|[^\n.:?!=]{{1,80}}+=>?)"
    rf"|[*_`]{{0,4}}\s{{0,4}}(?:\b(?P<it>{_IS})|:|=>?))"
    r"|^[ \t]{0,8}\#{0,6}[ \t]{0,8}[*_]{0,4}final\s{1,4}answer[*_]{0,4}:?[*_]{0,4}[ \t]{0,8}$",
    re.IGNORECASE | re.MULTILINE,
)
"""Of `the answer for n = 10 is 55` the equals sign announces nothing."""
ANNOUNCEMENTS = 16
"""How many announcements, from the last one back, are looked behind."""
_BEFORE = re.compile(
    r"(?:[ \t\r*_:]|\n(?:[ \t]{0,3}(?:>|[-+\u2022][ \t]))?|`(?!``)|-[ \t](?![0-9.$\\(\u221a]))*"
)
"""`>` quotes and `-` lists only at the beginning of a line: elsewhere they compare, and are a sign."""
_CLOSED = re.compile(r"</answer>", re.IGNORECASE)
_JUDGEMENT = re.compile(
    r"(?:(?:indeed|also|quite|very|really|absolutely|definitely|certainly|probably|likely|now|both)\s)?"
    r"(?:correct|incorrect|right|wrong|consistent|inconsistent|helpful|useful|clear|unclear|valid|invalid|reasonable"
    r"|plausible|verified|confirmed|checked|complete|accurate|sensible|sound|unique|obvious|satisfactory)"
    r"(?:,?\s(?:with|to|for|by|as|and|or|in|too|here|now|indeed)\b.*)?",
    re.IGNORECASE | re.DOTALL,
)


def _find_announced(text: str) -> tuple[str | None, bool]:
    """Finds what the last announcement announces, and whether the text was cut behind it."""
    marks = list(_ANNOUNCEMENT.finditer(text))[-ANNOUNCEMENTS:]
    for mark in reversed(marks):
        answer = _read_behind(text, mark)
        judged = (mark["it"] or mark["of_it"]) and _JUDGEMENT.fullmatch(answer)
        if answer and not judged:
            return answer, False
    return None, bool(marks) and not says_something(text[marks[-1].end() :])


def _read_behind(text: str, mark: re.Match[str]) -> str:
    """Reads the answer at the beginning of what follows an announcement; it is empty when that says nothing."""
    closed = _CLOSED.search(text, mark.end())
    text = text[: closed.start()] if closed else text
    if mark[0][0] == "<":
        said = text[mark.end() :].strip()
        block = read_block(said)
        return tidy(said) if block is None else block
    listed = read_list(text[mark.end() :])
    if listed is not None:
        return listed
    begin = _BEFORE.match(text, mark.end()).end()  # type: ignore[union-attr]  # it matches nothing, too
    block = read_block(text[begin:])
    if block is not None:
        return block
    bold = text.count("**", text.rfind("\n", 0, mark.start()) + 1, begin) % 2
    line = text[begin:].partition("\n")[0]
    return tidy(cut_to_clause("**" * bold + line))


# -- without a mark ----------------------------------------------------------------------------------------------------

_LAST_OPTION = re.compile(r"(?:^|\s)\(([A-J])\)[.*]{0,3}\Z")


def _read_option(text: str) -> str | None:
    found = _LAST_OPTION.search(text.rstrip()[-20:])
    return f"({found[1]})" if found else None


def _take_line(text: str) -> str | None:
    line = text.strip()
    short = "\n" not in line and len(line) <= SHORT and says_something(line)
    return tidy(line) if short else None
