"""An evaluation from the command line, against a service: killed in the midst, it goes on, and no job is run twice."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scripted_service import serve_scripted

from anabranch.client import BadInput, Client, Conflict
from anabranch.dag.evaluation.design import Arm, Design, Grader, Task, TrialLimits, repeat_tasks
from anabranch.service.cli import main
from anabranch.service.client.evaluations import Evaluation
from anabranch.service.evaluation.arms import read_arms
from anabranch.service.evaluation.built_in import SETS
from anabranch.service.evaluation.graders import GRADERS
from anabranch.service.evaluation.run import run_evaluation
from anabranch.service.evaluation.task_files import read_tasks
from anabranch.service.settings import Settings
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest

N = 5
COMMAND = "from anabranch.service.cli import main; main()"
ARMS = "sequential,self-consistency:n=3"


def recite(request: DecodeRequest) -> Line:
    """Right where the decode's seed is even, so that policies differ, and always in the same way."""
    return Line(
        text="so we think for a while, and the answer is 42" if request.seed % 2 else "It is \\boxed{7}"
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(state=tmp_path_factory.mktemp("served"), port=0, engine="scripted")
    with serve_scripted(settings, lambda: ScriptedEngine(recite, tokens_per_second=40)) as served:
        yield served


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as opened:
        yield opened


def design(**changed: Any) -> Design:
    tasks = tuple(
        Task(id=str(n), question=f"What is six times seven, {n}?", answer="42", grader=Grader("math"))
        for n in range(N)
    )
    arms = (
        Arm(label="sequential", policy="sequential"),
        Arm(label="vote", policy="self-consistency", params={"n": 3}),
    )
    return Design(**{"title": "sums", "tasks": tasks, "arms": arms, "seed": 3, **changed})


def told(found: Evaluation) -> Any:
    """What does not depend on the clock: L does, where a vote is decided and what still runs is cancelled."""
    arms = [(arm.trials, arm.right, arm.interval, arm.critical_path_tokens) for arm in found.reports]
    return arms, [(d.accuracy, d.gained, d.lost, d.interval, d.p_value, d.speedup) for d in found.differences]


def test_it_is_killed_and_goes_on_to_the_same_table(client: Client, tmp_path: Path) -> None:
    tasks = tmp_path / "sums.jsonl"
    tasks.write_text(
        "".join(
            json.dumps({"question": f"Killed: what is six times seven, {n}?", "answer": "42"}) + "\n"
            for n in range(N)
        )
    )

    def begin(run: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "eval", str(tasks), "--policies", ARMS, "--seed", "3",
             "--at-once", "2", "--run", run, "--json"],
            env={**os.environ, "ANABRANCH_URL": client.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    first = begin("killed")
    while not any(one.run == "killed" and one.judged >= 2 for one in client.evaluations()):
        assert first.poll() is None, first.communicate()
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    before = client.evaluation("killed")
    assert 2 <= before.judged < 2 * N
    again = begin("killed")
    resumed, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert json.loads(resumed)["judged"] == 2 * N
    after = client.evaluation("killed")
    asked = Design(title="sums", tasks=read_tasks(tasks), arms=read_arms(ARMS), seed=3)
    whole = run_evaluation(client, "whole", asked, at_once=4, tell=lambda _: None)
    assert told(after) == told(whole)
    assert set(before.trials) <= set(after.trials)
    jobs = [job.id for job in client.list(q="Killed:") if job.metadata["evaluation"] == "killed"]
    assert sorted(jobs) == sorted(trial.job for trial in after.trials)
    assert len(jobs) == 2 * N


def test_all_arms_have_the_same_questions_seeds_and_limits(client: Client) -> None:
    limits = TrialLimits(tokens=500, seconds=60.0, critical_path_tokens=5)
    asked = design(limits=limits, sampling={"temperature": 0.3}, title="limits")
    heard: list[int] = []
    found = run_evaluation(client, "limits", asked, at_once=4, tell=heard.append)
    assert sum(heard) == found.judged == 2 * N
    for task in asked.tasks:
        one, other = (client.get(trial.job) for trial in found.trials if trial.task == task.id)
        assert (one.question, one.seed, one.budget, one.sampling) == (
            other.question,
            other.seed,
            other.budget,
            other.sampling,
        )
        assert (one.budget.tokens, one.budget.seconds, one.sampling.temperature) == (500, 60.0, 0.3)
        assert {one.policy.name, other.policy.name} == {"sequential", "self-consistency"}
    assert [report.right for report in found.reports] == [0, 0], (
        "each T is above 5 tokens, so all answers are late"
    )
    assert run_evaluation(client, "limits", asked, at_once=4, tell=heard.append) == found


def test_what_the_service_refuses_ends_it_before_a_job(client: Client) -> None:
    wrong = design(arms=(Arm(label="x", policy="self-consistency", params={"n": 0}),))
    with pytest.raises(BadInput, match=r"arms\.0\.params\.n"):
        run_evaluation(client, "refused", wrong, at_once=2, tell=lambda _: None)
    run_evaluation(client, "taken", design(tasks=design().tasks[:1]), at_once=2, tell=lambda _: None)
    with pytest.raises(Conflict, match="choose another name"):
        run_evaluation(client, "taken", design(seed=9), at_once=2, tell=lambda _: None)


def test_a_judge_is_a_job_of_its_own(client: Client) -> None:
    task = Task(id="1", question="What is judged here?", answer="42", grader=Grader("judge"))
    found = run_evaluation(client, "judged", design(tasks=(task,)), at_once=1, tell=lambda _: None)
    judges = [job for job in client.list(q="Grade an answer") if job.metadata.get("judge")]
    assert len(judges) == 2
    assert {job.id for job in judges}.isdisjoint(trial.job for trial in found.trials)
    assert all(job.answer_format and job.answer_format.choice == ("right", "wrong") for job in judges)
    said = {job.metadata["arm"]: job.answer.text for job in judges if job.answer}
    assert {trial.arm: trial.score for trial in found.trials} == {
        arm: float(text == "right") for arm, text in said.items()
    }
    assert all("What is judged here?" in job.question for job in judges)


PAGE = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")


def blocks(language: str) -> str:
    return "".join(re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))


def test_the_pages_commands_run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_URL", url)
    monkeypatch.chdir(tmp_path)
    Path("tasks.jsonl").write_text(blocks("json"))
    commands = [shlex.split(line) for line in blocks("sh").splitlines()]
    assert len(commands) > 5
    for name, *arguments in commands:
        assert name == "anabranch"
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0, arguments
    assert Path("first.svg").read_text().count(f"{url}/evaluations/first?arm=sequential") >= 3
    assert Path("first.png").stat().st_size > 10_000


def test_the_page_names_every_set_and_every_grader() -> None:
    named = set(re.findall(r"`([a-z-]+)`", PAGE[PAGE.index("The sets are") : PAGE.index("## It goes on")]))
    assert named == {name.replace("_", "-") for name in SETS}
    graders = PAGE[PAGE.index("## Graders") : PAGE.index("## Over REST")]
    assert set(re.findall(r"^\| `([a-z-]+)`", graders, re.MULTILINE)) == set(GRADERS)


def test_each_task_is_asked_again_with_another_seed(client: Client) -> None:
    asked = design(title="again", tasks=repeat_tasks(design().tasks[:2], 3))
    found = run_evaluation(client, "again", asked, at_once=4, tell=lambda _: None)
    assert [arm.trials for arm in found.reports] == [6, 6]
    seeds = {client.get(trial.job).seed for trial in found.trials}
    assert len(seeds) == 6
    right = found.reports[0].right
    assert found.reports[0].interval.high - found.reports[0].interval.low > 0.5  # two tasks, however often
    assert [task["repeats"] for task in found.design["tasks"][:3]] == ["", "0", "0"]
    assert 0 <= right <= 6
