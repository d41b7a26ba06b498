"""The commands about evaluations: what is refused before a job is paid for, and what is shown of what was judged."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.service.cli.conftest import Books, Ran

from anabranch.dag.evaluation.design import Arm, Design, Grader, Task
from anabranch.dag.ids import JobId

Run = Callable[..., Ran]
DESIGN = Design(
    title="sums",
    tasks=(Task(id="1", question="What is six times seven?", answer="42", grader=Grader("math")),),
    arms=(Arm(label="one", policy="sequential"), Arm(label="vote", policy="self-consistency")),
)


@pytest.fixture
def judged(books: Books, answered: str) -> str:
    """An evaluation with one of its two trials judged; gives its job."""
    told: dict[str, Any] = json.loads(json.dumps(asdict(DESIGN)))
    evaluations = books.store.evaluations
    books.does(evaluations.create("anonymous", "sums-1", DESIGN.digest, told))
    row = books.does(evaluations.get("sums-1"))
    job = books.does(books.store.jobs.get(JobId(answered)))
    books.does(evaluations.judge(row, "1", "vote", job, 1.0, ""))
    return answered


def test_an_evaluation_is_listed_and_shown(anabranch: Run, judged: str) -> None:
    listed = anabranch("evaluations")
    assert (listed.code, listed.err) == (0, "")
    assert "sums-1  1/2     one, vote" in listed.out
    shown = anabranch("evaluations", "sums-1")
    assert "sums-1: 1 of 2 trials judged, 1 task\n" in shown.out
    assert "vote    1/1    100.0%    20.7 to 100.0  30  40  1.33" in shown.out
    assert "vote less one: +0.0% (0.0 to 0.0; 0 gained, 0 lost of 0; McNemar p = 1)" in shown.out
    assert "/evaluations/sums-1" in shown.out
    told = json.loads(anabranch("evaluations", "sums-1", "--json").out)
    assert [trial["job"] for trial in told["trials"]] == [judged]
    assert [one["run"] for one in json.loads(anabranch("evaluations", "--json").out)] == ["sums-1"]


def test_it_is_drawn(anabranch: Run, judged: str, tmp_path: Path) -> None:
    file = tmp_path / "sums.svg"
    assert anabranch("evaluations", "sums-1", "--plot", str(file)).code == 0
    assert "/evaluations/sums-1?arm=vote" in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("eval",), "give either TASKS or --demo"),
        (("eval", "x.jsonl", "--demo"), "give either TASKS or --demo"),
        (("eval", "nowhere.jsonl", "--policies", "sequential"), "nowhere.jsonl cannot be read"),
        (("eval", "chess", "--policies", "sequential"), "no such task set"),
        (("eval", "--demo", "--policies", "n=3"), "stands behind no policy"),
        (("eval", "--demo", "--plot", "x.pdf"), "ends with .png or .svg"),
        (("evaluations", "--plot", "x.png"), "--plot needs RUN"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_starts(
    anabranch: Run, arguments: tuple[str, ...], why: str
) -> None:
    ran = anabranch(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1


def test_a_plot_at_a_place_that_is_none_is_refused_before_a_job_is_paid_for(
    anabranch: Run, tmp_path: Path
) -> None:
    ran = anabranch("eval", "--demo", "--plot", "/proc/nowhere/x.svg")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "anabranch: /proc/nowhere/x.svg: No such file or directory; name a place that can be read and written\n"
    )
    assert list(tmp_path.iterdir()) == []
