"""Verifiers: each kind's verdicts, what happens to a specification that cannot be used, and equality for votes."""

import pickle
from typing import Any, get_args

import pytest
from tests.dag.answers.pairs import FORMULAS_APART, FORMULAS_EQUAL

from anabranch.dag.actions import Check, Verifier
from anabranch.dag.ids import BranchId
from anabranch.workers.checks import verifiers
from anabranch.workers.checks.verifiers import partition, verify

A, B = BranchId("0.1"), BranchId("0.2")


def judged(kind: Check, value: str, **spec: Any) -> tuple[float, str]:
    scores, details = verify(Verifier(kind=kind, spec=spec), {A: value})
    return scores[A], details.get(A, "")


def test_all_values_are_scored_and_the_reasons_of_the_failures_told() -> None:
    verifier = pickle.loads(pickle.dumps(Verifier(kind="math", spec={"answer": "19"})))
    assert verify(verifier, {A: "So the answer is 19.", B: r"\boxed{18}"}) == (
        {A: 1.0, B: 0.0},
        {B: "18 is not 19"},
    )


@pytest.mark.parametrize("pair", FORMULAS_EQUAL)
def test_algebra_finds_formulas_equal(pair: tuple[str, str]) -> None:
    assert partition(pair) == ((0, 1),)


@pytest.mark.parametrize("pair", FORMULAS_APART)
def test_algebra_reads_a_formula_whole_or_not_at_all(pair: tuple[str, str]) -> None:
    assert partition(pair) == ((0,), (1,))


@pytest.mark.parametrize(
    ("wanted", "value", "score"),
    [
        ("1/2", r"Therefore \boxed{\frac{1}{2}}.", 1.0),
        ("0.5", "The answer is 50%", 1.0),
        (r"2\sqrt{2}", r"\boxed{\sqrt{8}}", 1.0),
        ("(x+1)^2", r"\boxed{x^2 + 2x + 1}", 1.0),
        (r"\{1, 2\}", r"\boxed{\{2, 1\}}", 1.0),
        ("Paris", "The answer is **paris**.", 1.0),
        ("7", r"\boxed{8}", 0.0),
        ("7", "I do not know.", 0.0),
        ("1", r"\boxed{9^{9^{9^9}}}", 0.0),
        ("18", "The answer is $18.00", 1.0),
        ("10 m", r"\boxed{1000 \text{ cm}}", 1.0),
        ("10 m", r"\boxed{10 \text{ cm}}", 0.0),
        (r"2\sqrt{3} \text{ km}", r"\boxed{\sqrt{12} \text{ cm}}", 0.0),
    ],
)
def test_mathematical_equality(wanted: str, value: str, score: float) -> None:
    assert judged("math", value, answer=wanted)[0] == score


def test_a_rule_is_the_share_of_its_parts_that_hold() -> None:
    rules = {"contains": ["Seine", "paris"], "lacks": ["london"], "equals": "Paris", "max_words": 12}
    assert judged("rule", "Paris lies on the Seine. The answer is Paris", **rules) == (1.0, "")
    score, why = judged("rule", "London lies on the Thames, not in Paris. The answer is Paris", **rules)
    assert score == pytest.approx(3 / 5)
    assert why == "not true: contains 'Seine'; lacks 'london'"


def test_a_pattern_may_stand_anywhere() -> None:
    assert judged("regex", "call 555-1234 now", pattern=r"\d{3}-\d{4}") == (1.0, "")
    assert judged("regex", "call me", pattern=r"\d{3}-\d{4}") == (0.0, "the pattern is not found in it")


