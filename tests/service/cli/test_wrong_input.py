"""Whatever is wrong, a command ends with one line on stderr that names it and the mend: never with a traceback."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.databases import Databases

from anabranch.service.api.server import serve_api

Arguments = tuple[str, ...]


def told(ran: Any, code: int) -> str:
    """The one line."""
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran.err
    assert ran.err.startswith("anabranch: ")
    assert "Traceback" not in ran.err
    return str(ran.err)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fly",), "No such command 'fly'"),
        (("run",), "as an argument, by --file FILE, or by - for standard input"),
        (("run", "a", "--file", "b"), "give one question"),
        (("run", " "), "the question is empty"),
        (("run", "--file", "BINARY"), "is no text in UTF-8"),
        (("run", "--file", "NOWHERE"), "cannot be read: No such file"),
        (("run", "--file", "FOLDER"), "cannot be read: Is a directory"),
        (("run", "a", "--seed", "x"), "--seed"),
        (("policies", "nobody"), "there is no policy 'nobody'; there are: apr,"),
        (("policies", "plan", "--for", "math"), "a policy or --for"),
        (("policies", "--for", "poems"), "'math', 'list', 'code', 'open'"),
        (("jobs", "--status", "lost"), "'queued'"),
        (("jobs", "--limit", "0"), "--limit"),
        (("export", "x", "--format", "pdf"), "'jsonl', 'otlp', 'perfetto'"),
        (("approve", "x", "1", "--edit", "BINARY"), "is no text in UTF-8"),
        (("replay", "x", "--branch", "0.1", "--edit", "NOWHERE"), "cannot be read"),
        (("db", "import", "BINARY"), "is no text in UTF-8"),
        (("db", "import", "FOLDER"), "Is a directory"),
        (("db", "purge", "--days", "1e300"), "--days"),
        (("db", "purge", "--days", "nan"), "--days"),
        (("db", "check", "--database", "foo"), "sqlite:///FILE"),
        (
            ("db", "upgrade", "--database", "postgresql://h:port/x"),
            "postgresql://USER:PASSWORD@HOST:PORT/NAME",
        ),
        (("up", "--engine", "steam"), "'vllm', 'openai', 'scripted'"),
        (("up", "--port", "99999"), "ANABRANCH_PORT"),
        (("up", "--host", ""), "ANABRANCH_HOST"),
        (("up", "--replicas", "0"), "ANABRANCH_REPLICAS"),
        (("up", "--upstream", "foo"), "ANABRANCH_UPSTREAM_URL"),
        (("up", "--engine", "openai"), "ANABRANCH_UPSTREAM_URL"),
    ],
)
def test_wrong_arguments(arguments: Arguments, says: str, anabranch: Any, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\x00\xfe")
    places = {"BINARY": tmp_path / "binary", "NOWHERE": tmp_path / "nowhere", "FOLDER": tmp_path}
    ran = anabranch(*(str(places.get(one, one)) for one in arguments))
    assert says in told(ran, 2)


@pytest.mark.parametrize("url", ["foo", "http://", "http://[::1", "http://h:99999", "ftp://h", "http://h:x"])
def test_an_address_that_is_none(url: str, anabranch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_URL", url)
    assert told(anabranch("jobs"), 2) == (
        "anabranch: ANABRANCH_URL: use http://HOST:PORT, such as http://127.0.0.1:8000\n"
    )


@pytest.mark.parametrize(
    "script",
    [
        "no json", "[]", '{"rules": [{"text": 5}]}', '{"rules": [{"text": ["a", 5]}]}', '{"rules": {"a": 1}}',
        '{"rules": [{"text": "x", "branch": 5}]}', '{"rules": [{"text": "x", "after": "y"}]}',
        '{"rules": [], "tokens_per_second": "fast"}', '{"rules": [{"text": "x", "fault": {"cause": 5}}]}',
        '{"rules": [{"text": "x", "confidence": ["a"]}]}', '{"rules": [{"text": "x", "calls": [{"name": 5}]}]}',
    ],
)  # fmt: skip
def test_up_with_a_script_that_is_none(
    script: str, anabranch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script.json").write_text(script)
    monkeypatch.setenv("ANABRANCH_SCRIPT", str(tmp_path / "script.json"))
    assert "ANABRANCH_SCRIPT: " in told(anabranch("up", "--engine", "scripted", "--port", "0"), 2)


def _file(folder: Path) -> str:
    (folder / "taken").write_text("no database, and no folder")
    return str(folder / "taken")


@pytest.mark.parametrize(
    ("name", "value", "code", "says"),
    [
        ("ANABRANCH_STATE", _file, 2, "ANABRANCH_STATE: the folder"),
        ("ANABRANCH_STATE", lambda _: "/proc/nowhere", 2, "ANABRANCH_STATE: the folder /proc/nowhere cannot be made"),
        ("ANABRANCH_DATABASE", lambda folder: f"sqlite:///{_file(folder)}", 1, "file is not a database"),
        ("ANABRANCH_DATABASE", lambda folder: f"sqlite:///{folder}/no/x.db", 2, "there is no folder"),
        ("ANABRANCH_DATABASE", lambda _: "postgresql://u:secret@127.0.0.1:1/x", 1, "did not answer"),
    ],
)  # fmt: skip
def test_places_that_are_none(
    name: str, value: Callable[[Path], str], code: int, says: str, anabranch: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv(name, value(tmp_path))
    for command in (("jobs",), ("up", "--engine", "scripted", "--port", "0")):
        line = told(anabranch(*command), code)
        assert says in line
        assert "secret" not in line


def test_an_export_to_a_place_that_is_none(anabranch: Any, answered: str) -> None:
    line = told(anabranch("export", answered, "--format", "jsonl", "-o", "/proc/nowhere/x"), 1)
    assert (
        line
        == "anabranch: /proc/nowhere/x: No such file or directory; name a place that can be read and written\n"
    )


def test_a_key_file_at_a_place_that_is_none(anabranch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_TENANTS", "/proc/nowhere.json")
    assert "name a place" in told(anabranch("keys", "new", "acme"), 1)


def test_a_port_that_is_taken(anabranch: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        line = told(anabranch("up", "--engine", "scripted", "--port", str(port)), 1)
    assert f"cannot listen on 127.0.0.1:{port}" in line
    assert "choose another address with --host and --port" in line


@pytest.mark.postgres
def test_an_empty_database_is_told_the_command_that_works(anabranch: Any, tmp_path: Path) -> None:
    databases = Databases(tmp_path)
    try:
        url = databases.empty("postgres")
        line = told(anabranch("up", "--engine", "scripted", "--port", "0", "--database", url), 1)
        assert "Run `anabranch db upgrade --database URL` with the same URL." in line
        assert anabranch("db", "upgrade", "--database", url).code == 0
        assert anabranch("db", "check", "--database", url).code == 0
    finally:
        databases.close()


def test_a_wrong_key(anabranch: Any, answered: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = settings.state / "tenants.json"
    monkeypatch.setenv("ANABRANCH_TENANTS", str(path))
    assert anabranch("keys", "new", "acme").code == 0
    with serve_api(settings.model_copy(update={"tenants": path})) as url:
        monkeypatch.setenv("ANABRANCH_URL", url)
        monkeypatch.setenv("ANABRANCH_KEY", "ab-wrong")
        for command in (("jobs",), ("show", answered), ("run", "Why?"), ("policies",)):
            assert "ANABRANCH_KEY" in told(anabranch(*command), 1)
