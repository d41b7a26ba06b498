"""Task files: a line is a task; a file is refused whole, with the line that is wrong."""

from pathlib import Path

import pytest

from anabranch.dag.evaluation.design import Grader, Task
from anabranch.service.evaluation.errors import BadTasks
from anabranch.service.evaluation.task_files import read_tasks


def written(folder: Path, text: str) -> Path:
    file = folder / "tasks.jsonl"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_line_is_a_task(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '{"question": "1 + 1?", "answer": 2}\n\n'
        '{"id": "wh", "question": "Why?", "answer": "so", "grader": "exact"}\n'
        '{"question": "Who?", "grader": {"kind": "regex", "pattern": "Bob|Eve"}}\n',
    )
    assert read_tasks(file) == (
        Task(id="1", question="1 + 1?", answer="2", grader=Grader("math")),
        Task(id="wh", question="Why?", answer="so", grader=Grader("exact")),
        Task(id="4", question="Who?", grader=Grader("regex", {"pattern": "Bob|Eve"})),
    )
    assert len(read_tasks(file, limit=2)) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no task"),
        ('{"question": "1?", "answer": "1"}\n{"question": ', ":2 is no JSON"),
        ('["question"]', ":1 has no question"),
        ('{"question": " ", "answer": "1"}', ":1 has no question"),
        ('{"question": "1?", "anwser": "1"}', ":1 has 'anwser'"),
        ('{"question": "1?"}', ":1: the math grader needs answer"),
        ('{"question": "1?", "grader": "vibes"}', ":1: there is no grader 'vibes'"),
        ('{"question": "1?", "grader": {"pattern": "a"}}', ':1: a grader has a "kind"'),
        ('{"question": "1?", "grader": 7}', ":1: a grader is a name"),
        ('{"id": "a", "question": "1?", "answer": "1"}\n' * 2, "two tasks have the id 'a'"),
        ("[" * 100_000, ":1 is no JSON"),
    ],
)
def test_a_bad_file_is_refused_whole(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BadTasks) as refused:
        read_tasks(written(tmp_path, text))
    assert why in str(refused.value)


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    file = written(
        tmp_path, '{"question": "a\u2028b\u0085c?", "answer": "1"}\r\n{"question": "d?", "answer": "1"}\r\n'
    )
    assert [task.question for task in read_tasks(file)] == ["a\u2028b\u0085c?", "d?"]


def test_a_mark_of_the_encoding_before_the_first_line_is_none_of_it(tmp_path: Path) -> None:
    file = written(tmp_path, '\ufeff{"question": "d?", "answer": "1"}\n')
    assert [task.question for task in read_tasks(file)] == ["d?"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadTasks, match="cannot be read"):
        read_tasks(tmp_path / "nowhere.jsonl")