def test_a_pattern_that_would_search_for_ever_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifiers, "SECONDS", 1)
    assert judged("regex", "a" * 40 + "b", pattern="^(a+)+$") == (0.0, "the check took longer than 1 s")


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("value", "score", "why"),
    [
        ('{"n": 1}', 1.0, ""),
        ('Here it is:\n```json\n{"n": 1}\n```', 1.0, ""),
        ('{"n": "1"}', 0.0, "'1' is not of type 'integer'"),
        ("n is 1", 0.0, "it is no JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_json_under_a_schema(value: str, score: float, why: str) -> None:
    assert judged("json-schema", value, schema=SCHEMA) == (score, why)


def test_a_schema_fetches_nothing() -> None:
    score, why = judged("json-schema", "{}", schema={"$ref": "http://127.0.0.1:9/schema.json"})
    assert score == 0.0
    assert why.endswith("its schema refers to 'http://127.0.0.1:9/schema.json', which is not in it")


SOLUTION = """Here is the function:
```python
def double(n):
    print("doubling", n)
    return n * 2
```
Output:
```
doubling 4
```"""


def test_unit_tests_score_the_share_that_passes() -> None:
    tests = ["assert double(4) == 8", "assert double(4) == 9", "assert double('a') == 'aa'", "double()"]
    score, why = judged("python-tests", SOLUTION, tests=tests)
    assert score == 0.5
    assert why == (
        "'assert double(4) == 9': AssertionError; "
        "'double()': TypeError: double() missing 1 required positional argument: 'n'"
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def double(n) return n", "SyntaxError"),
        ("import sys\nsys.exit(0)", "SystemExit: 0"),
        ("import os\nos._exit(0)", "it ended early"),
        ("print('passed')\nraise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 80))", "PermissionError"),
        ("while True: pass", "the processor time was used up"),
    ],
)
def test_code_that_does_not_come_to_its_tests_passes_none(code: str, why: str) -> None:
    score, told = judged("python-tests", code, tests=["pass"], seconds=1)
    assert score == 0.0
    assert told.startswith(f"'pass': {why}")


def test_an_endless_test_takes_only_those_behind_it_along() -> None:
    tests = ["assert double(1) == 2", "while True: double(1)", "assert double(2) == 4"]
    assert judged("python-tests", SOLUTION, tests=tests, seconds=1)[0] == pytest.approx(1 / 3)


INVERSIONS = """
import json

def score(text, state):
    numbers = json.loads(text)
    errors = sum(a > b for a, b in zip(numbers, numbers[1:]))
    return (sorted(numbers) == sorted(json.loads(state["input"]))) / (1 + errors)
"""


@pytest.mark.parametrize(("text", "score"), [("[1, 2, 3]", 1.0), ("[3, 1, 2]", 0.5), ("[1, 2]", 0.0)])
def test_ones_own_code_scores_a_text_by_what_it_was_made_from(text: str, score: float) -> None:
    assert judged("python-score", text, code=INVERSIONS, state={"input": "[3, 1, 2]"}) == (score, "")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "def score(text, state): return 1 / 0",
            "the code gives no score: ZeroDivisionError: division by zero",
        ),
        ("def score(text, state): return float('nan')", "the code gives no score: nan is not from 0 to 1"),
        ("def score(text, state): return -1", "the code gives no score: -1.0 is not from 0 to 1"),
        ("def score(text, state): return text", "the code gives no score: ValueError"),
        ("def score(text): return 1", "the code gives no score: TypeError"),
        ("def score(text, state) return 1", "the code gives no score: SyntaxError"),
        ("import os; os._exit(0)", "the code gives no score: it ended early"),
        ("while True: pass", "the code gives no score: the processor time was used up"),
        ("score = open('/etc/passwd').read()", "the code gives no score: PermissionError"),
    ],
)
def test_code_that_gives_no_number_scores_nothing_and_says_why(code: str, why: str) -> None:
    score, told = judged("python-score", "' } {text} \"", code=code, seconds=1)
    assert score == 0.0
    assert told.startswith(why)


def test_policies_may_name_these_verifiers_and_no_other() -> None:
    assert set(get_args(Check)) == set(verifiers.KINDS)


@pytest.mark.parametrize(
    ("kind", "spec", "why"),
    [
        (
            "oracle",
            {},
            "there is no verifier 'oracle'; there are: json-schema, math, python-score, python-tests, regex, rule",
        ),
        ("math", {}, "the spec of a math verifier needs 'answer'"),
        ("regex", {"pattern": "("}, "the regex verifier cannot be used: missing )"),
        ("regex", {"pattern": 3}, "the regex verifier cannot be used: first argument must be string"),
        ("rule", {}, "the rule verifier cannot be used: its spec has none of contains, lacks, equals, max_words"),
        ("python-tests", {"tests": []}, "the python-tests verifier cannot be used: its spec has no tests"),
        ("python-score", {}, "the spec of a python-score verifier needs 'code'"),
        ("json-schema", {"schema": {"type": 3}}, "the json-schema verifier cannot be used: 3 is not valid under"),
        ("json-schema", {"schema": {"$schema": 5}}, "the json-schema verifier cannot be used:"),
        ("json-schema", {"schema": {"pattern": r"^\p{L}+$"}}, "the json-schema verifier cannot be used: '^\\\\p{L}+$'"),
        ("json-schema", {"schema": {"pattern": "a{99999999999999999999}"}}, "the json-schema verifier cannot be used:"),
        ("json-schema", {"schema": {"pattern": "(" * 3000}}, "the json-schema verifier cannot be used:"),
    ],
)  # fmt: skip
def test_a_verifier_that_cannot_be_used_says_so_and_stops_no_job(
    kind: Check, spec: dict[str, Any], why: str
) -> None:
    score, told = judged(kind, '{"a": 1}', **spec)
    assert score == 0.0
    assert told.startswith(why)


@pytest.mark.parametrize(
    ("answers", "groups"),
    [
        ((), ()),
        (("19", "18", "19.0", "nineteen"), ((0, 2), (1,), (3,))),
        ((r"\frac{1}{2}", "x", "0.5", "50%", "x"), ((0, 2, 3), (1, 4))),
        ((r"\sqrt{8}", r"2\sqrt{2}", "2.83"), ((0, 1), (2,))),
        (("x^2 - 1", "(x-1)(x+1)"), ((0, 1),)),
        (("10 m", "10 cm", "x"), ((0,), (1,), (2,))),
        (("5!", "120"), ((0, 1),)),
        (("}{", "$$$", r"\frac{"), ((0,), (1,), (2,))),
    ],
)
def test_answers_that_mean_the_same_fall_into_one_group(
    answers: tuple[str, ...], groups: tuple[tuple[int, ...], ...]
) -> None:
    assert partition(answers) == groups


def test_a_vote_ends_even_if_its_algebra_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifiers, "PARTITION_SECONDS", 0.0)
    assert partition((r"\sqrt{8}", r"2\sqrt{2}", r"\sqrt{8}")) == ((0, 2), (1,))
