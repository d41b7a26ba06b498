"""Prints results: as JSON for programs, as text for people."""

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from anabranch.client import Answer, Citation, Job, Metrics

CUT = "This answer was cut: a limit of tokens ended its text. Allow more ({more}).\n"
MORE_TOKENS, MORE_MONEY = "--budget-tokens, budget.tokens", "--budget-cost, budget.cost"
MORE_OF_ONE = "sampling.max_tokens, ANABRANCH_MAX_TOKENS"
SPENT = 0.99
"""So much of a budget is all of it: what is left of money may buy no token."""
AsJson = Annotated[bool, typer.Option("--json", help="Tell the result as JSON.")]


def results() -> TextIO:
    """Standard output itself: a private instance turns `sys.stdout` away, because Ray prints there."""
    return sys.__stdout__ or sys.stdout


def console() -> Console:
    """For results; markup in texts means nothing. Whoever reads a pipe wants whole lines."""
    out = results()
    return Console(file=out, width=None if out.isatty() else 200, markup=False, highlight=False, emoji=False)


def tell(line: str) -> None:
    print(line, file=results(), flush=True)


def tell_json(value: Any, *, indent: int | None = 2) -> None:
    tell(json.dumps(value, ensure_ascii=False, indent=indent))


def tell_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
    console().print(table)


def tell_outcome(job: Job, link: str) -> None:
    """The end of a job: its answer, with the tools that it calls, or its error; what it cost, where to look."""
    out = console()
    if job.answer is not None:
        out.print(Text(f"\n{_lines(_in_words(job.answer))}\n", style="bold"))
        for citation in job.answer.citations:
            out.print(Text(printable(_cited(citation)), style="dim"), soft_wrap=True)
        if job.answer.truncated:
            out.print(Text(CUT.format(more=_more(job)), style="yellow"))
    elif job.error is not None:
        out.print(Text(_lines(f"\nfailed: {job.error.title}. {job.error.detail}\n"), style="red"))
    else:
        out.print(Text(f"\n{job.waiting_for or job.status}\n", style="yellow"))
    out.print(Text(format_metrics(job.metrics), style="dim"))
    out.print(Text(link, style="underline"), soft_wrap=True)


def format_metrics(metrics: Metrics) -> str:
    """T, L, P and waste in one line."""
    counted = "at least " if metrics.usage_at_least else "about " if metrics.usage_estimated else ""
    return (
        f"critical path T {metrics.critical_path_tokens} tokens · all L {counted}{metrics.total_tokens} tokens · "
        f"parallelism P {metrics.parallelism:.2f} · waste {metrics.waste_tokens} tokens · "
        f"{metrics.wall_seconds:.1f} s · {metrics.branches} branches"
    )


def _more(job: Job) -> str:
    """Which limit has to grow. Where no decode has a limit of its own, each gets a share of the budget."""
    budget, usage, form = job.budget, job.usage, job.answer_format
    shared = job.sampling.max_tokens is None and (form is None or form.max_tokens is None)
    if budget.tokens is not None and (shared or usage.completion_tokens >= SPENT * budget.tokens):
        return MORE_TOKENS
    if budget.cost is not None and (shared or usage.cost >= SPENT * budget.cost):
        return MORE_MONEY
    return MORE_OF_ONE


def _in_words(answer: Answer) -> str:
    """The text, where there is one, and each tool that it calls on a line of its own."""
    calls = (f"calls {call.name} with {' '.join(call.arguments.split())}" for call in answer.calls)
    return "\n".join(line for line in (answer.text, *calls) if line)


def _cited(citation: Citation) -> str:
    """A passage that the answer cites, in one line."""
    said = (citation.title, citation.url, f"{citation.source} {citation.branch}")
    return f"[{citation.number}] {' · '.join(part for part in said if part)}"


def _lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.splitlines())


def printable(text: str) -> str:
    """One line without control characters: what a model writes moves no cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
