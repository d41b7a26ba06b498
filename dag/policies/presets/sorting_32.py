"""Presets sorting 32 numbers (Besta et al., arXiv 2308.09687, section 5.1): split, sort, merge, improve.

The question is the list alone, as in `[3, 7, 0, 2]`. A check counts the errors.
"""

from collections.abc import Mapping
from typing import Any

from anabranch.dag.policies.presets.number_lists import SORTED_INPUT, SORTED_QUESTION
from anabranch.dag.policy import Preset

SPLIT = """\
Split this list of numbers into two lists of the same length: the first half and the second half, each in its order. \
Write one JSON object and nothing else, as in the example.
Input: [3, 1, 9, 3, 7, 5]
Output: {"List 1": [3, 1, 9], "List 2": [3, 7, 5]}
Input: {question}
Output: """
SORT = """\
Sort this list of numbers in ascending order. Each number is kept as often as it is there. Write the sorted list alone.
Input: [5, 1, 0, 1, 2, 0]
Output: [0, 0, 1, 1, 2, 5]
Input: {input}
Output: """
MERGE = """\
Merge these two sorted lists into one sorted list: take the smaller of the two first numbers, again and again. Write \
the merged list alone.
{inputs}Output: """
IMPROVE = """\
The second list should hold the numbers of the first in ascending order. It may lack some, have too many of some, or \
be out of order. Write the corrected list alone.
Input: {question}
Wrong: {input}
Output: """


def _best_of(name: str, after: list[str], code: str) -> list[Mapping[str, Any]]:
    """Score with a check, keep the best."""
    return [
        {
            "id": f"{name} scored",
            "op": "score",
            "after": after,
            "verifier": "python-score",
            "spec": {"code": code},
        },
        {"id": f"{name} kept", "op": "keep-best", "after": [f"{name} scored"], "count": 1},
    ]


def _half(name: str) -> list[Mapping[str, Any]]:
    """One half: five ways to sort it, the best kept."""
    return [
        {"id": f"{name} chosen", "op": "select", "after": ["halves"], "parts": [name]},
        {"id": f"{name} sorted", "op": "generate", "after": [f"{name} chosen"], "prompt": SORT, "count": 5},
        *_best_of(name, [f"{name} sorted"], SORTED_INPUT),
    ]


OPERATIONS: tuple[Mapping[str, Any], ...] = (
    {"id": "plan", "op": "generate", "prompt": SPLIT},
    {"id": "halves", "op": "split", "after": ["plan"], "form": "json"},
    *_half("List 1"),
    *_half("List 2"),
    {
        "id": "merged",
        "op": "aggregate",
        "after": ["List 1 kept", "List 2 kept"],
        "prompt": MERGE,
        "count": 10,
    },
    *_best_of("merge", ["merged"], SORTED_QUESTION),
    {"id": "improved", "op": "generate", "after": ["merge kept"], "prompt": IMPROVE, "count": 10},
    *_best_of("answer", ["merge kept", "improved"], SORTED_QUESTION),
)

SORTING_32 = Preset(
    "The question is a list of 32 numbers. Two halves sorted five times each, the best merged ten times, the best of "
    "these improved ten times; a check counts the errors.",
    {"operations": list(OPERATIONS), "temperature": 1.0},
)
