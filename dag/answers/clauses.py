r"""Cuts an answer out of what stands around it: a sentence, a list, a block of code, the marks of mathematics.

Each pattern is tried at one place, or its repetitions are bounded or end where the next one begins: what is cut may be
as long as a text.
"""

import re

# -- marks around an answer --------------------------------------------------------------------------------------------

_HOLLOW = re.compile(r"\\[A-Za-z]{1,20}\s{0,4}\{\s{0,40}\}")
_MARKS = " \t\r\n\u00a0\u3000.:,;*`\u3002\uff0e"
"""What may stand behind an answer and is none of it."""
_FACTOR = re.compile(r"[0-9}]|(?<![(\[][A-J])[)\]]|(?<![^\W\d_])[a-z]")
"""The last character of what `!` makes a factorial; behind a word or the letter of an option it ends a sentence. Behind
a number it does so, too, unless another mark does: models are glad of 42 more often than they mean its factorial."""
_BOLD = re.compile(r"(?<![\w)\]}])\*\*(?=\S)((?:[^*]|\*(?!\*))+)(?<=\S)\*\*(?![\w(\[{\\+-])")


def says_something(text: str) -> bool:
    r"""Tells whether a text has a letter or a digit in it; the name of an empty command, `\text{}`, says nothing."""
    for _ in range(3):  # \boxed{\text{}}: nobody nests deeper
        text = _HOLLOW.sub("", text)
    return any(letter.isalnum() for letter in text)


def tidy(answer: str) -> str:
    """Removes the marks around an answer; it is empty when there is nothing else."""
    answer = answer.strip(" \t\r\n*`_")
    bare = answer.rstrip(f"{_MARKS}!")
    behind = answer[len(bare) :]
    shouted = len(behind) - len(behind.lstrip("!"))
    glad = bare[-1:].isdigit() and not behind[shouted:].startswith((".", ",", ";"))
    if bare and not glad and _FACTOR.match(bare, len(bare) - 1):
        bare += behind[:shouted]
    bare = open_math(bare)
    return bare if says_something(bare) else ""


def open_math(answer: str) -> str:
    r"""Takes what stands between the marks of mathematics: `$…$`, `\(…\)`, `\[…\]`, `$$…$$`."""
    for opens, closes in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")):
        whole = (
            len(answer) > len(opens) + len(closes) and answer.startswith(opens) and answer.endswith(closes)
        )
        if whole and closes not in answer[len(opens) : -len(closes)]:
            return answer[len(opens) : -len(closes)].strip()
    return answer


# -- blocks and lists --------------------------------------------------------------------------------------------------

FENCE = "```"
_DISPLAY = {"\\[": "\\]", "$$": "$$"}
_ITEM = re.compile(r"[ \t]{0,8}(?:([0-9]{1,3})[.)]|[-*+\u2022])[ \t]{1,4}(\S.*)")


def read_block(text: str) -> str | None:
    """Reads the block of code or of mathematics that a text begins with; None where it begins with none."""
    if text.startswith(FENCE):
        inner, closed, _ = text[len(FENCE) :].partition(FENCE)
        language, broken, code = inner.partition("\n")
        code = code if broken or not closed else language
        return code.strip() if says_something(code) else ""
    for opens, closes in _DISPLAY.items():
        if text.startswith(opens):
            inner, closed, _ = text[len(opens) :].partition(closes)
            return tidy(inner) if closed else None
    return None


def read_list(text: str) -> str | None:
    """Reads the list whose first item is on the next line, as its items with commas between; None where there is none.
    Numbers count from 1: others are no marks of a list."""
    first, *lines = text.split("\n")
    if says_something(first):
        return None
    items: list[list[str]] = []
    for line in lines:
        item = _ITEM.match(line)
        if item and int(item[1] or len(items) + 1) == len(items) + 1:
            items.append([item[2]])
        elif items and line[:1] in {" ", "\t"}:
            items[-1].append(line.strip())
        elif line.strip():
            break
    if len(items) == 1:
        return tidy(cut_to_clause(" ".join(items[0])))
    told = [item for item in (tidy(remove_bold(" ".join(lines))) for lines in items) if item]
    return ("; " if any("," in item for item in told) else ", ").join(told) or None


