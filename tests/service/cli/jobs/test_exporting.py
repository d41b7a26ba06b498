"""Jobs are exported by what they have in common; the commands of docs/training-data.md run as they stand."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.service.cli.conftest import Books, Ran

Run = Callable[..., Ran]
PAGE = (Path(__file__).parents[4] / "docs" / "training-data.md").read_text(encoding="utf-8")


@pytest.fixture
def jobs(books: Books, voted: Any) -> list[str]:
    """Two jobs of self-consistency and one of another policy have ended; one runs."""
    ended = [books.job("Which?"), books.job("Which?"), books.job("Why?", policy="sequential")]
    for job in ended:
        books.does(books.write(job, *(record.event for record in voted.records[2:])))
    books.job("Not yet?")
    return ended


def lines(told: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told.split("\n") if line]


def test_only_ended_jobs_that_fit_are_exported_the_newest_first(anabranch: Run, jobs: list[str]) -> None:
    ran = anabranch("export", "--where", "policy=self-consistency", "--format", "rl")
    assert (ran.code, ran.err) == (0, "")
    assert [line["job"] for line in lines(ran.out)] == [jobs[1], jobs[0]]
    assert len({line["group"] for line in lines(ran.out)}) == 1
    assert [line["job"] for line in lines(anabranch("export", "--limit", "1", "--format", "rl").out)] == [
        jobs[2]
    ]
    assert anabranch("export", "--since", "2999-01-01", "--format", "rl").out == ""
    everything = lines(anabranch("export", "--since", "2020-01-01T00:00Z", "--format", "sft").out)
    assert [line["job"] for line in everything] == [job for job in reversed(jobs) for _ in range(2)]
    both = anabranch("export", "--where", "seed=7", "--where", "q=Why", "--format", "rl")
    assert [line["job"] for line in lines(both.out)] == [jobs[2]]


def test_parquet_has_the_same_rows(anabranch: Run, jobs: list[str], tmp_path: Path) -> None:
    file = tmp_path / "sft.parquet"
    assert anabranch("export", jobs[0], "--format", "sft", "-o", str(file)).code == 0
    assert pq.read_table(file).to_pylist() == lines(anabranch("export", jobs[0], "--format", "sft").out)


@pytest.mark.parametrize("name", ["raw.jsonl", "sft.parquet"])
def test_an_export_that_fails_leaves_the_file_that_was_there(
    name: str, anabranch: Run, jobs: list[str], tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text("yesterday's")
    assert anabranch("export", "no-such-job", "--format", "sft", "-o", str(file)).code == 1
    assert file.read_text() == "yesterday's"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "give either JOB, or --where"),
        (("some-job", "--limit", "3"), "give either JOB, or --where"),
        (("--where", "colour=red"), "KEY is one of status, policy"),
        (("--where", "policy"), "give KEY=VALUE"),
        (("--since", "yesterday"), "give a date or a time"),
    ],
)
def test_what_cannot_be_exported_is_refused(anabranch: Run, arguments: tuple[str, ...], why: str) -> None:
    ran = anabranch("export", *arguments, "--format", "sft")
    assert ran.code == 2
    assert why in ran.err
    perfetto = anabranch("export", "--limit", "1", "--format", "perfetto")
    assert "perfetto is of one job" in perfetto.err


def test_the_pages_commands_run(
    anabranch: Run, jobs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = "".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)).splitlines()
    assert len(commands) == 3
    for command in commands:
        assert anabranch(*shlex.split(command)[1:]).code == 0, command
    assert len(lines(Path("sft.jsonl").read_text())) == 4
    assert lines(Path("rl.jsonl").read_text()) == []
    assert [row["job"] for row in pq.read_table("rl.parquet").to_pylist()] == [jobs[1], jobs[0]]


def test_the_page_names_every_field(anabranch: Run, jobs: list[str]) -> None:
    (rollout,) = lines(anabranch("export", jobs[0], "--format", "rl").out)
    trajectory = lines(anabranch("export", jobs[0], "--format", "trajectory").out)[0]
    for field in {*rollout, *rollout["calls"][0], *trajectory, *trajectory["spans"][0]}:
        assert f"`{field}`" in PAGE, field
