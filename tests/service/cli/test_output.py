"""How the end of a job is told to a person."""

from typing import Any

import pytest

from anabranch.service.cli import output

METRICS = {
    "critical_path_tokens": 5,
    "total_tokens": 5,
    "parallelism": 1.0,
    "waste_tokens": 0,
    "wall_seconds": 1.0,
    "branches": 1,
}


@pytest.mark.parametrize(("truncated", "told"), [(True, True), (False, False)])
def test_a_cut_answer_is_told_as_cut(
    truncated: bool, told: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.__stdout__", None)  # so that what is told reaches capsys
    answer: dict[str, Any] = {"text": "forty", "sources": [], "forced": False, "truncated": truncated}
    output.tell_outcome({"status": "succeeded", "answer": answer, "metrics": METRICS}, "http://here/jobs/1")
    shown = capsys.readouterr().out
    assert "forty" in shown
    assert ("This answer was cut" in shown) is told
