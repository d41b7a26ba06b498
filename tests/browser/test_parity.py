"""The dashboard folds a journal to the same graph and the same metrics as Python does."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.dag.conftest import words, written

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import build
from anabranch.dag.analysis.metrics import longest_path, measure
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say
from anabranch.service.store.codec import encode

DASHBOARD = Path(__file__).parents[2] / "service" / "dashboard"

JOURNALS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "the paper's example": (
        "async-think",
        {"assist": "none", "c": 3},
        {
            "0": [
                f"{words(40, '<FORK-1>a</FORK-1>')} {words(30, '<FORK-2>b</FORK-2>')} {words(30, '<JOIN-1>')}",
                words(15, "<JOIN-2>"),
                words(30, "<ANSWER>59.76</ANSWER>"),
            ],
            "0.1": words(90, "<RETURN>39.95</RETURN>"),
            "0.2": words(60, "<RETURN>26.45</RETURN>"),
        },
    ),
    "a quorum": (
        "self-consistency",
        {"n": 5},
        {
            f"0.{i}": words(tokens, text)
            for i, (tokens, text) in enumerate(
                [(10, "19"), (20, "19"), (30, "18"), (40, "19"), (900, "word")], start=1
            )
        },
    ),
    "one line": ("sequential", {}, {"0": words(12)}),
}


def journal(name: str) -> list[e.Record]:
    policy, params, script = JOURNALS[name]
    spec = JobSpec(
        messages=(say("user", "q"),), policy=policy, params=params, sampling=Sampling(max_tokens=2000)
    )
    return Simulation(spec, written(script)).run()


def as_json(record: e.Record) -> dict[str, Any]:
    encoded = encode(record.event)
    return {
        "job": record.job,
        "seq": record.seq,
        "epoch": record.epoch,
        "at": record.at.isoformat(),
        "kind": encoded.kind,
        "branch": record.event.branch,
        "payload": json.loads(encoded.payload),
    }


@pytest.mark.parametrize("name", JOURNALS)
def test_the_dashboard_measures_what_python_measures(name: str, tmp_path: Path) -> None:
    if not (DASHBOARD / "node_modules").is_dir() or shutil.which("node") is None:
        reason = "the dashboard's tools are not installed: make ui"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    records = journal(name)
    written_to = tmp_path / "journal.json"
    written_to.write_text(json.dumps([as_json(record) for record in records]))
    run = subprocess.run(
        ["node", "scripts/metrics.mjs", str(written_to)],
        cwd=DASHBOARD,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told = json.loads(run.stdout)

    graph, metrics = build(records), measure(records)
    assert sorted(told["nodes"]) == sorted(node.id for node in graph.nodes())
    assert sorted(map(tuple, told["edges"])) == sorted((s, t, str(kind)) for s, t, kind in graph.edges())
    assert told["critical_path_tokens"] == metrics.critical_path_tokens == longest_path(graph)[0]
    assert (told["total_tokens"], told["waste_tokens"]) == (metrics.total_tokens, metrics.waste_tokens)
    assert told["branches"] == metrics.branches
