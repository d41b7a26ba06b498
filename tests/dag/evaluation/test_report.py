"""What an evaluation says: of each arm, of each against the first, and which are worth their cost."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.dag.evaluation.report import AXES, Trial, frontier, report


def trial(arm: str, task: int, *, right: bool = True, path: int = 100, total: int = 100) -> Trial:
    return Trial(
        task=str(task),
        arm=arm,
        job=f"job-{arm}-{task}",
        status="succeeded",
        score=1.0 if right else 0.5,
        critical_path_tokens=path,
        total_tokens=total,
        waste_tokens=total - path,
        wall_seconds=float(task),
        cost=total / 1000,
    )


PAIRED = [
    trial("one", 1), trial("one", 2, right=False), trial("one", 3, right=False), trial("one", 4),
    trial("vote", 1, path=50, total=200), trial("vote", 2, path=50, total=200),
    trial("vote", 3, path=50, total=200), trial("vote", 4, right=False, path=50, total=200),
]  # fmt: skip


def test_an_arm_is_told_with_its_accuracy_and_its_cost() -> None:
    one, vote = report(["one", "vote"], PAIRED, seed=0).arms
    assert (one.right, one.trials, one.accuracy, one.mean_score) == (2, 4, 0.5, 0.75)
    assert (vote.right, vote.accuracy) == (3, 0.75)
    assert (vote.critical_path_tokens, vote.total_tokens, vote.parallelism, vote.waste) == (
        50,
        200,
        4.0,
        0.75,
    )
    assert (vote.wall_seconds, vote.median_wall_seconds, vote.cost) == (2.5, 2.5, 0.2)
    assert vote.interval.low < 0.75 < vote.interval.high
    assert vote.jobs == ("job-vote-1", "job-vote-2", "job-vote-3", "job-vote-4")


def test_an_arm_is_compared_with_the_first_task_by_task() -> None:
    (found,) = report(["one", "vote"], PAIRED, seed=0).differences
    assert (found.arm, found.baseline, found.pairs, found.gained, found.lost) == ("vote", "one", 4, 2, 1)
    assert found.accuracy == 0.25
    assert found.p_value == 1.0
    assert found.interval.low < 0.25 < found.interval.high
    assert (found.critical_path_tokens, found.speedup) == (-50, 2.0)
    assert (found.critical_path_interval.low, found.critical_path_interval.high) == (-50, -50)


def test_only_what_both_were_judged_on_is_compared() -> None:
    (found,) = report(["one", "vote"], [*PAIRED[:3], *PAIRED[4:]], seed=0).differences
    assert (found.pairs, found.gained, found.lost) == (3, 2, 0)


def test_nothing_judged_yet_says_nothing() -> None:
    found = report(["one", "vote"], [], seed=0)
    assert [(arm.trials, arm.accuracy, arm.parallelism) for arm in found.arms] == [(0, 0.0, 1.0)] * 2
    assert [(arm.interval.low, arm.interval.high) for arm in found.arms] == [(0.0, 1.0)] * 2
    assert found.differences[0].speedup is None
    assert set(found.frontiers.values()) == {()}


def test_an_answer_beyond_the_critical_path_is_wrong() -> None:
    one, vote = report(["one", "vote"], PAIRED, seed=0, longest=99).arms
    assert (one.right, vote.right) == (0, 3)


def test_the_frontier_is_what_nobody_beats_for_its_cost() -> None:
    found = report(["one", "vote"], PAIRED, seed=0)
    assert found.frontiers["critical_path_tokens"] == ("vote",)
    assert found.frontiers["total_tokens"] == ("one", "vote")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8))
def test_every_arm_is_on_the_frontier_or_beaten(points: list[tuple[int, int]]) -> None:
    template = report(["one", "vote"], PAIRED, seed=0).arms[0]
    arms = [
        replace(template, arm=str(place), accuracy=accuracy / 4, total_tokens=cost)
        for place, (accuracy, cost) in enumerate(points)
    ]
    best = frontier(arms, AXES["total_tokens"])
    on = [arm for arm in arms if arm.arm in best]
    for arm in arms:
        beaten = any(o.total_tokens <= arm.total_tokens and o.accuracy >= arm.accuracy for o in on)
        assert beaten
    accuracies = [arm.accuracy for arm in sorted(on, key=lambda arm: arm.total_tokens)]
    assert accuracies == sorted(set(accuracies))


@settings(max_examples=10)
@given(st.permutations(PAIRED))
def test_the_order_in_which_trials_end_changes_nothing(shuffled: list[Trial]) -> None:
    ordered = sorted(shuffled, key=lambda each: (each.task, each.arm))
    found, before = report(["one", "vote"], shuffled, seed=5), report(["one", "vote"], ordered, seed=5)
    assert found.differences == before.differences
    assert found.frontiers == before.frontiers
    assert [arm.accuracy for arm in found.arms] == [pytest.approx(arm.accuracy) for arm in before.arms]


def test_repeats_of_a_task_count_as_one_task_for_what_is_sure() -> None:
    """Three tasks, each asked four times, on which an arm is always the same: no surer than three tasks asked once."""
    tasks = (1, 2, 3)
    once = [
        *(trial("one", task, right=task == 1) for task in tasks),
        *(trial("vote", task) for task in tasks),
    ]
    again = [replace(each, task=f"{each.task}#{number}") for each in once for number in (2, 3, 4)]
    repeats = {each.task: each.task.partition("#")[0] for each in again}
    few = report(["one", "vote"], once, seed=3)
    many = report(["one", "vote"], [*once, *again], seed=3, repeats=repeats)
    assert [arm.trials for arm in many.arms] == [12, 12]
    for before, after in zip(few.arms, many.arms, strict=True):
        assert (after.accuracy, after.interval.low) == pytest.approx((before.accuracy, before.interval.low))
    (by_few,), (by_many,) = few.differences, many.differences
    assert (by_many.pairs, by_many.gained, by_many.p_value) == (12, 8, by_few.p_value)
    assert by_many.interval == by_few.interval
    surer = report(["one", "vote"], [*once, *again], seed=3)
    assert surer.differences[0].p_value < by_few.p_value
