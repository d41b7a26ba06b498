"""Presets intersecting two sets of 32 numbers (Besta et al., arXiv 2308.09687, section 5.2): split one, intersect,
unite.

The question holds both sets, as in `Set 1: [1, 2, 3]`, a newline and `Set 2: [2, 3, 4]`.
"""

from collections.abc import Mapping
from typing import Any

from anabranch.dag.policies.presets.number_lists import READ
from anabranch.dag.policy import Preset

SPLIT = """\
Split the second set into two sets of the same size. Write one JSON object and nothing else, as in the example.
Set 1: [1, 2, 3, 4]
Set 2: [3, 9, 4, 7]
Output: {"Set 1": [3, 9], "Set 2": [4, 7]}
{question}
Output: """
INTERSECT = """\
Which numbers of the part are also in Set 1? Look at each of them. Write them as one list and nothing else.
Set 1: [1, 2, 3, 4]
Set 2: [3, 9, 4, 7]
Part: [3, 9]
Output: [3]
{question}
Part: {input}
Output: """
UNITE = """\
Join these two lists into one that holds the numbers of both. Write it alone.
{inputs}Output: """
SHARED = (
    READ
    + """\
def score(text, state):
    first = set(numbers(state["question"]))
    return 1 / (1 + differences(numbers(text), first & set(numbers(state["input"]))))
"""
)
"""1 for those that a part shares with the first set; less with each number too many or too few."""
UNITED = (
    READ
    + """\
def score(text, state):
    return 1 / (1 + differences(numbers(text), sum(map(numbers, state["inputs"]), [])))
"""
)


def _part(name: str) -> list[Mapping[str, Any]]:
    return [
        {"id": f"{name} chosen", "op": "select", "after": ["parts"], "parts": [name]},
        {
            "id": f"{name} shared",
            "op": "generate",
            "after": [f"{name} chosen"],
            "prompt": INTERSECT,
            "count": 5,
        },
        {
            "id": f"{name} scored",
            "op": "score",
            "after": [f"{name} shared"],
            "verifier": "python-score",
            "spec": {"code": SHARED},
        },
        {"id": f"{name} kept", "op": "keep-best", "after": [f"{name} scored"], "count": 1},
    ]


OPERATIONS: tuple[Mapping[str, Any], ...] = (
    {"id": "plan", "op": "generate", "prompt": SPLIT},
    {"id": "parts", "op": "split", "after": ["plan"], "form": "json"},
    *_part("Set 1"),
    *_part("Set 2"),
    {"id": "united", "op": "aggregate", "after": ["Set 1 kept", "Set 2 kept"], "prompt": UNITE, "count": 10},
    {
        "id": "scored",
        "op": "score",
        "after": ["united"],
        "verifier": "python-score",
        "spec": {"code": UNITED},
    },
    {"id": "answer", "op": "keep-best", "after": ["scored"], "count": 1},
)

SET_INTERSECTION_32 = Preset(
    "The question holds two sets of 32 numbers. The second is split, each part intersected five times, the best "
    "united.",
    {"operations": list(OPERATIONS), "temperature": 1.0},
)
