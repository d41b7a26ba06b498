"""Each grader accepts what is right however it is written, and nothing else; what cannot be judged is told."""

from collections.abc import Mapping
from typing import Any

import pytest

from anabranch.dag.evaluation.design import Grader, Task
from anabranch.service.evaluation.built_in import SETS, make_tasks
from anabranch.service.evaluation.errors import BadTasks, GraderFailed
from anabranch.service.evaluation.graders import check_task, grade
from anabranch.workers.checks import verifiers


def task(kind: str, answer: str | None = None, **spec: Any) -> Task:
    return Task(id="1", question="Why?", answer=answer, grader=Grader(kind, spec))


def nobody(question: str, spec: Mapping[str, Any]) -> str:
    raise AssertionError("only judges ask")


CASES = [
    (task("math", "1/2"), "So it is \\boxed{0.5}.", "The answer is 2."),
    (task("math", "18"), "She makes 18 dollars.", "She makes 19 dollars."),
    (task("exact", "bob"), "The answer is bob", "The answer is Bob"),
    (task("exact", "a  b\nc"), "a b c", "a b"),
    (task("choice", "B"), "Thus the correct option is (B).", "The answer is (C)."),
    (task("choice", "B", options=["red", "deep blue"]), "The answer is deep blue", "The answer is red"),
    (task("choice", "deep blue", options=["red", "deep blue"]), "The answer is (b)", "The answer is (A)"),
    (task("regex", pattern=r"^yes\b"), "yes, it is", "no, yes"),
    (task("regex", r"\d{3}"), "it is 123", "it is 12"),
    (task("json-schema", schema={"type": "object", "required": ["n"]}), '{"n": 1}', '{"m": 1}'),
    (
        task("python-tests", tests=["assert double(2) == 4"]),
        "```python\ndef double(x):\n    return 2 * x\n```",
        "```python\ndef double(x):\n    return x\n```",
    ),
]


@pytest.mark.parametrize(
    ("asked", "right", "wrong"), CASES, ids=lambda case: getattr(getattr(case, "grader", None), "kind", "")
)
def test_a_grader_tells_right_from_wrong(asked: Task, right: str, wrong: str) -> None:
    check_task(asked)
    assert grade(asked, right, nobody) == (1.0, "")
    score, why = grade(asked, wrong, nobody)
    assert score < 1.0
    assert why


@pytest.mark.parametrize(
    "name", ["countdown", "mini_sudoku", "word_sorting", "zebra_puzzles", "chain_sum", "gsm_symbolic"]
)
def test_a_sets_own_answers_are_right_however_they_are_told(name: str) -> None:
    (made,) = make_tasks(name, 1, seed=11)
    check_task(made)
    assert made.answer is not None
    for form in ("{}", "First 3 and 4.\n\n{}", "```\n{}\n```" if "\n" in made.answer else "So it is **{}**"):
        assert grade(made, form.format(made.answer), nobody) == (1.0, "")
    assert grade(made, "I think it is 7.77, or Zoe", nobody)[0] == 0.0


def test_countdown_takes_any_way_to_the_target_and_no_other() -> None:
    (made,) = make_tasks("countdown", 1, seed=7)
    state = {"numbers": [2, 3, 4], "target": 20}
    asked = Task(id="1", question="", grader=Grader("python-score", {**made.grader.spec, "state": state}))
    for right in ("4 * (2 + 3)", "(3+2)*4 = 20", "\\boxed{4 \\times (3 + 2)}", "(2 + 3) × 4"):
        assert grade(asked, right, nobody)[0] == 1.0, right
    for wrong in ("4 * 5", "4 * (2 + 3) + 4 - 4", "2 * 3 * 4", "4 * (2 + 3", "__import__('os')", "20"):
        assert grade(asked, wrong, nobody)[0] == 0.0, wrong


def test_the_same_name_seed_and_count_are_the_same_questions() -> None:
    assert make_tasks("chain-sum", 3, seed=5) == make_tasks("chain-sum", 3, seed=5)
    assert make_tasks("chain-sum", 3, seed=5) != make_tasks("chain-sum", 3, seed=6)
    with pytest.raises(BadTasks, match=", ".join(sorted(SETS))):
        make_tasks("chess", 3, seed=5)


def test_a_judge_is_asked_and_its_word_counts() -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []

    def judge(question: str, spec: Mapping[str, Any]) -> str:
        asked.append((question, spec))
        return said

    judged = task("judge", "Paris", instructions="Spelling does not matter.", model="big")
    said = "right"
    assert grade(judged, "<think>hm</think>It is Pariss", judge) == (1.0, "")
    (question, spec) = asked[0]
    assert all(part in question for part in ("Why?", "Paris", "It is Pariss", "Spelling does not matter."))
    assert "hm" not in question
    assert spec["model"] == "big"
    said = "wrong"
    assert grade(judged, "It is Rome", judge)[0] == 0.0
    said = "maybe"
    with pytest.raises(GraderFailed, match="maybe"):
        grade(judged, "It is Rome", judge)


def test_a_pattern_that_searches_for_ever_is_the_answers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifiers, "SECONDS", 1)
    score, why = grade(task("regex", pattern=r"(a+)+$"), "a" * 40 + "b", nobody)
    assert (score, why) == (0.0, "the check took longer than it may")


def test_a_check_that_cannot_be_used_is_nobodys_answer() -> None:
    with pytest.raises(GraderFailed, match="regex"):
        grade(task("regex", pattern="("), "anything", nobody)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (task("vibes"), "no grader 'vibes'"),
        (task("math"), "needs answer"),
        (task("json-schema"), "needs schema"),
        (task("regex"), "needs pattern"),
    ],
)
def test_a_grader_that_lacks_something_is_refused(asked: Task, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_task(asked)