# -- sentences ---------------------------------------------------------------------------------------------------------

_REASON = re.compile(
    r"(?:,|;|\s[-\u2013\u2014]|\s\()\s?"
    r"(?:as|since|because|so|which|where|for|given|due|thus|hence|but|i\.e|e\.g|that is)\b"
    r"|\sbecause\s|\s\((?=[a-z]{2,})",
    re.IGNORECASE,
)
_END = re.compile(
    r"[.?][*_`]{0,4}(?=\s{1,8}\S)|(?<=[^\W\d_]{2})![*_`]{0,4}(?=\s{1,8}\S)|![*_`]{0,4}(?=\s{1,8}[A-Z])|\u3002"
)
_BEFORE_NAME = re.compile(
    r"(?:\b[A-Z]|\b(?:Dr|Mr|Mrs|Ms|Jr|Sr|St|Mt|Ft|Prof|Gov|Gen|Col|Maj|Capt|Lt|Sgt|Adm|Rev|Hon|Sen|Rep|Pres|Ave|Blvd"
    r"|Inc|Ltd|Co|Corp|vs|cf|approx|ca|etc|e\.g|i\.e|a\.m|p\.m))\Z"
)
_BEFORE_NUMBER = re.compile(r"\b(?:[Nn]os?|[Ff]igs?|[Ee]qs?|[Vv]ol|[Cc]h|[Ss]ec|[Aa]rt|pp?)\Z")
_BEFORE_REST = re.compile(
    r"\b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|ft|in|yds?|mi|sq|cu|hrs?|mins?|secs?|lbs?|oz|gal|pt|qt|wt)\Z"
)
"""What is cut short before a name, before a number, and before a number or a word that goes on: 6 in. by 4 in."""
_BEGINS = re.compile(
    r"\s{1,8}(?:I|We|You|He|She|It|They|Its|My|Our|This|That|These|Those|There|Here|The|An|Then|Thus|Therefore|Hence|So"
    r"|Since|Because|As|If|When|While|For|To|In|But|And|However|Also|Both|All|Each|Let|Note|Now|Only)\b(?!\.)"
)
"""Words that begin a sentence, and no name."""
_LONGEST_SHORTENED = 8
_OPTION_TEXT = re.compile(r"\(?([A-J])[.):]\s{1,4}(?![A-Z]\.)\S")
_WORKING = re.compile(r"[-+*/^()0-9.,!\s\\{}×·÷]{3,200}+=\s{0,4}(?=\S)")


def cut_to_clause(line: str) -> str:
    """Cuts an answer out of the sentence around it: up to the end of the sentence, or to where the reasons begin."""
    line = remove_bold(line)
    if option := _OPTION_TEXT.match(line):
        return option[1]
    reason = _REASON.search(line)
    line = line[: reason.start()] if reason else line
    for end in _END.finditer(line):
        if not _is_shortened(line, end.start()):
            line = line[: end.start()]
            break
    begin = 0
    while working := _WORKING.match(line, begin):
        begin = working.end()
    return line[begin:]


def remove_bold(line: str) -> str:
    """Removes the marks of what is bold; those of a power, `2**n`, stay."""
    return _BOLD.sub(r"\1", line)


def _is_shortened(line: str, at: int) -> bool:
    """Tells whether a full stop ends a word that is cut short, and no sentence."""
    begin, following = max(0, at - _LONGEST_SHORTENED), line[at + 1 :].lstrip()[:1]
    if _BEFORE_NAME.search(line, begin, at):
        return not _BEGINS.match(line, at + 1)
    if _BEFORE_REST.search(line, begin, at):
        return following.isdigit() or following.islower()
    return following.isdigit() and bool(_BEFORE_NUMBER.search(line, begin, at))
