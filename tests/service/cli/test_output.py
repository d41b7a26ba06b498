"""How the end of a job is told to a person."""

from typing import Any

import pytest

from anabranch.client import Answer, Citation, Job, Metrics, ToolCall
from anabranch.dag.status import JobStatus
from anabranch.service.cli import output
from anabranch.service.client.results import AnswerFormat, Budget, Sampling, Usage

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

LIMITED = Sampling(temperature=None, top_p=None, max_tokens=100)
FREE = Sampling(temperature=None, top_p=None, max_tokens=None)


def answered(*, truncated: bool, **said: Any) -> Job:
    """A job whose answer took 300 tokens, and 3 of the operator's money."""
    usage = Usage(prompt_tokens=9, cached_tokens=0, completion_tokens=300, cost=3.0)
    known = {"budget": Budget(), "sampling": LIMITED, "answer_format": None, "usage": usage} | said
    answer = Answer(text="forty", sources=(), truncated=truncated)
    return Job.model_construct(
        status=JobStatus.SUCCEEDED, answer=answer, error=None, metrics=METRICS, **known
    )


@pytest.mark.parametrize("truncated", [True, False])
def test_a_cut_answer_is_told_as_cut(
    truncated: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.__stdout__", None)  # so that what is told reaches capsys
    output.tell_outcome(answered(truncated=truncated), "http://here/jobs/1")
    shown = capsys.readouterr().out
    assert "forty" in shown
    assert ("This answer was cut" in shown) is truncated


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ({}, "sampling.max_tokens, ANABRANCH_MAX_TOKENS"),
        ({"budget": Budget(tokens=300)}, "--budget-tokens, budget.tokens"),
        ({"budget": Budget(tokens=4000)}, "sampling.max_tokens, ANABRANCH_MAX_TOKENS"),
        ({"budget": Budget(tokens=4000), "sampling": FREE}, "--budget-tokens, budget.tokens"),
        (
            {"budget": Budget(tokens=4000), "sampling": FREE, "answer_format": AnswerFormat(max_tokens=50)},
            "sampling.max_tokens, ANABRANCH_MAX_TOKENS",
        ),
        ({"budget": Budget(cost=3.001)}, "--budget-cost, budget.cost"),
        ({"budget": Budget(cost=9.0), "sampling": FREE}, "--budget-cost, budget.cost"),
        ({"budget": Budget(cost=9.0, tokens=300)}, "--budget-tokens, budget.tokens"),
        ({"budget": Budget(cost=9.0)}, "sampling.max_tokens, ANABRANCH_MAX_TOKENS"),
    ],
)
def test_a_cut_answer_names_the_limit_that_cut_it(
    said: dict[str, Any], more: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.__stdout__", None)
    output.tell_outcome(answered(truncated=True, **said), "http://here/jobs/1")
    told = " ".join(capsys.readouterr().out.split())
    assert f"This answer was cut: a limit of tokens ended its text. Allow more ({more})." in told


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
