"""Presets counting how often each country is named in a text (Besta et al., arXiv 2308.09687, section 5.3): by parts,
added up.

The question is the text. What is claimed of a part is checked against the part, and a sum against what was added: it is
improved, up to three times, until it is right.
"""

from collections.abc import Mapping
from typing import Any

from anabranch.dag.policy import Preset

SPLIT = """\
Split this text into four parts of about the same length, without changing a word. Write one JSON object with the keys \
"Part 1" to "Part 4" and nothing else.
{question}
Output: """
COUNT = """\
How often is each country named in this text? Write one JSON object and nothing else, as in the example.
Input: From Chile she went to Peru, and back to Chile.
Output: {"Chile": 2, "Peru": 1}
Input: {input}
Output: """
ADD = """\
Add up these counts: each key of either, with the sum of its numbers. Write one JSON object and nothing else.
{inputs}Output: """
CORRECT = """\
These counts were added up wrongly. Write the right sum, as one JSON object and nothing else.
{inputs}Wrong: {input}
Output: """
READ = """\
import json
import re
from collections import Counter


def counts(text):
    found = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return Counter({str(name): int(number) for name, number in found.items()})


"""
COUNTED = (
    READ
    + """\
def score(text, state):
    named = {name: len(re.findall(rf"\\b{re.escape(name)}\\b", state["input"])) for name in counts(text)}
    return 1 / (1 + sum(abs(number - named[name]) for name, number in counts(text).items()))
"""
)
"""1 if what is claimed of a part is there; less with each number that differs."""
ADDED = (
    READ
    + """\
def score(text, state):
    return float(counts(text) == sum(map(counts, state["inputs"]), Counter()))
"""
)
"""1 for the right sum, else 0."""


def _part(name: str) -> list[Mapping[str, Any]]:
    check = {"verifier": "python-score", "spec": {"code": COUNTED}}
    return [
        {"id": f"{name} chosen", "op": "select", "after": ["parts"], "parts": [name]},
        {"id": f"{name} counted", "op": "generate", "after": [f"{name} chosen"], "prompt": COUNT, "count": 5},
        {"id": f"{name} scored", "op": "score", "after": [f"{name} counted"], **check},
        {"id": f"{name} kept", "op": "keep-best", "after": [f"{name} scored"], "count": 1},
    ]


def _sum(name: str, *after: str) -> list[Mapping[str, Any]]:
    check = {"verifier": "python-score", "spec": {"code": ADDED}, "least": 1.0, "tries": 3}
    return [
        {"id": f"{name} added", "op": "aggregate", "after": list(after), "prompt": ADD, "count": 3},
        {
            "id": f"{name} valid",
            "op": "validate-and-improve",
            "after": [f"{name} added"],
            "prompt": CORRECT,
            **check,
        },
        {"id": name, "op": "keep-best", "after": [f"{name} valid"], "count": 1},
    ]


OPERATIONS: tuple[Mapping[str, Any], ...] = (
    {"id": "plan", "op": "generate", "prompt": SPLIT},
    {"id": "parts", "op": "split", "after": ["plan"], "form": "json"},
    *(operation for number in range(1, 5) for operation in _part(f"Part {number}")),
    *_sum("first half", "Part 1 kept", "Part 2 kept"),
    *_sum("second half", "Part 3 kept", "Part 4 kept"),
    *_sum("answer", "first half", "second half"),
)

KEYWORD_COUNTING = Preset(
    "The question is a text; the answer counts its countries. Four parts counted five times, checked, and added up in "
    "pairs; a wrong sum is improved.",
    {"operations": list(OPERATIONS), "temperature": 1.0},
)
