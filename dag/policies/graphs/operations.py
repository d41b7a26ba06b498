"""Describes graphs of operations on thoughts (Graph of Thoughts, Besta et al., arXiv 2308.09687), checked before use.

A graph is data: a list of objects, each with an `id`, an `op` and the ids it comes `after`. Its inputs are the thoughts
that those give, in their order. What each operation does:

| op | gives | own fields |
|---|---|---|
| generate | `count` new thoughts from each input; from the problem, if it comes after nothing | prompt, count |
| improve | one from each input; with `below`, inputs with at least that score stay as they are | prompt, below |
| aggregate | `count` from all inputs together | prompt, count |
| score | its inputs, marked by a judge or, with `verifier`, by a check | prompt, verifier, spec |
| validate-and-improve | its inputs, those below `least` improved and checked again, at most `tries` checks | prompt, \
judge_prompt, verifier, spec, least, tries |
| keep-best | the `count` with the best scores; of equals the first by position | count |
| keep-valid | those with a score of at least `least` | least |
| split | the parts that an input lists, each a thought | form: json, list, lines or paragraphs |
| select | those of its inputs that are named: parts of a split, or places from 1 | parts, places |

The state of a thought is what it was made from; an improved one keeps that of the one it improves. A prompt may name
{question}, {input} (the first thought it reads), {inputs} (all that it is made from, numbered) and {part} (the part of
a split it descends from); one that names none of them stands behind the job's messages and the drafts. The check
python-score is told the same as `state`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, get_args

from anabranch.dag.actions import Check
from anabranch.dag.errors import DagError

FIELDS: Mapping[str, tuple[str, ...]] = {
    "generate": ("prompt", "count"),
    "improve": ("prompt", "below"),
    "aggregate": ("prompt", "count"),
    "score": ("prompt", "verifier", "spec"),
    "validate-and-improve": ("prompt", "judge_prompt", "verifier", "spec", "least", "tries"),
    "keep-best": ("count",),
    "keep-valid": ("least",),
    "split": ("form",),
    "select": ("parts", "places"),
}
"""What each operation reads, besides id, op and after."""

_TEXTS = {"type": "array", "items": {"type": "string"}}
SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "id": {"type": "string"},
    "op": {"type": "string", "enum": list(FIELDS)},
    "after": _TEXTS,
    "prompt": {"type": "string"},
    "judge_prompt": {"type": "string"},
    "count": {"type": "integer", "minimum": 1, "maximum": 64},
    "least": {"type": "number"},
    "below": {"type": "number"},
    "tries": {"type": "integer", "minimum": 1, "maximum": 16},
    "verifier": {"type": "string", "enum": list(get_args(Check))},
    "spec": {"type": "object"},
    "form": {"type": "string", "enum": ["json", "list", "lines", "paragraphs"]},
    "parts": _TEXTS,
    "places": {"type": "array", "items": {"type": "integer"}},
}
"""JSON Schema of each field."""
OPERATIONS_SCHEMA: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": dict(SCHEMAS),
        "required": ["id", "op"],
        "additionalProperties": False,
    },
}


class BadGraph(DagError):
    """A graph that cannot be carried out. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation, with all its fields."""

    id: str
    op: str
    after: tuple[str, ...] = ()
    prompt: str = ""
    """What is asked; empty takes the operation's usual words."""
    judge_prompt: str = ""
    count: int = 1
    least: float = 0.5
    below: float | None = None
    tries: int = 3
    verifier: Check | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    form: str = "json"
    parts: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    rest: bool = False
    """Score only what has no score yet."""

    @property
    def reads_results(self) -> bool:
        """Whether it must wait until its inputs have ended and been judged; the others begin at once and read later."""
        by_check = self.op == "score" and (self.verifier is not None or self.rest)
        return self.op in {"keep-best", "keep-valid", "split"} or self.below is not None or by_check


USUAL: tuple[Mapping[str, Any], ...] = (
    {"id": "drafts", "op": "generate", "count": 4},
    {"id": "marks", "op": "score", "after": ["drafts"]},
    {"id": "best", "op": "keep-best", "after": ["marks"], "count": 2},
    {"id": "better", "op": "improve", "after": ["best"]},
    {"id": "answer", "op": "aggregate", "after": ["better"]},
)
"""Four drafts, the two best improved, and one answer made of them."""


