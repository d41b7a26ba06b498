"""What `anabranch db` says of the store and does with it: schema, old jobs, settings that name what is not there."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.releases import copy_migrations, program_with, write_migration

from anabranch.dag import events as e
from anabranch.service.settings import Settings
from anabranch.service.store.sql.revisions import newest, revisions


def test_a_database_that_is_behind_names_the_command(anabranch: Any) -> None:
    ran = anabranch("db", "check")
    assert ran.code == 1
    assert "anabranch db upgrade" in ran.err
    assert anabranch("db", "upgrade").code == 0
    assert anabranch("db", "check").out.strip() == "current"


def test_an_upgrade_tells_what_it_did_and_may_be_run_again(anabranch: Any, tmp_path: Path) -> None:
    at = ("--database", f"sqlite:///{tmp_path}/other.db")
    lines = anabranch("db", "upgrade", *at).out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        *(f"applied {one.name}" for one in revisions()),
        "upgraded",
    ]
    assert anabranch("db", "upgrade", *at).out.startswith(f"nothing to do: the schema is at {newest()}")
    again = json.loads(anabranch("db", "upgrade", *at, "--json").out)
    assert again == {
        "status": "upgraded",
        "applied": [],
        "revision": newest(),
        "usable_from": revisions()[-1].usable_from,
        "pending": [],
    }
    assert json.loads(anabranch("db", "check", *at, "--json").out)["programs"] == []


def test_on_the_schema_of_a_newer_release_the_check_tells_that_it_can_be_used(
    anabranch: Any, tmp_path: Path
) -> None:
    at = ("--database", f"sqlite:///{tmp_path}/newer.db")
    folder = copy_migrations(tmp_path / "next")
    name = write_migration(folder, "Adds a table.", 'op.create_table("later", sa.Column("n", sa.Integer))')
    with program_with(folder):
        assert f"applied {name}: Adds a table." in anabranch("db", "upgrade", *at).out
    usable = f"the schema is at {name}, and can be used by programs that know {revisions()[-1].usable_from}"
    assert anabranch("db", "check", *at).out == f"newer: {usable}; this one knows up to {newest()}\n"
    assert json.loads(anabranch("db", "check", *at, "--json").out)["status"] == "newer"
    assert anabranch("db", "upgrade", *at).out.startswith("nothing to do: ")


def test_without_a_database_the_check_says_so_and_names_the_command(
    anabranch: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = settings.state / "nowhere"
    monkeypatch.setenv("ANABRANCH_STATE", str(nowhere))
    ran = anabranch("db", "check")
    assert ran.code == 1
    told = f"There is no database at {nowhere}/anabranch.db. Run `anabranch db upgrade`: it makes one."
    assert ran.err == f"anabranch: {told}\n"
    assert not nowhere.exists()
    assert anabranch("db", "upgrade").code == 0
    assert anabranch("db", "check").code == 0


def test_the_check_refuses_a_policy_and_a_script_that_are_not_there(
    anabranch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anabranch("db", "upgrade")
    with monkeypatch.context() as changed:
        changed.setenv("ANABRANCH_POLICY", "plann")
        told = anabranch("db", "check")
        assert (told.code, told.err.count("\n")) == (2, 1)
        assert "ANABRANCH_POLICY: there is no policy 'plann'" in told.err
    script = tmp_path / "script.json"
    monkeypatch.setenv("ANABRANCH_ENGINE", "scripted")
    monkeypatch.setenv("ANABRANCH_SCRIPT", str(script))
    for written in (None, "{", "[]", "{}", '{"rules": [{"says": "7"}]}', '{"rules": [{"matches": "("}]}'):
        if written is not None:
            script.write_text(written)
        told = anabranch("db", "check")
        assert (told.code, told.err.count("\n")) == (2, 1), written
        assert f"ANABRANCH_SCRIPT: {script} " in told.err
    script.write_text('{"rules": [{"matches": "why", "text": "7"}]}')
    assert anabranch("db", "check").code == 0


class TestOldJobs:
    def test_a_purged_job_comes_back_from_its_export(
        self, anabranch: Any, answered: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "job.jsonl"
        anabranch("export", answered, "--format", "jsonl", "-o", str(file))
        assert anabranch("db", "purge", "--days", "0", "--status", "failed").out == "purged 0 jobs\n"
        assert anabranch("db", "purge", "--days", "0").out == "purged 1 jobs\n"
        assert anabranch("show", answered).code == 1
        assert anabranch("db", "import", str(file)).out == f"imported {answered}\n"
        assert "42" in anabranch("show", answered).out
        assert anabranch("audit", answered).code == 0

    def test_a_text_with_line_ends_that_json_leaves_alone_comes_back(
        self, anabranch: Any, books: Any, tmp_path: Path
    ) -> None:
        question, file = "one\x85two\u2028three\u2029four\x0cfive\x1csix", tmp_path / "job.jsonl"
        job = books.job(question)
        books.does(books.write(job, e.BranchCancelled(reason="enough"), e.JobCancelled(reason="enough")))
        file.write_bytes(anabranch("export", job, "--format", "jsonl").out.encode())
        assert anabranch("db", "purge", "--days", "0").out == "purged 1 jobs\n"
        assert anabranch("db", "import", str(file)).out == f"imported {job}\n"
        assert json.loads(anabranch("show", job, "--json").out)["question"] == question

    def test_an_empty_file_is_no_journal(self, anabranch: Any, books: Any, tmp_path: Path) -> None:
        file = tmp_path / "job.jsonl"
        file.touch()
        assert "it is empty" in anabranch("db", "import", str(file)).err

    def test_a_packed_journal_is_shown_audited_and_exported_as_before(
        self, anabranch: Any, answered: str, settings: Settings
    ) -> None:
        with sqlite3.connect(settings.state / "anabranch.db") as file:
            file.execute("UPDATE jobs SET finished_at = '2026-01-01T00:00:00.000000Z'")
        before = anabranch("export", answered, "--format", "jsonl").out
        assert anabranch("db", "pack", "--days", "1").out == "made 1 packs\n"
        assert anabranch("db", "pack", "--days", "1").out == "made 0 packs\n"
        assert anabranch("export", answered, "--format", "jsonl").out == before
        assert "42" in anabranch("show", answered).out

    def test_a_changed_export_is_refused_in_one_line(
        self, anabranch: Any, answered: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "job.jsonl"
        anabranch("export", answered, "--format", "jsonl", "-o", str(file))
        anabranch("db", "purge", "--days", "0")
        file.write_text(file.read_text().replace("42", "43"))
        told = anabranch("db", "import", str(file))
        assert (told.code, told.err.count("\n")) == (1, 1)
        assert "is changed. Nothing was written." in told.err
