"""A design alone says which jobs are asked for: run again, it asks for the same."""

from dataclasses import replace

from anabranch.dag.evaluation.design import Arm, Design, Grader, Task, TrialLimits, repeat_tasks

TASKS = tuple(
    Task(id=str(number), question=f"{number} + 1?", answer="…", grader=Grader("math")) for number in range(3)
)
DESIGN = Design(
    title="sums",
    tasks=TASKS,
    arms=(Arm(label="sequential", policy="sequential"), Arm(label="vote", policy="self-consistency")),
    seed=7,
)


def test_all_arms_have_the_same_seed_on_a_task() -> None:
    seeds = [DESIGN.seed_of(task) for task in TASKS]
    assert len(set(seeds)) == len(TASKS)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seeds == [replace(DESIGN, arms=DESIGN.arms[:1], title="other").seed_of(task) for task in TASKS]
    assert seeds != [replace(DESIGN, seed=8).seed_of(task) for task in TASKS]


def test_each_trial_has_a_key_of_its_own_that_changes_with_the_design() -> None:
    keys = {DESIGN.key_of("run", task, arm) for task in TASKS for arm in DESIGN.arms}
    assert len(keys) == 6
    assert all(key.isascii() and len(key) <= 255 and " " not in key for key in keys)
    other = replace(DESIGN, limits=TrialLimits(tokens=100))
    assert keys.isdisjoint({other.key_of("run", task, arm) for task in TASKS for arm in DESIGN.arms})
    assert keys.isdisjoint({DESIGN.key_of("again", task, arm) for task in TASKS for arm in DESIGN.arms})


def test_only_what_a_job_can_keep_to_is_given_to_it() -> None:
    limits = TrialLimits(tokens=100, seconds=2.5, critical_path_tokens=40)
    assert limits.of_job() == {"tokens": 100, "seconds": 2.5}
    assert TrialLimits().of_job() == {}


def test_a_repeat_is_a_task_with_a_seed_and_a_key_of_its_own() -> None:
    design = replace(DESIGN, tasks=repeat_tasks(TASKS, 3))
    assert [(task.id, task.repeats) for task in design.tasks[:4]] == [
        ("0", ""),
        ("0#2", "0"),
        ("0#3", "0"),
        ("1", ""),
    ]
    assert len({design.seed_of(task) for task in design.tasks}) == 9
    assert [design.seed_of(task) for task in design.tasks[::3]] == [DESIGN.seed_of(task) for task in TASKS]


def test_designs_of_a_release_without_repeats_go_on() -> None:
    """Their digest, and with it their keys, is what it was then."""
    assert repeat_tasks(TASKS, 1) == TASKS
    assert DESIGN.digest == "c49cb8f0b726fafab93def82625f8eac9ce754748f0ca6c8245010dbb4f00400"
