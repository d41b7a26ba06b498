"""The dashboard's sources without a browser: its modules' own tests, its size, and that it counts as Python does."""

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from tests.browser.journals import FORESTS, STORIES, Event, journal

from anabranch.dag.analysis.graph import build
from anabranch.dag.analysis.metrics import longest_path, metrics_of
from anabranch.dag.events import Record
from anabranch.dag.ids import JobId
from anabranch.dag.state import JobState, apply
from anabranch.service.store.codec import decode

DASHBOARD = Path(__file__).parents[2] / "service" / "dashboard"
LINES = 300


def node(*arguments: str) -> str:
    """What a Node program printed. Fails when it failed; skips where Node or the packages are missing."""
    if shutil.which("node") is None or not (DASHBOARD / "node_modules").exists():
        pytest.skip("node or its packages are not here: make ui")
    done = subprocess.run(["node", *arguments], cwd=DASHBOARD, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources() -> list[Path]:
    return [path for folder in ("src", "tests") for path in (DASHBOARD / folder).rglob("*.ts*")]


def records(events: list[Event]) -> list[Record]:
    """The journal as Python reads it, judged by the transition table."""
    state = JobState()
    found = []
    for event in events:
        decoded = decode(event["kind"], event["branch"], event["payload"])
        apply(state, decoded)
        found.append(
            Record(
                job=JobId(event["job"]),
                seq=event["seq"],
                epoch=event["epoch"],
                at=datetime.fromisoformat(event["at"]),
                event=decoded,
                prev_hash="",
                hash="",
            )
        )
    return found


@pytest.mark.parametrize("name", [*STORIES, *FORESTS])
def test_the_page_finds_the_graph_and_the_metrics_that_python_finds(name: str, tmp_path: Path) -> None:
    events = journal(name, nodes=300)
    (tmp_path / "journal.json").write_text(json.dumps(events), encoding="utf-8")
    shown = json.loads(node("scripts/metrics.mjs", str(tmp_path / "journal.json")))
    read = records(events)
    graph = build(read)
    metrics = metrics_of(graph)
    for metric in ("critical_path_tokens", "total_tokens", "waste_tokens", "branches"):
        assert shown[metric] == getattr(metrics, metric), metric
    for metric in ("parallelism", "wall_seconds", "queue_seconds"):
        assert shown[metric] == pytest.approx(getattr(metrics, metric), abs=0.002), metric
    assert shown["critical_nodes"] == list(longest_path(graph)[1])
    edges = [(source, target, str(kind)) for source, target, kind in graph.edges()]
    assert sorted(map(tuple, shown["edges"])) == sorted(edges)


def test_its_modules_pass_their_own_tests() -> None:
    node("node_modules/vitest/vitest.mjs", "run")


def test_a_first_load_stays_small() -> None:
    if not (DASHBOARD / "static" / "index.html").exists():
        pytest.skip("the dashboard was not built: make ui")
    assert "of 120.0 kB at first" in node("scripts/bundleSize.mjs")


def test_text_never_becomes_markup() -> None:
    ways = (
        "dangerouslySetInnerHTML",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    )
    assert not [
        (path.name, way) for path in sources() for way in ways if way in path.read_text(encoding="utf-8")
    ]


def test_its_files_are_small_too() -> None:
    long = {
        path.name: count for path in sources() if (count := len(path.read_text("utf-8").splitlines())) > LINES
    }
    assert not long


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((DASHBOARD / "package-lock.json").read_text(encoding="utf-8"))
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
