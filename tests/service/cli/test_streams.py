"""A command can be started with any streams: what it cannot print is escaped, what is closed takes nothing."""

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from tests.service.cli.conftest import Books

from anabranch.service.cli.streams import ready_streams

COMMAND = f'exec "{sys.executable}" -c "from anabranch.service.cli import main; main()"'


def in_a_shell(arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = ["sh", "-c", f"{COMMAND} {arguments}"]
    return subprocess.run(
        command, check=False, input=b"", capture_output=True, env={**os.environ, **environment}
    )


def test_a_letter_that_the_encoding_lacks_is_escaped_and_json_stays_json(books: Books, settings: Any) -> None:
    books.job("Is → 😀 é?")
    ran = in_a_shell("jobs --json", PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout.decode("ascii"))[0]["question"] == "Is → 😀 é?"
    for_people = in_a_shell("jobs", PYTHONIOENCODING="latin-1")
    assert r"Is \u2192 \ud83d\ude00 é?" in for_people.stdout.decode("latin-1")


def test_what_is_no_letter_in_any_encoding_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", out)
    ready_streams()
    print('"\ud800é"', file=out, flush=True)
    assert out.buffer.getvalue().decode() == '"\\ud800é"\n'


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_takes_nothing_and_gives_nothing(closed: str, books: Books, settings: Any) -> None:
    books.job("What is asked?")
    listed = in_a_shell(f"jobs {closed}")
    assert (listed.returncode, listed.stderr) == (0, b"")
    assert (b"What is asked?" in listed.stdout) is (closed in {"<&-", "2>&-"})
    asked = in_a_shell(f"run - {closed}")
    told = (
        b""
        if "2>&-" in closed
        else b"anabranch: Invalid value: the question is empty (anabranch run --help)\n"
    )
    assert (asked.returncode, asked.stderr) == (2, told)
