"""Describes a plan: the parts of a question, and what each part needs first. Written by a model (or edited by a
person) as JSON, and believed only after it was checked.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from anabranch.dag.analysis.graph import find_cycle
from anabranch.dag.errors import DagError
from anabranch.dag.text import Message, say

QUESTION_LENGTH = 160
SYNTHESIS_LENGTH = 120
"""Characters: a bounded form, so that structured decoding comes to its end within `tokens_for`."""


class BadPlan(DagError):
    """A plan that cannot be carried out. The message says why, in words that its author can act on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtask:
    id: str
    question: str
    after: tuple[str, ...] = ()
    """Subtasks whose results it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Without subtasks: the question is answered directly."""

    subtasks: tuple[Subtask, ...] = ()
    synthesis: str = ""
    """How the answer follows from the results."""

    def waves(self) -> list[tuple[Subtask, ...]]:
        """The subtasks, each behind all that it needs; those of one wave need nothing of each other. No cycle may be
        in the plan."""
        waves: list[tuple[Subtask, ...]] = []
        placed: set[str] = set()
        while len(placed) < len(self.subtasks):
            free = (task for task in self.subtasks if task.id not in placed and placed.issuperset(task.after))
            waves.append(tuple(free))
            placed.update(task.id for task in waves[-1])
        return waves

    def as_json(self) -> str:
        """The form in which a plan is written, read and edited."""
        form = asdict(self) if self.subtasks else {"direct": True}
        return json.dumps(form, separators=(",", ":"), ensure_ascii=False)


INSTRUCTION = """\
You plan how a team answers a question. Split it into 2 to {width} subtasks, each one short question that makes sense \
alone, with the names and numbers it needs. "after" lists the subtasks whose results it needs: none for a subtask that \
can start at once. "synthesis" says how the answer follows from the results. Only if the question is a single step, \
write {{"direct":true}}."""

EXAMPLES = {
    "What is the capital of Peru?": Plan(),
    "How much older is Rome than the capital of Australia?": Plan(
        subtasks=(
            Subtask(id="t1", question="When was Rome founded?"),
            Subtask(id="t2", question="What is the capital of Australia?"),
            Subtask(id="t3", question="When was the capital of Australia founded?", after=("t2",)),
        ),
        synthesis="Subtract the years of t1 and t3.",
    ),
}
"""As turns of a conversation before the question: told in one message, they make small models plan for Australia. The
one with subtasks comes last: the other way round, the smallest decline every question."""


def ask_for_plan(width: int) -> tuple[Message, ...]:
    """What a planner reads before the question."""
    shown = ((say("user", question), say("assistant", plan.as_json())) for question, plan in EXAMPLES.items())
    return (say("system", INSTRUCTION.format(width=width)), *(message for pair in shown for message in pair))


def plan_schema(width: int) -> dict[str, Any]:
    """JSON Schema of a plan. Subtask i is named ti and may only need earlier ones, so what is decoded under this schema
    has no cycle, no unknown and no duplicate name."""
    names = [f"t{i}" for i in range(1, width + 1)]
    subtasks = {
        "type": "array",
        "prefixItems": [_subtask_schema(name, names[:i]) for i, name in enumerate(names)],
        "items": False,
        "minItems": 2,
        "maxItems": width,
    }
    synthesis = {"type": "string", "minLength": 1, "maxLength": SYNTHESIS_LENGTH}
    return {"anyOf": [_object(subtasks=subtasks, synthesis=synthesis), _object(direct={"const": True})]}


def tokens_for(width: int) -> int:
    """Tokens within which a plan of this width ends, with room for scripts that take several tokens a letter."""
    return 128 + 192 * width


def _subtask_schema(name: str, earlier: list[str]) -> dict[str, Any]:
    after: dict[str, Any] = {"type": "array", "maxItems": len(earlier)}
    if earlier:
        after["items"] = {"enum": earlier}
    question = {"type": "string", "minLength": 8, "maxLength": QUESTION_LENGTH}
    return _object(id={"const": name}, question=question, after=after)


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_plan(text: str, *, width: int, depth: int) -> Plan:
    """The plan that stands in a text. Raises BadPlan."""
    raw = _json_in(text)
    if raw.get("direct") is True:
        return Plan()
    tasks = raw.get("subtasks")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise BadPlan('it needs a list "subtasks" of objects')
    plan = Plan(subtasks=tuple(map(_read_subtask, tasks)), synthesis=str(raw.get("synthesis") or ""))
    _check(plan, width, depth)
    return plan


def _json_in(text: str) -> dict[str, Any]:
    """The object between the first brace and the last, whatever is written around it."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise BadPlan("it is no JSON object")
    try:
        raw = json.loads(text[start : end + 1])
    except (ValueError, RecursionError) as error:
        raise BadPlan(f"it is no JSON: {error}") from error
    assert isinstance(raw, dict)  # it begins with a brace
    return raw


def _read_subtask(raw: dict[str, Any]) -> Subtask:
    name, question, after = raw.get("id"), raw.get("question"), raw.get("after", [])
    if not isinstance(name, str) or not name.strip():
        raise BadPlan('each subtask needs an "id"')
    if not isinstance(question, str) or not question.strip():
        raise BadPlan(f'subtask {name!r} needs a "question"')
    if not isinstance(after, list) or not all(isinstance(each, str) for each in after):
        raise BadPlan(f'"after" of subtask {name!r} must be a list of ids')
    return Subtask(id=name, question=question.strip(), after=tuple(dict.fromkeys(after)))


def _check(plan: Plan, width: int, depth: int) -> None:
    names = [task.id for task in plan.subtasks]
    if len(names) > width:
        raise BadPlan(f"it has {len(names)} subtasks; at most {width} are allowed")
    for name in names:
        if names.count(name) > 1:
            raise BadPlan(f"the id {name!r} is used more than once")
    for task in plan.subtasks:
        for other in task.after:
            if other not in names:
                raise BadPlan(f"subtask {task.id!r} comes after {other!r}, which does not exist")
    cycle = find_cycle((other, task.id) for task in plan.subtasks for other in task.after)
    if cycle:
        raise BadPlan(f"these subtasks wait for each other: {', '.join(cycle)}")
    if len(plan.waves()) > depth:
        raise BadPlan(f"{len(plan.waves())} subtasks wait one behind the other; at most {depth} are allowed")
