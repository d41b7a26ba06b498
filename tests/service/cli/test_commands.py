"""What each command prints, and how it ends: 0 done, 1 it failed, 2 it was asked for wrongly."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK
from anabranch.service.api.server import serve_api
from anabranch.service.settings import Settings
from anabranch.service.store.keys import digest
from anabranch.service.tenants.file import Tenants


def test_jobs_lists_the_newest_first(anabranch: Any, books: Any, answered: str) -> None:
    queued = books.job("And seven times eight?", policy="sequential")
    ran = anabranch("jobs")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[1].split()[:3] == [queued, "queued", "sequential"]
    assert lines[2].split()[:3] == [answered, "succeeded", "self-consistency"]
    listed = json.loads(anabranch("jobs", "--json", "--status", "succeeded").out)
    assert [job["id"] for job in listed] == [answered]
    sorted_ones = json.loads(anabranch("jobs", "--json", "--sort", "tokens").out)
    assert [job["id"] for job in sorted_ones] == [answered]  # what has not ended has no place yet


def test_show_draws_the_tree_and_tells_answer_and_cost(anabranch: Any, answered: str) -> None:
    ran = anabranch("show", answered)
    assert ran.code == 0
    assert "● 0 trunk  succeeded" in ran.out
    assert "0.2 sample  30 tokens" in ran.out
    assert "\n42\n" in ran.out
    assert "T 30 tokens" in ran.out
    assert "L 40 tokens" in ran.out
    assert "P 1.33" in ran.out
    assert "waste 0 tokens" in ran.out
    assert f"/jobs/{answered}" in ran.out


def test_show_as_json_is_the_job(anabranch: Any, answered: str) -> None:
    shown = json.loads(anabranch("show", answered, "--json").out)
    assert (shown["id"], shown["answer"]["text"]) == (answered, "42")


def test_watch_ends_as_the_job_does(anabranch: Any, books: Any, answered: str) -> None:
    assert anabranch("watch", answered).code == 0
    failed = books.job()
    books.does(
        books.write(
            failed, e.BranchFailed(cause="x"), e.JobFailed(type="x", title="It broke", detail="Badly.")
        )
    )
    ran = anabranch("watch", failed)
    assert ran.code == 1
    assert "It broke. Badly." in ran.out


def test_watch_as_json_is_one_event_a_line(anabranch: Any, answered: str) -> None:
    ran = anabranch("watch", answered, "--json")
    kinds = [json.loads(line)["kind"] for line in ran.out.splitlines()]
    assert (kinds[0], kinds[-1], ran.code) == ("JobSubmitted", "JobSucceeded", 0)


def test_cancel_is_recorded_for_whoever_has_the_job(anabranch: Any, books: Any, answered: str) -> None:
    job = books.job()
    assert "will be cancelled" in anabranch("cancel", job).out
    assert books.does(books.store.jobs.get(job)).cancel_requested
    assert anabranch("cancel", answered).out.strip() == f"{answered}: succeeded"


class TestApprove:
    @pytest.fixture
    def waiting(self, books: Any) -> str:
        job = books.job()
        asked = e.ApprovalRequested(branch=TRUNK, approval=1, gate="answer", subject="42")
        books.does(books.write(job, asked))
        return str(job)

    def decided(self, books: Any) -> Any:
        (row,) = books.does(books.store.jobs.list_approvals("decided"))
        return row

    def test_by_its_number(self, anabranch: Any, books: Any, waiting: str) -> None:
        assert anabranch("approve", waiting, "1").code == 0
        assert self.decided(books).decision == "approve"

    def test_with_an_edit(self, anabranch: Any, books: Any, waiting: str, tmp_path: Path) -> None:
        (tmp_path / "better.txt").write_text("43")
        assert anabranch("approve", waiting, "1", "--edit", str(tmp_path / "better.txt")).code == 0
        assert (self.decided(books).decision, self.decided(books).edit) == ("edit", "43")

    def test_rejected_with_a_reason(self, anabranch: Any, books: Any, waiting: str) -> None:
        assert anabranch("approve", waiting, "1", "--reject", "--reason", "no").code == 0
        assert (self.decided(books).decision, self.decided(books).reason) == ("reject", "no")

    def test_only_once(self, anabranch: Any, books: Any, waiting: str) -> None:
        approval = books.does(books.store.jobs.list_approvals("pending"))[0].id
        assert anabranch("approve", waiting, approval).code == 0
        again = anabranch("approve", waiting, approval, "--reject")
        assert again.code == 1
        assert "decided already" in again.err

    def test_a_gate_that_is_not_there(self, anabranch: Any, waiting: str) -> None:
        assert anabranch("approve", waiting, "2").code == 2


def test_policies_tell_what_they_are_for(anabranch: Any) -> None:
    assert "self-consistency" in anabranch("policies").out
    names = [policy["name"] for policy in json.loads(anabranch("policies", "--json").out)]
    assert "sequential" in names


class TestJournals:
    def test_an_untouched_journal_is_sound(self, anabranch: Any, answered: str) -> None:
        ran = anabranch("audit", answered)
        assert ran.code == 0
        assert "sound, 15 events" in ran.out

    def test_a_changed_record_is_named(self, anabranch: Any, answered: str, settings: Settings) -> None:
        _tamper(settings, "UPDATE events SET branch = '0.7' WHERE seq = 5")
        ran = anabranch("audit", answered)
        assert ran.code == 1
        assert "broken at seq 5: changed" in ran.out

    def test_a_changed_projection_is_named_and_rebuilt(
        self, anabranch: Any, answered: str, settings: Settings
    ) -> None:
        _tamper(settings, "UPDATE branches SET value = '41' WHERE branch = '0.1'")
        ran = anabranch("audit", answered)
        assert ran.code == 1
        assert "rebuild-projections" in ran.out
        assert anabranch("db", "rebuild-projections").code == 0
        assert anabranch("audit", answered).code == 0

    @pytest.mark.parametrize("form", ["jsonl", "perfetto", "otlp"])
    def test_exports_go_to_stdout_or_a_file(
        self, form: str, anabranch: Any, answered: str, tmp_path: Path
    ) -> None:
        ran = anabranch("export", answered, "--format", form)
        assert ran.code == 0
        assert json.loads(ran.out.splitlines()[0] if form == "jsonl" else ran.out)
        assert anabranch("export", answered, "--format", form, "-o", str(tmp_path / "out")).out == ""
        assert (tmp_path / "out").read_text() == ran.out

    def test_a_replay_tells_where_the_policy_diverges(self, anabranch: Any, answered: str) -> None:
        ran = anabranch("replay", answered, "--json")  # this journal was written by hand, not by the policy
        assert ran.code == 1
        told = json.loads(ran.out)
        assert told["same"] is False
        assert told["seq"] > 0

    def test_an_edited_replay_is_a_new_job(
        self, anabranch: Any, answered: str, tmp_path: Path, books: Any
    ) -> None:
        (tmp_path / "edit.txt").write_text("43")
        ran = anabranch("replay", answered, "--branch", "0.2", "--edit", str(tmp_path / "edit.txt"), "--json")
        assert ran.code == 0
        made = json.loads(ran.out)
        assert made["lineage"]["output"] == "43"
        assert books.does(books.store.jobs.get(made["id"])).status == "queued"

    def test_an_edit_needs_its_branch(self, anabranch: Any, answered: str, tmp_path: Path) -> None:
        (tmp_path / "edit.txt").write_text("43")
        assert anabranch("replay", answered, "--edit", str(tmp_path / "edit.txt")).code == 2


def _tamper(settings: Settings, statement: str) -> None:
    with closing(sqlite3.connect(settings.database.removeprefix("sqlite:///"))) as database:
        database.execute(statement)
        database.commit()


class TestRun:
    @pytest.fixture(autouse=True)
    def served(self, books: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with serve_api(settings) as url:
            monkeypatch.setenv("ANABRANCH_URL", url)
            yield

    def test_an_answered_question_exits_0(self, anabranch: Any, organizer: list[e.Event]) -> None:
        ran = anabranch(
            "run", "What is six times seven?", "--policy", "self-consistency", "--set", "n=2", "--seed", "5"
        )
        assert ran.code == 0, ran.err
        assert "0.1 sample" in ran.out
        assert "\n42\n" in ran.out
        assert "parallelism P" in ran.out

    def test_as_json_it_is_the_job(self, anabranch: Any, organizer: list[e.Event]) -> None:
        ran = anabranch(
            "run", "Why?", "--budget-tokens", "100", "--deadline", "30", "--model", "default", "--json"
        )
        job = json.loads(ran.out)
        assert (ran.code, job["status"], job["answer"]["text"]) == (0, "succeeded", "42")
        limited = {name: limit for name, limit in job["budget"].items() if limit is not None}
        assert limited == {"tokens": 100, "seconds": 30}
        assert job["model"] == "default"

    def test_a_failed_job_exits_1(self, anabranch: Any, organizer: list[e.Event]) -> None:
        organizer[:] = [e.BranchFailed(cause="x"), e.JobFailed(type="x", title="It broke")]
        ran = anabranch("run", "Why?")
        assert ran.code == 1
        assert "It broke" in ran.out

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--policy", "genius"],
            ["--policy", "self-consistency", "--set", "n=zero"],
            ["--policy", "self-consistency", "--set", "n"],
            ["--set", "n=3"],
            ["--budget-tokens", "-1"],
            ["--budget-tokens", "many"],
            ["--speed", "11"],
        ],
    )
    def test_bad_usage_exits_2_with_one_line(
        self, arguments: list[str], anabranch: Any, served: None
    ) -> None:
        ran = anabranch("run", "Why?", *arguments)
        assert ran.code == 2
        assert ran.out == ""
        assert len(ran.err.splitlines()) == 1
        assert ran.err.startswith("anabranch: ")


class TestErrors:
    """One line on stderr: what happened, what to do."""

    def test_a_job_that_is_not_there(self, anabranch: Any, books: Any) -> None:
        for command in ("show", "watch", "cancel", "audit", "replay"):
            ran = anabranch(command, "nobody")
            assert (ran.code, ran.out, ran.err) == (1, "", "anabranch: There is no job nobody.\n")

    def test_a_service_that_is_not_there(self, anabranch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANABRANCH_URL", "http://127.0.0.1:1")
        ran = anabranch("jobs")
        assert ran.code == 1
        assert "anabranch up" in ran.err
        assert len(ran.err.splitlines()) == 1

    def test_a_wrong_variable(self, anabranch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANABRANCH_PROT", "8000")
        ran = anabranch("jobs")
        assert ran.code == 2
        assert "did you mean ANABRANCH_PORT?" in ran.err

    def test_a_database_that_cannot_be_one(self, anabranch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANABRANCH_DATABASE", "mysql://nowhere/x")
        ran = anabranch("db", "check")
        assert ran.code == 2
        assert "sqlite:///FILE" in ran.err
        assert len(ran.err.splitlines()) == 1


class TestKeys:
    def test_a_new_key_is_told_once(
        self, anabranch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ANABRANCH_TENANTS", str(tmp_path / "tenants.json"))
        told = anabranch("keys", "new", "acme")
        assert told.code == 0
        caller = Tenants(tmp_path / "tenants.json").caller(digest(told.out.strip()))
        assert caller is not None
        assert caller.scope == "acme"
        shown = json.loads(anabranch("keys", "new", "us", "--operator", "--json").out)
        operator = Tenants(tmp_path / "tenants.json").caller(digest(shown["key"]))
        assert operator is not None
        assert operator.scope is None

    def test_there_must_be_a_file_for_one_that_is_to_be_kept_in_it(self, anabranch: Any) -> None:
        told = anabranch("keys", "new", "acme", "--in", "file")
        assert (told.code, told.err.count("\n")) == (2, 1)
        assert "ANABRANCH_TENANTS is not set" in told.err

    def test_up_refuses_a_file_that_is_wrong_before_it_starts_anything(
        self, anabranch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "tenants.json").write_text('{"acme": {"tokens_per_day": 5}}')
        monkeypatch.setenv("ANABRANCH_TENANTS", str(tmp_path / "tenants.json"))
        told = anabranch("up", "--engine", "scripted")
        assert (told.code, told.err.count("\n")) == (2, 1)
        assert "acme: Value error, tokens_per_day needs tokens_per_job" in told.err


def test_the_command_is_installed_and_helps(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from anabranch.service.cli import main; main()"]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert "run" in done.stdout
    wrong = subprocess.run([*command, "fly"], capture_output=True, text=True, check=False, timeout=60)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert len(wrong.stderr.splitlines()) == 1
