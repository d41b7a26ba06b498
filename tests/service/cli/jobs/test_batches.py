"""anabranch batch: a file of lines goes to the service, and what came of them comes back in their order."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scripted_service import serve_scripted

from anabranch.service.settings import Settings
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine


@pytest.fixture
def url(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    alone = settings.model_copy(update={"port": 0})
    with serve_scripted(alone, lambda: ScriptedEngine(lambda _: Line(text="It is 42"))) as url:
        monkeypatch.setenv("ANABRANCH_URL", url)
        yield url


def test_lines_go_and_results_come_back(url: str, anabranch: Callable[..., Any], tmp_path: Path) -> None:
    file, out = tmp_path / "jobs.jsonl", tmp_path / "results.jsonl"
    job = {"policy": {"name": "sequential"}}
    file.write_text("".join(json.dumps(job | {"question": f"Question {n}"}) + "\n" for n in range(3)))
    done = anabranch("batch", str(file), "-o", str(out), "--key", "mine")
    assert done.code == 0, done.err
    assert "completed: 3 answered, 0 failed" in done.err
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["custom_id"] for line in results] == ["1", "2", "3"]
    assert {line["response"]["body"]["answer"]["text"] for line in results} == {"It is 42"}
    again = json.loads(anabranch("batch", str(file), "--key", "mine", "--json").out)
    assert again["status"] == "completed"
    by_id = anabranch("batch", again["id"])
    assert by_id.out == out.read_text()

    file.write_text('{"question": "Fine?"}\n{"question": ""}\n')
    refused = anabranch("batch", str(file))
    assert refused.code == 2
    assert "1 of 2 lines is wrong. line 2: body.question: there is nothing in it" in refused.err
    assert anabranch("batch", str(tmp_path / "none.jsonl")).code == 2
    assert anabranch("batch", str(file), "--cancel").code == 2


def test_a_place_that_is_none_is_refused_before_a_job_is_submitted(
    url: str, anabranch: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "jobs.jsonl"
    file.write_text('{"question": "Paid for in vain?"}\n')
    ran = anabranch("batch", str(file), "-o", "/proc/nowhere/o")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "anabranch: /proc/nowhere/o: No such file or directory; name a place that can be read and written\n"
    )
    assert json.loads(anabranch("jobs", "--json").out) == []
    assert anabranch("batch", "batch_0190", "-o", str(tmp_path / "o")).code == 1
    assert not list(tmp_path.glob("o*")), "of what was not begun nothing is left"


def test_what_the_page_shows_works(
    url: str, anabranch: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[4] / "docs" / "batches.md").read_text(encoding="utf-8")
    shown = page.partition("```console\n")[2].partition("```")[0].splitlines()
    lines = [line for line in shown if line.startswith("{")]
    monkeypatch.chdir(tmp_path)
    Path("jobs.jsonl").write_text("\n".join(lines))
    (command,) = (line for line in shown if line.startswith("$ anabranch"))
    done = anabranch(*command.split()[2:])
    assert done.code == 0 and shown[-1] in done.err
    assert len(Path("results.jsonl").read_text().splitlines()) == len(lines)
