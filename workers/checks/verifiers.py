"""What a verifier makes of a value, and which answers mean the same. Plain functions for the main thread of a worker
process, which is where Ray runs its tasks: their time limits are alarms."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import jsonschema
import referencing
import referencing.exceptions

from anabranch.dag.actions import Verifier
from anabranch.dag.answers.equality import extract_answer, plainly_equal
from anabranch.dag.ids import BranchId
from anabranch.workers.checks import python_score, python_tests
from anabranch.workers.checks.sandbox import Limits, SandboxRefused

SECONDS = 5
"""For one pattern or schema against one value: a pattern can be made to search for ever."""
ALGEBRA_SECONDS = 2
PARTITION_SECONDS = 30.0
"""For all algebra of one vote; pairs that are not reached by then count as different."""

Spec = Mapping[str, Any]
Judgement = tuple[float, str]
"""From 0.0 (fails) to 1.0 (passes), but of python-score any number; and a word on why."""


class _TimeUp(Exception):
    pass


def verify(
    verifier: Verifier, values: Mapping[BranchId, str]
) -> tuple[dict[BranchId, float], dict[BranchId, str]]:
    """Each value's score, 0.0 to 1.0, and why it is not 1.0. A verifier that cannot be used gives every value 0.0 and
    says so: that is the fault of whoever wrote it, and no reason for a job to stop."""
    judgements = {branch: _judge(verifier, value) for branch, value in values.items()}
    scores = {branch: score for branch, (score, _) in judgements.items()}
    return scores, {branch: why for branch, (_, why) in judgements.items() if why}


def _judge(verifier: Verifier, value: str) -> Judgement:
    kind = KINDS.get(verifier.kind)
    if kind is None:
        return 0.0, f"there is no verifier {verifier.kind!r}; there are: {', '.join(sorted(KINDS))}"
    try:
        return kind(verifier.spec, value)
    except KeyError as missing:
        return 0.0, f"the spec of a {verifier.kind} verifier needs {missing}"
    except _TimeUp:
        return 0.0, f"the check took longer than {SECONDS} s"
    except (TypeError, ValueError, AttributeError, re.error, jsonschema.SchemaError, SandboxRefused) as error:
        return 0.0, f"the {verifier.kind} verifier cannot be used: {error}"


# -- the kinds ---------------------------------------------------------------------------------------------------------


def _rule(spec: Spec, value: str) -> Judgement:
    """The share of these that hold: it `contains` each and `lacks` each (in upper or lower case), `equals` (as answers
    are compared), has at most `max_words`."""
    text = value.casefold()
    rules = {f"contains {part!r}": part.casefold() in text for part in spec.get("contains", ())}
    rules |= {f"lacks {part!r}": part.casefold() not in text for part in spec.get("lacks", ())}
    if "equals" in spec:
        rules[f"equals {spec['equals']!r}"] = _same(str(spec["equals"]), extract_answer(value) or value)
    if "max_words" in spec:
        rules[f"has at most {spec['max_words']} words"] = len(value.split()) <= spec["max_words"]
    if not rules:
        raise ValueError("its spec has none of contains, lacks, equals, max_words")
    broken = [rule for rule, holds in rules.items() if not holds]
    return 1 - len(broken) / len(rules), f"not true: {'; '.join(broken)}" if broken else ""


def _math(spec: Spec, value: str) -> Judgement:
    """Whether the answer that stands in the value equals `answer`."""
    wanted, found = str(spec["answer"]), extract_answer(value)
    if found is None:
        return 0.0, "it contains no answer"
    return _passes(_same(wanted, found), f"{found} is not {wanted}")


def _regex(spec: Spec, value: str) -> Judgement:
    """Whether `pattern` is found anywhere in the value."""
    with _within(SECONDS):
        return _passes(re.search(spec["pattern"], value) is not None, "the pattern is not found in it")


def _json_schema(spec: Spec, value: str) -> Judgement:
    """Whether the JSON of the value, bare or in a fenced block, fits `schema`. References out of the schema are not
    followed."""
    schema, fenced = spec["schema"], python_tests.FENCE.search(value)
    try:
        instance = json.loads(fenced["code"] if fenced else value)
    except (ValueError, RecursionError) as error:
        return 0.0, f"it is no JSON: {error}"
    checker = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    checker.check_schema(schema)
    try:
        with _within(SECONDS):
            fault = next(checker(schema, registry=referencing.Registry()).iter_errors(instance), None)
    except referencing.exceptions.Unresolvable as error:
        raise ValueError(f"its schema refers to {error.ref!r}, which is not in it") from error
    return _passes(fault is None, fault.message if fault else "")


def _python_tests(spec: Spec, value: str) -> Judgement:
    """The share of `tests` (each some statements, mostly an assert) that pass behind the Python of the value, in the
    sandbox, within `seconds` of processor time and `memory_mb`."""
    tests = [spec["tests"]] if isinstance(spec["tests"], str) else list(spec["tests"])
    if not tests:
        raise ValueError("its spec has no tests")
    found = python_tests.problems(python_tests.code_in(value), tests, _limits(spec))
    told = [
        f"{test.strip()[:60]!r}: {problem}" for test, problem in zip(tests, found, strict=True) if problem
    ]
    return 1 - len(told) / len(tests), "; ".join(told)[:1000]


def _python_score(spec: Spec, value: str) -> Judgement:
    """What the `score(text, state)` that `code` defines gives the value: any number, for more errors a lower
    one. `state` is what the asker tells of it. In the sandbox, within `seconds` of processor time and `memory_mb`."""
    return python_score.score(str(spec["code"]), value, spec.get("state", {}), _limits(spec))


def _limits(spec: Spec) -> Limits:
    seconds = max(1, min(int(spec.get("seconds", 5)), 60))
    memory_mb = max(64, min(int(spec.get("memory_mb", 512)), 4096))
    return Limits(cpu_seconds=seconds, wall_seconds=4.0 * seconds, memory_mb=memory_mb)


def _passes(passes: bool, why: str) -> Judgement:
    return (1.0, "") if passes else (0.0, why)


KINDS: Mapping[str, Callable[[Spec, str], Judgement]] = {
    "rule": _rule,
    "math": _math,
    "regex": _regex,
    "json-schema": _json_schema,
    "python-tests": _python_tests,
    "python-score": _python_score,
}


# -- equality ----------------------------------------------------------------------------------------------------------


def partition(answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """Indices of answers that mean the same, in the order in which each meaning first appears."""
    end = time.monotonic() + PARTITION_SECONDS
    groups: list[list[int]] = []
    for index, answer in enumerate(answers):
        for group in groups:
            if _same(answers[group[0]], answer, algebra=time.monotonic() < end):
                group.append(index)
                break
        else:
            groups.append([index])
    return tuple(map(tuple, groups))


def _same(left: str, right: str, *, algebra: bool = True) -> bool:
    plain = plainly_equal(left, right)
    if plain is not None or not algebra:
        return bool(plain)
    from math_verify import verify as equal  # takes a second to import, and most votes need no algebra

    return bool(equal(_expression(left), _expression(right), timeout_seconds=ALGEBRA_SECONDS))


@lru_cache(maxsize=1024)
def _expression(answer: str) -> Any:
    from math_verify import parse

    return parse(f"${answer}$", parsing_timeout=ALGEBRA_SECONDS)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raises _TimeUp in the midst of what takes longer, also inside a pattern's search."""

    def ring(_signal: int, _frame: object) -> None:
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
