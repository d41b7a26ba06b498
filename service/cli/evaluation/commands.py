"""Implements the commands about evaluations: eval, evaluations."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from anabranch.dag.evaluation.design import Design, Task, TrialLimits, repeat_tasks
from anabranch.service.cli.connect import page_link, reading, running
from anabranch.service.cli.evaluation.table import tell_evaluation
from anabranch.service.cli.output import AsJson, tell_json, tell_table
from anabranch.service.cli.writing import check_writable
from anabranch.service.client.evaluations import Evaluation
from anabranch.service.evaluation.arms import read_arms
from anabranch.service.evaluation.built_in import make_tasks
from anabranch.service.evaluation.plots import check_plot, draw
from anabranch.service.evaluation.run import run_evaluation
from anabranch.service.evaluation.task_files import read_tasks

DEMO_POLICIES = "sequential,self-consistency:n=3"
DEMO_TOKENS, DEMO_AT_ONCE, DEMO_WISH = 160, 20, "Answer in at most two short sentences."
"""Of the demo: with these a small model on two cores has its 20 questions behind it in two minutes."""
AT_ONCE = 8
MADE = 50
"""Tasks of a set where no limit is given."""
Plots = Annotated[
    list[Path] | None, typer.Option("--plot", metavar="FILE", help="A .png or .svg; may be given again.")
]


def evaluate(
    tasks: Annotated[
        str | None, typer.Argument(metavar="TASKS", help="A file of JSON lines, or a set of reasoning-gym.")
    ] = None,
    policies: Annotated[
        str | None, typer.Option(help="a,b:n=8,c@MODEL; the first is the baseline.", metavar="POLICIES")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="20 questions that come along.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many tasks.")] = None,
    repeats: Annotated[
        int, typer.Option(min=1, max=100, help="How often each task is asked, with other seeds.")
    ] = 1,
    model: Annotated[str | None, typer.Option(help="For policies that name none.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the tasks of a set, and of all jobs.")] = 0,
    budget_tokens: Annotated[int | None, typer.Option(min=1, help="Decoded tokens of a job.")] = None,
    budget_path: Annotated[
        int | None, typer.Option(min=1, help="Answers with a longer critical path count as wrong.")
    ] = None,
    budget_cost: Annotated[float | None, typer.Option(min=0, help="Money of a job.")] = None,
    deadline: Annotated[float | None, typer.Option(help="Seconds of a job, from claim to answer.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2)] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Of one decode.")] = None,
    at_once: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, help=f"Jobs at the same time.  [default: {AT_ONCE}; of the demo {DEMO_AT_ONCE}]"
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="Its name. Left out: made of what is compared, so the same goes on.")
    ] = None,
    plot: Plots = None,
    as_json: AsJson = False,
) -> None:
    """Compare policies: how often each is right, and what that costs. Stopped, it goes on when it is run again."""
    if demo == (tasks is not None):
        raise typer.BadParameter("give either TASKS or --demo")
    sampling = {"temperature": temperature, "max_tokens": max_tokens or (DEMO_TOKENS if demo else None)}
    design = Design(
        title="demo" if tasks is None else Path(tasks).stem,
        tasks=repeat_tasks(_tasks(tasks, limit, seed), repeats),
        arms=read_arms(policies or (DEMO_POLICIES if demo else ""), model),
        seed=seed,
        limits=TrialLimits(
            tokens=budget_tokens, seconds=deadline, cost=budget_cost, critical_path_tokens=budget_path
        ),
        sampling={name: value for name, value in sampling.items() if value is not None},
    )
    for file in plot or ():
        check_plot(file)
        check_writable(file)
    at_once = at_once or (DEMO_AT_ONCE if demo else AT_ONCE)
    with running() as client:
        with _bar(len(design.tasks) * len(design.arms)) as tell:
            found = run_evaluation(client, run or _name(design), design, at_once=at_once, tell=tell)
        _show(found, plot, as_json)  # a service that was started for it takes seconds to stop


def evaluations(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="One of them, by its name.")] = None,
    plot: Plots = None,
    as_json: AsJson = False,
) -> None:
    """List evaluations, or show one as far as it has been judged."""
    if plot and run is None:
        raise typer.BadParameter("--plot needs RUN: a plot is of one evaluation")
    with reading() as client:
        if run is not None:
            found = client.evaluation(run)
            _show(found, plot, as_json)
            return
        listed = client.evaluations()
    if as_json:
        tell_json([one.as_json() for one in listed])
    else:
        rows = (
            (
                one.run,
                f"{one.judged}/{one.tasks * len(one.arms)}",
                ", ".join(one.arms),
                f"{one.created_at:%Y-%m-%d %H:%M}",
            )
            for one in listed
        )
        tell_table(("run", "judged", "policies", "created"), rows)


@contextmanager
def _bar(whole: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr. What it was told is told once more where it does not come to its end."""
    out, judged = Console(stderr=True), 0
    columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())

    def tell(more: int) -> None:
        nonlocal judged
        judged += more
        bar.advance(task, more)

    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("trials", total=whole)
        try:
            yield tell
        except BaseException:
            if judged:
                bar.print(
                    f"{judged} of {whole} trials are judged and kept; the same command goes on from there"
                )
            raise


def _tasks(told: str | None, limit: int | None, seed: int) -> tuple[Task, ...]:
    """The demo's tasks, a file's, or a set's."""
    if told is None:
        with as_file(files("anabranch.service.evaluation") / "demo.jsonl") as file:
            tasks = read_tasks(file, limit)
        return tuple(replace(task, question=f"{task.question} {DEMO_WISH}") for task in tasks)
    file = Path(told)
    if file.exists() or file.suffix:
        return read_tasks(file, limit)
    return make_tasks(told, limit or MADE, seed)


def _name(design: Design) -> str:
    """The same for the same design, so that it goes on."""
    title = re.sub(r"[^A-Za-z0-9._-]+", "-", design.title).strip("-._")[:60]
    return f"{title or 'tasks'}-{design.digest[:8]}"


def _show(found: Evaluation, plots: list[Path] | None, as_json: bool) -> None:
    link = page_link(f"evaluations/{found.run}")
    for file in plots or ():
        draw(found, file, lambda arm: f"{link.split()[0]}?arm={quote(arm, safe='')}")
    if as_json:
        tell_json(found.as_json())
    else:
        tell_evaluation(found, link)
