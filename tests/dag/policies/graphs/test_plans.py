"""A plan is believed only after it was checked: what is refused, in which words, and what a checked plan promises."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.policies.graphs.plan import EXAMPLES, BadPlan, Plan, Subtask, plan_schema, read_plan


def task(name: str, *after: str) -> dict[str, Any]:
    return {"id": name, "question": f"What is {name}?", "after": list(after)}


def written(*tasks: dict[str, Any]) -> str:
    return json.dumps({"subtasks": list(tasks), "synthesis": "Add them."})


def read(text: str) -> Plan:
    return read_plan(text, width=4, depth=3)


def test_a_plan_is_read_whatever_is_written_around_it() -> None:
    plan = read(f"Here is the plan:\n```json\n{written(task('a'), task('b', 'a', 'a'))}\n```\nGood luck!")
    assert plan == Plan(
        subtasks=(
            Subtask(id="a", question="What is a?"),
            Subtask(id="b", question="What is b?", after=("a",)),
        ),
        synthesis="Add them.",
    )


@pytest.mark.parametrize("text", ['{"direct": true}', '{"subtasks": []}'])
def test_a_plan_may_decline_to_fork(text: str) -> None:
    assert read(text).subtasks == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("I would first look at the notebooks.", "it is no JSON object"),
        ('{"subtasks": [{"id": "a", "ques', "it is no JSON object"),
        ('{"subtasks": [}', "it is no JSON: Expecting value: line 1 column 15 (char 14)"),
        ('{"direct": false}', 'it needs a list "subtasks" of objects'),
        ('{"subtasks": ["a"]}', 'it needs a list "subtasks" of objects'),
        (written({"question": "What?"}), 'each subtask needs an "id"'),
        (written({"id": "a", "question": " "}), "subtask 'a' needs a \"question\""),
        (written(task("a") | {"after": "b"}), "\"after\" of subtask 'a' must be a list of ids"),
        (written(task("a"), task("a")), "the id 'a' is used more than once"),
        (written(task("a"), task("b", "c")), "subtask 'b' comes after 'c', which does not exist"),
        (written(task("a", "a")), "these subtasks wait for each other: a"),
        (written(task("a", "b"), task("b", "a")), "these subtasks wait for each other: b, a"),
        (written(*map(task, "abcde")), "it has 5 subtasks; at most 4 are allowed"),
        (
            written(task("a"), task("b", "a"), task("c", "b"), task("d", "c")),
            "4 subtasks wait one behind the other; at most 3 are allowed",
        ),
    ],
)
def test_a_bad_plan_is_refused_in_words_its_author_can_act_on(text: str, problem: str) -> None:
    with pytest.raises(BadPlan) as refused:
        read(text)
    assert str(refused.value) == problem


def test_waves_put_each_subtask_behind_all_it_needs() -> None:
    plan = read(written(task("d", "b", "c"), task("a"), task("b", "a"), task("c")))
    assert [[each.id for each in wave] for wave in plan.waves()] == [["a", "c"], ["b"], ["d"]]


names = st.sampled_from(["t1", "t2", "t3", "t4", "t5"])
loose_tasks = st.fixed_dictionaries(
    {"id": names, "question": st.text(), "after": st.lists(names, max_size=3)}
)


@given(st.lists(loose_tasks, min_size=1, max_size=6))
def test_whatever_is_written_a_plan_that_passes_can_be_carried_out(tasks: list[dict[str, Any]]) -> None:
    try:
        plan = read_plan(written(*tasks), width=5, depth=4)
    except BadPlan:
        return
    done: set[str] = set()
    for wave in plan.waves():
        assert all(done.issuperset(each.after) for each in wave)
        done |= {each.id for each in wave}
    assert len(done) == len(plan.subtasks) == len(tasks) <= 5
    assert len(plan.waves()) <= 4
    assert read_plan(plan.as_json(), width=5, depth=4) == plan


@st.composite
def plans_under_the_schema(draw: st.DrawFn, width: int) -> dict[str, Any]:
    """What structured decoding can write: every form the schema has, filled at random."""
    tasks = []
    for i in range(draw(st.integers(2, width))):
        earlier = [f"t{j}" for j in range(1, i + 1)]
        after = draw(st.lists(st.sampled_from(earlier), max_size=i)) if earlier else []
        question = draw(st.text(st.characters(codec="utf-8"), min_size=8, max_size=160).filter(str.strip))
        tasks.append({"id": f"t{i + 1}", "question": question, "after": after})
    return {"subtasks": tasks, "synthesis": draw(st.text(min_size=1, max_size=120))}


@given(plans_under_the_schema(width=5))
def test_what_is_decoded_under_the_schema_is_a_valid_plan(raw: dict[str, Any]) -> None:
    jsonschema.validate(raw, plan_schema(5))
    assert len(read_plan(json.dumps(raw), width=5, depth=5).subtasks) == len(raw["subtasks"])


@pytest.mark.parametrize(
    "raw",
    [
        {"subtasks": [task("t1"), task("t1")], "synthesis": "x"},
        {"subtasks": [task("t1", "t2"), task("t2")], "synthesis": "x"},
        {"subtasks": [task("t1")], "synthesis": "x"},
        {"subtasks": [task(f"t{i}") for i in range(1, 7)], "synthesis": "x"},
        {"direct": False},
        {},
    ],
)
def test_the_schema_leaves_no_room_for_a_bad_plan(raw: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(raw, plan_schema(5))


def test_what_planners_are_shown_fits_the_schema() -> None:
    for plan in EXAMPLES.values():
        jsonschema.validate(json.loads(plan.as_json()), plan_schema(3))