def read_operations(raw: Sequence[Mapping[str, Any]]) -> list[Operation]:
    """The operations of a graph, each behind those it comes after; the last one gives the answer. What is made of
    others is taken apart. Raises BadGraph."""
    operations = {each.id: each for each in map(_read, raw)}
    if not operations or len(operations) < len(raw):
        raise BadGraph("it has no operation" if not raw else "two of its operations have the same id")
    for each in operations.values():
        for other in each.after:
            if other not in operations:
                raise BadGraph(f"operation {each.id!r} comes after {other!r}, which does not exist")
    ordered = _in_order(operations)
    read = {other for each in ordered for other in each.after}
    last = [each.id for each in ordered if each.id not in read]
    if len(last) > 1:
        raise BadGraph(
            f"only one operation may give the answer, but nothing comes after {', '.join(sorted(last))}"
        )
    _refuse_scored_parts(ordered)
    return [primitive for each in ordered for primitive in _taken_apart(each)]


def _read(raw: Mapping[str, Any]) -> Operation:
    name, kind = raw.get("id"), raw.get("op")
    if not isinstance(name, str) or not isinstance(kind, str) or kind not in FIELDS:
        kinds = ", ".join(FIELDS)
        raise BadGraph(
            f"an operation needs an id and an op, one of {kinds}; this is none: {str(dict(raw))[:200]}"
        )
    strange = sorted(set(raw) - {"id", "op", "after", *FIELDS[kind]})
    if strange:
        raise BadGraph(
            f"operation {name!r} is a {kind}, which has {_listed(FIELDS[kind])}, but not {_listed(strange)}"
        )
    for field_name, value in raw.items():
        if not _fits(value, SCHEMAS[field_name]):
            raise BadGraph(f"operation {name!r} needs a {field_name} that is {_told(SCHEMAS[field_name])}")
    lists = {each: tuple(raw[each]) for each in ("after", "parts", "places") if each in raw}
    operation = Operation(**{**raw, **lists})
    if not operation.after and kind != "generate":
        raise BadGraph(f"operation {name!r} comes after nothing, so it has nothing to {kind}")
    if kind == "select" and not operation.parts and not operation.places:
        raise BadGraph(f"operation {name!r} selects nothing: it needs parts or places")
    if operation.verifier is None and operation.spec:
        raise BadGraph(f"operation {name!r} has a spec, but no verifier that reads it")
    return operation


_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "object": (Mapping,), "array": (list, tuple),
}  # fmt: skip


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value fits one of `SCHEMAS`."""
    if type(value) is bool or not issubclass(type(value), _JSON_TYPES[schema["type"]]):
        return False
    if "items" in schema:
        return all(_fits(each, schema["items"]) for each in value)
    if "minimum" in schema:
        return bool(schema["minimum"] <= value <= schema["maximum"])
    return "enum" not in schema or value in schema["enum"]


def _told(schema: Mapping[str, Any]) -> str:
    """A schema in words."""
    if "enum" in schema:
        return f"one of {_listed(schema['enum'])}"
    if "items" in schema:
        return f"a list, and each of it {_told(schema['items'])}"
    bounds = f" from {schema['minimum']} to {schema['maximum']}" if "minimum" in schema else ""
    return f"of the type {schema['type']}{bounds}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _in_order(operations: Mapping[str, Operation]) -> list[Operation]:
    """Each behind all it needs. Raises BadGraph where some wait for each other."""
    sorter = TopologicalSorter({each.id: each.after for each in operations.values()})
    try:
        return [operations[name] for name in sorter.static_order()]
    except CycleError as error:
        waiting = ", ".join(sorted(set(error.args[1])))
        raise BadGraph(f"these operations wait for each other: {waiting}") from error


def _refuse_scored_parts(ordered: list[Operation]) -> None:
    """A score is a branch's, and the parts of a split share one. Raises BadGraph where parts would be scored."""
    parts: set[str] = set()
    for each in ordered:
        given = parts.intersection(each.after)
        if each.op == "split" or (given and each.op in {"select", "keep-best"}):
            parts.add(each.id)
        elif given and (each.op in {"score", "validate-and-improve", "keep-valid"} or each.below is not None):
            raise BadGraph(
                f"operation {each.id!r} looks at scores of the parts that {', '.join(sorted(given))} gives, and parts "
                "have none: score what is made from them"
            )


def _taken_apart(operation: Operation) -> list[Operation]:
    """A validate-and-improve as checks and improvements in turn: the last check keeps its id. Others as they are."""
    if operation.op != "validate-and-improve":
        return [operation]
    check = replace(operation, op="score", prompt=operation.judge_prompt, rest=True)
    steps: list[Operation] = []
    inputs = operation.after
    for number in range(1, operation.tries):
        checked, improved = f"{operation.id} (check {number})", f"{operation.id} (try {number})"
        steps.append(replace(check, id=checked, after=inputs))
        better = replace(operation, op="improve", id=improved, after=(checked,), below=operation.least)
        steps.append(better)
        inputs = (improved,)
    return [*steps, replace(check, after=inputs)]
