"""`anabranch demo`, whole: real processes, one of which is really killed; and what its lines are made of."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anabranch.client import Event
from anabranch.service.cli.demo.story import LONGEST, tell

COMMAND = [sys.executable, "-c", "from anabranch.service.cli import main; main()", "demo"]
LAST = "Ctrl-C ends the demonstration"


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[list[str], str]]:
    """The lines of a whole demonstration, until it only serves; and the address that it gave the browser."""
    browser, asked = tmp_path / "browser", tmp_path / "asked"
    browser.write_text(f'#!/bin/sh\necho "$1" > {asked}\n')
    browser.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    strange = {
        "ANABRANCH_DATABASE": "sqlite:////proc/nowhere",
        "ANABRANCH_ENGINE": "vllm",
    }  # it minds none of these
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANABRANCH_")}
    environment = kept | strange | {"BROWSER": str(browser), "TMPDIR": str(tmp_path / "tmp")}
    errors = (tmp_path / "err.txt").open("w")
    with (
        errors,
        subprocess.Popen(
            COMMAND, env=environment, text=True, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        try:
            assert process.stdout is not None
            lines: list[str] = []
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.startswith(LAST):
                    break
            assert lines and lines[-1].startswith(LAST), (lines, (tmp_path / "err.txt").read_text())
            yield lines, asked.read_text().strip()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            assert list((tmp_path / "tmp").glob("anabranch-demo-*")) == [], "it leaves nothing behind"
        finally:
            process.kill()


def where(lines: list[str], pattern: str) -> tuple[int, str]:
    """The only line that this pattern is found in, and what its group is."""
    found = [(place, match) for place, line in enumerate(lines) if (match := re.search(pattern, line))]
    assert len(found) == 1, (pattern, lines)
    place, match = found[0]
    return place, match.group(1) if match.groups() else ""


def owners(lines: list[str]) -> list[str]:
    """Processes of the organizers that took the job, one after the other."""
    return re.findall(r"organizer \S+/(\d+) takes (?:the job|it over)", "\n".join(lines))


@pytest.mark.timeout(240)
def test_the_demonstration_shows_what_it_says(told: tuple[list[str], str]) -> None:
    lines, shown = told
    parts = [where(lines, rf"^{number}\. ")[0] for number in (1, 2, 3)]
    first, second, third = (
        lines[start:end] for start, end in zip(parts, (*parts[1:], len(lines)), strict=True)
    )

    assert f"   {shown}" in first, "the browser shows the first job"
    at, killed = where(first, r"organizer process (\d+) is killed")
    assert owners(first[:at])[-1] == killed  # one that a busy machine stood still for may have lost it before
    with pytest.raises(ProcessLookupError):
        os.kill(int(killed), 0)
    assert owners(first[at:])
    assert killed not in owners(first[at:])
    grown = [place for place, line in enumerate(first) if "is forked" in line]
    assert len(grown) == 6
    assert where(first, r"the answer: (.*)")[1] == "It costs 380 euros: enough, and 120 are left."

    assert where(second, "a branch is refused: the job's budget of branches is spent")
    assert sum("is forked" in line for line in second) == 3
    assert where(second, "the job has succeeded")

    assert where(third, r"So only (.*) ran again; 0\.1, 0\.2, 0\.3, 0\.4 did not\.")[1] == "0.5, 0.6"
    assert where(third, r"the answer: (.*)")[1] == "It costs 640 euros: 140 more than there are."
    assert where(third, r"sound: (.*)")[1] == "2 of 2"


def event(kind: str, *, epoch: int = 1, **payload: Any) -> Event:
    at = "2026-11-27T23:00:00Z"
    fields = {
        "job": "j",
        "seq": 9,
        "epoch": epoch,
        "at": at,
        "kind": kind,
        "branch": "0.1",
        "payload": payload,
    }
    return Event.model_validate(fields)


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (event("JobClaimed", owner="h/1", attempt=1), "organizer h/1 takes the job"),
        (
            event("JobClaimed", epoch=2, owner="h/2", attempt=1),
            "organizer h/2 takes it over, and goes on behind event 8",
        ),
        (event("ForkRejected", reason="budget:tokens"), "a branch is refused: the job's budget of tokens is spent"),
        (event("ForkRejected", reason="approval"), "a branch is refused: approval"),
        (
            event("SegmentFinished", decoded={"recalled_from": "0123456789", "engine": "scripted"}),
            "branch 0.1 is not decoded again: it is taken from job …456789",
        ),
        (
            event("SegmentFinished", decoded={"recalled_from": "0123456789", "engine": "edit"}),
            "branch 0.1 says what a person made of it",
        ),
        (event("SegmentFinished", decoded={}), None),
        (event("BranchReturned", value="\x1b[31mred\n"), "branch 0.1 returns: [31mred"),
        (event("OfANewerRelease"), None),
    ],
)  # fmt: skip
def test_a_line_says_what_the_event_says(happened: Event, line: str | None) -> None:
    assert tell(happened) == line


def test_a_long_text_is_cut() -> None:
    line = tell(event("BranchReturned", value="word " * 100))
    assert line is not None
    assert len(line) == len("branch 0.1 returns: ") + LONGEST
