"""Answers as a reader would compare them: finding one in text, and the part of equality that needs no algebra."""

import re
from fractions import Fraction

SHORT = 160
"""Characters up to which a single line without any mark is taken for the answer itself."""

_BOXED = re.compile(r"\\boxed\s*\{")
_MARKED = re.compile(r"(?:final answer|answer)\s*(?:is|:|=)\s*:?\s*\**\s*([^\n]+)", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?")
_FRACTION = re.compile(r"\\d?frac\s*\{\s*(-?\d+)\s*\}\s*\{\s*(\d+)\s*\}")


def extract_answer(text: str) -> str | None:
    r"""The answer a chain of thought ends with: the last `\boxed{…}`, else what follows the last "answer is", else the
    last number, else the text itself if it is one short line. None when it is none of these: the branch abstains."""
    answer = boxed(text)
    if answer is not None:
        return answer.strip() or None
    marked = _MARKED.findall(text)
    if marked:
        return _tidy(marked[-1]) or None
    numbers = _NUMBER.findall(text)
    if numbers:
        last: str = numbers[-1]
        return last.strip("$").rstrip(",")
    line = text.strip()
    return line if line and "\n" not in line and len(line) <= SHORT else None


def boxed(text: str) -> str | None:
    r"""What the last closed `\boxed{…}` holds; None when there is none."""
    found = None
    for match in _BOXED.finditer(text):
        depth = 1
        for end in range(match.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            if depth == 0:
                found = text[match.end() : end]
                break
    return found


def _tidy(answer: str) -> str:
    return answer.strip().strip("*`$ ").rstrip(".").strip("*`$ ")


def as_number(answer: str) -> Fraction | None:
    """The exact value of a plainly written number: 1,234.5, 3/4, 12%, \\frac{1}{2}, $7. None for anything else."""
    plain = _FRACTION.sub(r"\1/\2", answer.strip().strip("$").rstrip("."))
    plain = plain.replace("\\%", "%").replace(",", "").replace("\\$", "").replace("$", "").replace(" ", "")
    percent = plain.endswith("%")
    try:
        value = Fraction(plain.rstrip("%"))
    except (ValueError, ZeroDivisionError):
        return None
    return value / 100 if percent else value


_WORDS = re.compile(r"[\w\s.,'’:;!?-]+")


def plainly_equal(left: str, right: str) -> bool | None:
    """Whether two answers mean the same, where that takes no algebra; None where it may (a verifier decides)."""
    if _folded(left) == _folded(right):
        return True
    numbers = as_number(left), as_number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1]
    if _is_prose(left) and _is_prose(right):
        return False
    return None


def _folded(answer: str) -> str:
    return " ".join(answer.casefold().split()).rstrip(".!")


def _is_prose(answer: str) -> bool:
    """Words of at least two letters and no digits: algebra cannot make two of these equal."""
    return (
        bool(_WORDS.fullmatch(answer))
        and not any(c.isdigit() for c in answer)
        and bool(re.search(r"\w{2}", answer))
    )


def plain_groups(answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...] | None:
    """Indices of answers that mean the same, in order of first appearance; None when one pair needs a verifier."""
    groups: list[list[int]] = []
    for index, answer in enumerate(answers):
        for group in groups:
            equal = plainly_equal(answers[group[0]], answer)
            if equal is None:
                return None
            if equal:
                group.append(index)
                break
        else:
            groups.append([index])
    return tuple(map(tuple, groups))
