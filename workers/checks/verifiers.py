"""Verifies a value, and judges which answers mean the same.

Whatever a value, a pattern or a schema can make endless is decided in a process that is killed at its limit
(`bounded.py`; code in `sandbox.py`), so these functions may run on any thread.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from anabranch.dag.actions import Check, Verifier
from anabranch.dag.answers.equality import Groups, fits, groups
from anabranch.dag.answers.extraction import extract_answer
from anabranch.dag.ids import BranchId
from anabranch.workers.checks import bounded, python_score, python_tests
from anabranch.workers.checks.sandbox import Limits, SandboxRefused

SECONDS = 5
"""Processor time for one pattern or schema against one value: a pattern can be made to search for ever."""
ALGEBRA_SECONDS = 2
"""Processor time for one pair of formulas."""
PARTITION_SECONDS = 30.0
"""For all algebra of one vote; pairs that are not reached by then count as different."""

Spec = Mapping[str, Any]
Judgement = tuple[float, str]
"""From 0.0 (fails) to 1.0 (passes), and a word on why."""


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
    except bounded.Stopped:
        return 0.0, f"the check took longer than {SECONDS} s"
    except (TypeError, ValueError, AttributeError, SandboxRefused) as error:
        return 0.0, f"the {verifier.kind} verifier cannot be used: {error}"


# -- the kinds ---------------------------------------------------------------------------------------------------------


def _rule(spec: Spec, value: str) -> Judgement:
    """The share of these that hold: it `contains` each and `lacks` each (in upper or lower case), `equals` (as answers
    are compared), has at most `max_words`."""
    text = value.casefold()
    rules = {f"contains {part!r}": part.casefold() in text for part in spec.get("contains", ())}
    rules |= {f"lacks {part!r}": part.casefold() not in text for part in spec.get("lacks", ())}
    if "equals" in spec:
        rules[f"equals {spec['equals']!r}"] = fits(
            str(spec["equals"]), extract_answer(value) or value, _equal
        )
    if "max_words" in spec:
        rules[f"has at most {spec['max_words']} words"] = len(value.split()) <= spec["max_words"]
    if not rules:
        raise ValueError("its spec has none of contains, lacks, equals, max_words")
    broken = [rule for rule, holds in rules.items() if not holds]
    return 1 - len(broken) / len(rules), f"not true: {'; '.join(broken)}" if broken else ""


def _math(spec: Spec, value: str) -> Judgement:
    """Whether the answer that stands in the value equals `answer`, or is it with a unit that was not asked for."""
    wanted, found = str(spec["answer"]), extract_answer(value)
    if found is None:
        return 0.0, "it contains no answer"
    return _passes(fits(wanted, found, _equal), f"{found} is not {wanted}")


def _regex(spec: Spec, value: str) -> Judgement:
    """Whether `pattern` is found anywhere in the value."""
    found, _ = bounded.decide("pattern", SECONDS, pattern=spec["pattern"], value=value)
    return _passes(found, "the pattern is not found in it")


def _json_schema(spec: Spec, value: str) -> Judgement:
    """Whether the JSON of the value, bare or in a fenced block, fits `schema`. References out of the schema are not
    followed."""
    schema, fenced = spec["schema"], python_tests.FENCE.search(value)
    try:
        instance = json.loads(fenced["code"] if fenced else value)
    except (ValueError, RecursionError) as error:
        return 0.0, f"it is no JSON: {error}"
    return _passes(*bounded.decide("schema", SECONDS, schema=schema, instance=instance))


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
    """What the `score(text, state)` that `code` defines gives the value, from 0 to 1; `state` is what the asker
    tells of it. In the sandbox, within `seconds` of processor time and `memory_mb`."""
    return python_score.score(str(spec["code"]), value, spec.get("state", {}), _limits(spec))


def _limits(spec: Spec) -> Limits:
    seconds = max(1, min(int(spec.get("seconds", 5)), 60))
    memory_mb = max(64, min(int(spec.get("memory_mb", 512)), 4096))
    # A busy machine needs longer for a second of work; only code that sleeps is stopped by the clock on the wall.
    return Limits(cpu_seconds=seconds, wall_seconds=max(10.0, 4.0 * seconds), memory_mb=memory_mb)


def _passes(passes: bool, why: str) -> Judgement:
    return (1.0, "") if passes else (0.0, why)


KINDS: Mapping[Check, Callable[[Spec, str], Judgement]] = {
    "rule": _rule,
    "math": _math,
    "regex": _regex,
    "json-schema": _json_schema,
    "python-tests": _python_tests,
    "python-score": _python_score,
}


# -- equality ----------------------------------------------------------------------------------------------------------


def partition(answers: tuple[str, ...]) -> Groups:
    """Indices of answers that mean the same, in the order in which each meaning first appears."""
    end = time.monotonic() + PARTITION_SECONDS
    return groups(answers, lambda left, right: time.monotonic() < end and _equal(left, right))


def _equal(left: str, right: str) -> bool:
    """Whether two expressions are equal by algebra; what takes too long, or is none, counts as different."""
    try:
        return bounded.decide("equal", ALGEBRA_SECONDS, left=left, right=right)[0]
    except (bounded.Stopped, ValueError):
        return False
