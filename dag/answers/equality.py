"""Compares answers as a careful reader would, and groups those that mean the same.

Two answers are equal where they read the same (`reading.py`), and different where they read differently and nothing
more can be said of either. What is left are formulas: whether two of them are equal takes algebra, which a worker task
does. Its verdicts join meanings; a group is all that is joined. Where that would put two answers into one group that
are different by reading alone, the verdicts that joined this group contradict each other, and none of them counts.
So groups are the same in whatever order answers come.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from itertools import combinations

from anabranch.dag.answers.meaning import Formula, Meaning, Quantity, Set, Several
from anabranch.dag.answers.reading import drop_unit, expression, read

Groups = tuple[tuple[int, ...], ...]
"""A partition of indices: those of one group mean the same. In the order of their first members."""

Algebra = Callable[[str, str], bool]
"""Says whether two formulas have the same value. It is asked with each pair in the same order, whoever came first."""


class Verdict(StrEnum):
    """What two answers are to each other."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNDECIDED = "not comparable"
    """Not without algebra."""


def compare(left: str, right: str) -> Verdict:
    """Tells whether two answers mean the same, as far as that takes no algebra."""
    return _judge(read(left), read(right))


def fits(wanted: str, found: str, algebra: Algebra) -> bool:
    """Tells whether an answer is what was wanted: they are equal, or a number was wanted and found with a unit that
    nobody asked for. No equality: 18 dollars and 18 eggs both fit 18."""
    want, find = read(wanted), read(found)
    verdict = _judge(want, find)
    if verdict is Verdict.DIFFERENT and isinstance(want, Quantity | Formula) and not want.dimensions:
        find = drop_unit(found)
        verdict = _judge(want, find)
    return verdict is Verdict.EQUAL or (
        verdict is Verdict.UNDECIDED and algebra(expression(want, wanted), expression(find, found))
    )


def _judge(left: Meaning, right: Meaning) -> Verdict:
    if left == right:
        return Verdict.EQUAL
    match left, right:
        case Several(), Several():
            return _judge_items(left, right)
        case Formula() | Quantity(), Formula() | Quantity():
            same_kind = left.dimensions == right.dimensions
            return Verdict.UNDECIDED if same_kind and _is_open(left, right) else Verdict.DIFFERENT
        case (Set() | Several() | Formula(), Set() | Several() | Formula()):
            return Verdict.UNDECIDED if _is_open(left, right) else Verdict.DIFFERENT
        case _:
            return Verdict.DIFFERENT


def _judge_items(left: Several, right: Several) -> Verdict:
    if (left.opens, left.closes, len(left.items)) != (right.opens, right.closes, len(right.items)):
        return Verdict.DIFFERENT
    verdicts = {_judge(*pair) for pair in zip(left.items, right.items, strict=True)}
    return Verdict.DIFFERENT if Verdict.DIFFERENT in verdicts else Verdict.UNDECIDED


def _is_open(*meanings: Meaning) -> bool:
    """Tells whether one of these is, or holds, a formula."""
    return any(
        isinstance(each, Formula) or (isinstance(each, Set | Several) and _is_open(*each.items))
        for each in meanings
    )


def plain_groups(answers: Sequence[str]) -> Groups | None:
    """Groups answers that mean the same, where that takes no algebra; gives None where it may. Takes time linear in
    their length: pairs are not tried, so formulas beside numbers are left to a worker even where a closer look would
    tell."""
    meanings = [read(answer) for answer in answers]
    classes = set(meanings)
    comparable = [each for each in classes if isinstance(each, Quantity | Formula | Several | Set)]
    if len(comparable) > 1 and _is_open(*comparable):
        return None
    return _sort(_collect_indices(meanings).values())


def groups(answers: Sequence[str], algebra: Algebra) -> Groups:
    """Groups answers that mean the same, formulas by the verdicts of `algebra`."""
    members = _collect_indices([read(answer) for answer in answers])
    texts = {
        meaning: expression(meaning, min(answers[index] for index in found))
        for meaning, found in members.items()
    }
    ordered = sorted(members, key=texts.__getitem__)
    joined = {meaning: [meaning] for meaning in ordered}
    for left, right in combinations(ordered, 2):
        apart = joined[left] is not joined[right] and _judge(left, right) is Verdict.UNDECIDED
        if apart and algebra(texts[left], texts[right]):
            joined[left].extend(joined[right])
            joined.update(dict.fromkeys(joined[right], joined[left]))
    components = {id(component): component for component in joined.values()}.values()
    parts = (part for component in components for part in _split_contradictions(component))
    return _sort([index for meaning in part for index in members[meaning]] for part in parts)


def _split_contradictions(component: list[Meaning]) -> list[list[Meaning]]:
    """Keeps a component whole, or splits it into single meanings where two of them differ whatever algebra says."""
    contradicted = any(_judge(*pair) is Verdict.DIFFERENT for pair in combinations(component, 2))
    return [[meaning] for meaning in component] if contradicted else [component]


def _collect_indices(meanings: Sequence[Meaning]) -> dict[Meaning, list[int]]:
    found: dict[Meaning, list[int]] = {}
    for index, meaning in enumerate(meanings):
        found.setdefault(meaning, []).append(index)
    return found


def _sort(parts: Iterable[Sequence[int]]) -> Groups:
    return tuple(sorted((tuple(sorted(part)) for part in parts), key=min))
