"""Reads tasks from a file of JSON lines.

A line is `{"question": …, "answer": …, "grader": …, "id": …}`. The grader is a name, or an object with its `kind` and
what that kind needs; left out, it is `math`. The id is the line's number where it is left out. A file is refused whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anabranch.dag.evaluation.design import Grader, Task
from anabranch.service.bounded_json import BadJson, read_json
from anabranch.service.evaluation.errors import BadTasks
from anabranch.service.evaluation.graders import check_task

MAX_BYTES = 64 << 20
MAX_TASKS = 5000
KNOWN = {"id", "question", "answer", "grader"}


def read_tasks(path: Path, limit: int | None = None) -> tuple[Task, ...]:
    """The tasks of a file, or the first `limit` of them. Raises BadTasks, which names the line."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadTasks(f"{path} is larger than {MAX_BYTES >> 20} MiB; split it")
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # other line ends may stand in texts
    except (OSError, UnicodeDecodeError) as error:
        raise BadTasks(f"{path} cannot be read: {error}") from error
    written = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    tasks = tuple(_read_line(path, number, line) for number, line in written)
    if not tasks:
        raise BadTasks(f"{path} holds no task; write one JSON object to a line")
    if len(tasks) > MAX_TASKS:
        raise BadTasks(f"{path} holds {len(tasks)} tasks, more than {MAX_TASKS}; split it")
    seen: set[str] = set()
    for task in tasks:
        if task.id in seen:
            raise BadTasks(f"{path}: two tasks have the id {task.id!r}")
        seen.add(task.id)
    return tasks[:limit]


def _read_line(path: Path, number: int, line: str) -> Task:
    where = f"{path}:{number}"
    try:
        told = read_json(line)
    except (BadJson, ValueError) as error:
        raise BadTasks(f"{where} is no JSON: {error}") from error
    if (
        not isinstance(told, dict)
        or not isinstance(told.get("question"), str)
        or not told["question"].strip()
    ):
        raise BadTasks(f'{where} has no question; write {{"question": "…", "answer": "…"}}')
    if unknown := sorted(told.keys() - KNOWN):
        raise BadTasks(f"{where} has {unknown[0]!r}, which no task has; known are {', '.join(sorted(KNOWN))}")
    answer = told.get("answer")
    task = Task(
        id=str(told.get("id", number)),
        question=told["question"],
        answer=None if answer is None else _as_text(answer),
        grader=_read_grader(where, told.get("grader", "math")),
    )
    try:
        check_task(task)
    except ValueError as error:
        raise BadTasks(f"{where}: {error}") from error
    return task


def _as_text(answer: Any) -> str:
    """Numbers may be written as numbers."""
    return answer if isinstance(answer, str) else str(answer)


def _read_grader(where: str, told: Any) -> Grader:
    match told:
        case str():
            return Grader(told)
        case {"kind": str(kind), **spec}:
            return Grader(kind, {str(name): value for name, value in spec.items()})
        case Mapping():
            raise BadTasks(f'{where}: a grader has a "kind"')
        case _:
            raise BadTasks(f'{where}: a grader is a name, or an object with a "kind"')
