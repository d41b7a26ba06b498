"""`anabranch simulate`, as a user runs it; the commands of docs/simulation.md among them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.dag.simulation.engines.test_fitting import journals_of
from tests.service.cli.conftest import Books, Ran

from anabranch.dag.simulation.engines.step_time import StepTime

PAGE = Path(__file__).parents[4] / "docs" / "simulation.md"

SMALL = """\
cluster: {decode_rates: {1: 100, 8: 500}, replicas: 2, gpu_hour: 1}
arrivals: {poisson: 3, jobs: 12}
jobs:
  - {policy: self-consistency, params: {n: 3}, output_tokens: 30}
"""

MANY_FAULTS = """\
cluster: {replicas: 0, step: {base: 0.01}, gpus: 3}
arrivals: {poisson: true, jobs: 1}
jobs: [{policy: nope}, {policy: best-of-n, params: {nn: 3}}, {weight: 1}]
"""
TOLD_OF_THEM = (
    "cluster.replicas: .*; cluster.gpus: there is no such field; arrivals.poisson: .*; "
    "jobs.0: there is no policy 'nope'.*; jobs.1: params.nn: there is no such field; "
    "jobs.2: give either policy or recorded"
)


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's cluster.yaml in it, in which commands run."""
    folder = tmp_path / "work"
    folder.mkdir()
    [written] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "cluster.yaml").write_text(written, encoding="utf-8")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def commands_of_the_page() -> list[tuple[list[str], str]]:
    """Each command with what the page says it prints."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        command, _, printed = block.partition("\n")
        found.append((command.removeprefix("$ anabranch ").split(), printed))
    return found


def test_the_pages_commands_print_what_it_says(
    described: Path, anabranch: Callable[..., Ran], answered: str
) -> None:
    for arguments, printed in commands_of_the_page():
        if "fit" in arguments:
            continue  # of real jobs: below
        ran = anabranch(*arguments)
        assert (ran.code, ran.err) == (0, "")
        if printed:
            told = [line.rstrip() for line in ran.out.splitlines()]
            assert told == [line.rstrip() for line in printed.splitlines()], f"{arguments} prints:\n{ran.out}"
    assert (described / "latency.svg").read_bytes().startswith(b"<?xml")


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(
    described: Path, anabranch: Callable[..., Ran]
) -> None:
    def told(*more: str) -> tuple[str, bytes, bytes]:
        ran = anabranch("simulate", "small.yaml", "--json", "--plot", "a.png", "--plot", "a.svg", *more)
        assert ran.code == 0, ran.err
        return ran.out, (described / "a.png").read_bytes(), (described / "a.svg").read_bytes()

    first = told()
    assert told() == first
    assert told("--seed", "5")[0] != first[0]
    swept = anabranch("simulate", "small.yaml", "--json", "--replicas", "1,2", "--plot", "swept.png")
    points = json.loads(swept.out)["points"]
    assert [point["label"] for point in points] == ["1 replica", "2 replicas"]
    assert points[1]["kinds"] == json.loads(first[0])["points"][0]["kinds"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("cluster: [", "line"),
        ("", "it must be a mapping"),
        (MANY_FAULTS, TOLD_OF_THEM),
        (SMALL + "sweep: {width: [0], policy: [x]}", "sweep.policy.0: there is no policy 'x'"),
        (
            SMALL.replace("decode_rates: {1: 100, 8: 500}, ", ""),
            "cluster: give either step .* or decode_rates",
        ),
    ],
)
def test_all_that_is_wrong_is_told_in_one_line_with_its_place(
    described: Path, anabranch: Callable[..., Ran], written: str, told: str
) -> None:
    (described / "bad.yaml").write_text(written, encoding="utf-8")
    ran = anabranch("simulate", "bad.yaml")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert re.search(rf"^anabranch: bad.yaml: {told}", ran.err), ran.err


def test_options_are_refused_before_anything_is_simulated(
    described: Path, anabranch: Callable[..., Ran]
) -> None:
    for arguments, told in (
        (("--plot", "a.txt"), "its name ends with .png or .svg"),
        (("--replicas", "1,x"), "give numbers"),
        (("--width", "2000"), "self-consistency has its width by n"),
        (("--policy", "nope"), "there is no policy 'nope'"),
    ):
        ran = anabranch("simulate", "small.yaml", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert told in ran.err
    ran = anabranch("simulate", "small.yaml", "--plot", "/proc/nowhere/x.svg")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)


def test_recorded_jobs_are_asked_again_with_what_they_wrote(
    described: Path, anabranch: Callable[..., Ran], answered: str
) -> None:
    (described / "recorded.yaml").write_text(
        SMALL.replace(
            "{policy: self-consistency, params: {n: 3}, output_tokens: 30}", f"{{recorded: [{answered}]}}"
        ),
        encoding="utf-8",
    )
    ran = anabranch("simulate", "recorded.yaml", "--json")
    assert ran.code == 0, ran.err
    [_, kind] = json.loads(ran.out)["points"][0]["kinds"]
    assert (kind["kind"], kind["jobs"], kind["succeeded"]) == ("recorded", 12, 12)
    assert kind["total_tokens"] > kind["critical_path_tokens"] > 0


def test_step_times_are_fitted_to_jobs_of_the_store(
    described: Path, anabranch: Callable[..., Ran], books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Printed as a description has them, so they can be pasted into one."""
    step = StepTime(points=((1, 0.012), (2, 0.014)), per_prefill_token=2e-5)
    jobs = []
    for records in journals_of(step, monkeypatch):
        events = [record.event for record in records[2:]]
        if all(event.branch == "0" for event in events):
            jobs.append(books.job(policy="sequential"))
            books.does(books.write(jobs[-1], *events))
    assert len(jobs) > 10
    ran = anabranch("simulate", "fit", *jobs)
    assert ran.code == 0, ran.err
    assert re.search(
        r"^# fitted on \d+ decodes: R² [0-9.]+; half of them are told within", ran.out, re.MULTILINE
    )
    arrivals = SMALL.partition("\n")[2]
    (described / "fitted.yaml").write_text(ran.out + arrivals, encoding="utf-8")
    assert anabranch("simulate", "fitted.yaml").code == 0
    assert json.loads(anabranch("simulate", "fit", *jobs, "--json").out)["step"]["base"] > 0


def test_of_too_few_decodes_nothing_is_fitted(
    described: Path, anabranch: Callable[..., Ran], answered: str
) -> None:
    ran = anabranch("simulate", "fit", answered)
    assert (ran.code, ran.out) == (2, "")
    assert "nothing can be fitted: " in ran.err
