"""How the end of a job is told to a person."""

import pytest

from anabranch.client import Answer, Citation, Job, Metrics, ToolCall
from anabranch.dag.status import JobStatus
from anabranch.service.cli import output

METRICS = Metrics(
    critical_path_tokens=5,
    total_tokens=5,
    parallelism=1.0,
    waste_tokens=0,
    critical_path_seconds=1.0,
    wall_seconds=1.0,
    queue_seconds=0.0,
    branches=1,
)


@pytest.mark.parametrize(("truncated", "told"), [(True, True), (False, False)])
def test_a_cut_answer_is_told_as_cut(
    truncated: bool, told: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.__stdout__", None)  # so that what is told reaches capsys
    answer = Answer(text="forty", sources=(), truncated=truncated)
    job = Job.model_construct(status=JobStatus.SUCCEEDED, answer=answer, error=None, metrics=METRICS)
    output.tell_outcome(job, "http://here/jobs/1")
    shown = capsys.readouterr().out
    assert "forty" in shown
    assert ("This answer was cut" in shown) is told


@pytest.mark.parametrize(
    ("mark", "told"),
    [("usage_at_least", "all L at least 5 tokens"), ("usage_estimated", "all L about 5 tokens")],
)
def test_tokens_that_nobody_counted_to_the_end_are_told_as_such(mark: str, told: str) -> None:
    assert "all L 5 tokens" in output.format_metrics(METRICS)
    assert told in output.format_metrics(METRICS.model_copy(update={mark: True}))


@pytest.mark.parametrize("text", ["I look it up.", ""])
def test_the_calls_of_an_answer_are_told_behind_its_text_one_line_each(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.__stdout__", None)
    calls = (
        ToolCall(id="c1", name="weather", arguments='{"city":\n "Ulm"}'),
        ToolCall(id="c2", name="clock", arguments="{}\x1b[2J"),
    )
    answer = Answer(text=text, sources=(), calls=calls)
    job = Job.model_construct(status=JobStatus.SUCCEEDED, answer=answer, error=None, metrics=METRICS)
    output.tell_outcome(job, "http://here/jobs/1")
    told = 'calls weather with {"city": "Ulm"}\ncalls clock with {} [2J\n'
    assert capsys.readouterr().out.startswith(f"\n{text}\n{told}" if text else f"\n{told}")


def test_what_an_answer_cites_is_told_behind_it_one_line_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.__stdout__", None)
    citations = (
        Citation(number=1, source="files", branch="0.1.1", title="Le\x1b[2Jase", url="a.pdf", text="Rent"),
        Citation(number=3, source="web", branch="0.2.1"),
    )
    answer = Answer(text="Monday [1], not Tuesday [3].", sources=(), citations=citations)
    job = Job.model_construct(status=JobStatus.SUCCEEDED, answer=answer, error=None, metrics=METRICS)
    output.tell_outcome(job, "http://here/jobs/1")
    told = "[1] Le [2Jase · a.pdf · files 0.1.1\n[3] web 0.2.1\n"
    assert capsys.readouterr().out.startswith(f"\nMonday [1], not Tuesday [3].\n\n{told}")
