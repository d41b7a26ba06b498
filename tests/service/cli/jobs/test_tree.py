"""The tree in the terminal: a fold of events."""

import json
from collections.abc import Collection
from typing import Any

from rich.console import Console

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId
from anabranch.service.cli.jobs.tree import Growth
from anabranch.service.cli.output import printable
from anabranch.service.wire import record_json


def drawn(written: Any, critical: Collection[str] = (), upto: int | None = None) -> str:
    growth = Growth()
    for record in written.records[:upto]:
        growth.add(json.loads(record_json(record)))
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(growth.draw(critical))
    return captured.get()


def test_a_finished_job_shows_each_branch_with_its_end_and_tokens(voted: Any) -> None:
    assert drawn(voted).splitlines() == [
        "● 0 trunk  succeeded  self-consistency",
        "├── ● 0.1 sample  10 tokens",
        "└── ● 0.2 sample  30 tokens",
    ]


def test_a_running_job_shows_who_decodes_and_who_waits(voted: Any) -> None:
    lines = drawn(voted, upto=5).splitlines()
    assert lines[1].startswith("├── ◐ 0.1")
    assert lines[2].startswith("└── ○ 0.2")


def test_of_a_wide_fork_the_rest_is_one_line(writing: Any) -> None:
    written = writing().submit().claim().fork(*(f"0.{n}" for n in range(1, 101)))
    written.start("0.77")
    lines = drawn(written, critical={"0.99"}).splitlines()
    assert len(lines) == 18
    assert any("0.77" in line for line in lines), "who decodes is shown"
    assert any("0.99" in line for line in lines), "who is critical is shown"
    assert lines[-1].endswith("… and 84 more: 84 queued")


def test_notes_tell_what_limited_the_job(writing: Any) -> None:
    written = writing().submit().claim()
    written.add(
        e.WindUpRequested(resource=e.Resource.SECONDS, limit=60, spent=48),
        e.BudgetExceeded(resource=e.Resource.SECONDS, limit=60, spent=48),  # as older journals have it
        e.BudgetExceeded(resource=e.Resource.TOKENS, limit=100, spent=104),
        e.ForkRejected(reason="budget:tokens"),
    )
    text = drawn(written)
    assert text.count("asked to wind up: 48 of 60 seconds are spent") == 2
    assert "budget of tokens spent: 104 of 100" in text
    assert "budget of seconds" not in text
    assert "a fork was rejected: budget:tokens" in text


def test_what_a_model_wrote_moves_no_cursor_and_means_no_markup(writing: Any) -> None:
    label = "\x1b[2J[bold red]gone[/]\r\nnext\x07"
    written = writing().submit().claim()
    written.add(e.BranchForked(child=BranchId("0.1"), role="worker", label=label))
    text = drawn(written)
    assert "[2J[bold red]gone[/] next" in text
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    assert printable("a\x1bb") == "a b"


def live(text: str, at: int = 0, segment: int = 1, reasoning: str = "") -> dict[str, Any]:
    place = {"branch": "0.1", "segment": segment, "final": False, "at": at, "text": text}
    return place | {"reasoning_at": 0, "reasoning": reasoning}


def line_of(growth: Growth) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(growth.draw())
    return captured.get().splitlines()[1]


def test_a_running_branch_shows_the_last_words_it_has_written(writing: Any) -> None:
    written = writing().submit().claim().fork("0.1").start("0.1")
    growth = Growth()
    for record in written.records:
        growth.add(json.loads(record_json(record)))
    growth.write(live("", reasoning="let me see"))
    assert line_of(growth).endswith("◐ 0.1 sample  let me see")
    growth.write(live("Six times\x1b[2J\nseven"))
    growth.write(live(" is 42", at=19))
    assert line_of(growth).endswith("◐ 0.1 sample  Six times [2J seven is 42")
    growth.write(live("word " * 100))
    assert line_of(growth).endswith("word word word") and "…" in line_of(growth)
    written.finish("0.1", "whatever")
    growth.add(json.loads(record_json(written.records[-1])))
    assert "word" not in line_of(growth)


def test_text_of_the_next_segment_begins_anew(writing: Any) -> None:
    written = writing().submit().claim().fork("0.1").start("0.1")
    growth = Growth()
    for record in written.records:
        growth.add(json.loads(record_json(record)))
    growth.write(live("first"))
    growth.write(live("second", segment=2))
    assert line_of(growth).endswith("sample  second")
