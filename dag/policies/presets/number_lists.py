"""Checks of lists of numbers, for the examples of Graph of Thoughts that sort and intersect them."""

READ = """\
import json
import re
from collections import Counter


def numbers(text):
    found = re.search(r"\\[[^\\[\\]]*\\]", text)
    return json.loads(found.group()) if found else []


def differences(left, right):
    counts = Counter(left)
    counts.subtract(right)
    return sum(map(abs, counts.values()))


"""
SORTED_INPUT = (
    READ
    + """\
def score(text, state):
    found = numbers(text)
    falls = sum(left > right for left, right in zip(found, found[1:]))
    return 1 / (1 + falls + differences(found, numbers(state["input"])))
"""
)
"""1 for a list without errors, less with each: neighbours in the wrong order, numbers too many or too few."""
SORTED_QUESTION = SORTED_INPUT.replace('state["input"]', 'state["question"]')
"""The same against the numbers of the question."""
