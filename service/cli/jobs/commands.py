"""Implements the commands about jobs: run, jobs, show, watch, cancel."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from anabranch.client import Client, Job, Text
from anabranch.dag.status import JobStatus
from anabranch.service.bounded_json import BadJson, read_json
from anabranch.service.cli.choices import JobArgument, PolicyOption, complete_policy
from anabranch.service.cli.connect import job_link, reading, running
from anabranch.service.cli.jobs.tree import Growth
from anabranch.service.cli.output import AsJson, console, tell, tell_json, tell_outcome, tell_table
from anabranch.service.cli.texts import read_question
from anabranch.service.store.listings.sorting import Sort


def run(
    question: Annotated[
        str | None, typer.Argument(help="What is asked; - reads it from standard input.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the question from this file.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="What the model is told before the question.")] = None,
    policy: PolicyOption = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A policy parameter; `anabranch policies NAME` lists them."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="A pool, a pool's model or an adapter.")] = None,
    seed: Annotated[int | None, typer.Option(help="Left out: drawn, and recorded.")] = None,
    budget_tokens: Annotated[int | None, typer.Option(help="Decoded tokens over all branches.")] = None,
    budget_cost: Annotated[float | None, typer.Option(help="Money, by the operator's prices.")] = None,
    budget_branches: Annotated[int | None, typer.Option(help="Branches over the whole job.")] = None,
    deadline: Annotated[float | None, typer.Option(help="Seconds from claim to answer.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask one question, watch it branch, print the answer. The service that runs here is asked; without one, an engine
    is started for this question."""
    budget = {"tokens": budget_tokens, "cost": budget_cost, "branches": budget_branches, "seconds": deadline}
    said = read_question(question, file)
    request = job_request(said, policy, set_ or [], seed=seed, budget=budget, model=model, system=system)
    with running() as client:
        job = client.submit(**request).id
        try:
            ended = follow(client, job, quiet=as_json)
        except KeyboardInterrupt:
            client.cancel(job)
            ended = client.wait(job)
        _tell_ended(ended, as_json)


def list_jobs(
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs of this status.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="Only jobs of this policy.", autocompletion=complete_policy)
    ] = None,
    q: Annotated[str | None, typer.Option("--q", help="Only jobs whose question contains this.")] = None,
    sort: Annotated[
        Sort | None, typer.Option(help="Only jobs that have ended, those with most of it first.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first or sorted."""
    with reading() as client:
        found = list(client.list(limit=limit, status=status, policy=policy, q=q, sort=sort))
    if as_json:
        tell_json([job.as_json() for job in found])
    else:
        columns = ("job", "status", "policy", "tokens", "T", "P", "created", "question")
        tell_table(columns, (_row(job) for job in found))


def show(job: JobArgument, as_json: AsJson = False) -> None:
    """Show a job as it is now: its tree, its answer, what it cost."""
    with reading() as client:
        found = client.get(job)
        if as_json:
            tell_json(found.as_json())
            return
        growth = Growth()
        for event in client.events(job):
            growth.add(event.as_json())
        console().print(growth.draw(growth.critical()))
        tell_outcome(found, job_link(job))


def watch(job: JobArgument, as_json: AsJson = False) -> None:
    """Watch a job until it ends. Its exit code is the job's, as with run; stopping to watch leaves the job alone."""
    with reading() as client:
        if as_json:
            for event in client.follow(job):
                tell_json(event.as_json(), indent=None)
            raise typer.Exit(0 if client.get(job).status is JobStatus.SUCCEEDED else 1)
        _tell_ended(follow(client, job), as_json)


def cancel(job: JobArgument, as_json: AsJson = False) -> None:
    """Cancel a job. What has ended stays as it is."""
    with reading() as client:
        found = client.cancel(job)
    if as_json:
        tell_json(found.as_json())
    else:
        tell(f"{job}: {found.status}" + ("" if found.ended else ", will be cancelled"))


def job_request(
    question: str,
    policy: str | None,
    given: list[str],
    *,
    seed: int | None = None,
    budget: Mapping[str, float | None] | None = None,
    model: str | None = None,
    system: str | None = None,
) -> dict[str, Any]:
    """What is asked of POST /v1/jobs. Raises typer.BadParameter for a --set that is not KEY=VALUE."""
    limited = {name: value for name, value in (budget or {}).items() if value is not None}
    request: dict[str, Any] = {"budget": limited}
    if system is None:
        request["question"] = question
    else:
        turns = (("system", system), ("user", question))
        request["messages"] = [{"role": role, "content": text} for role, text in turns]
    if given and policy is None:
        raise typer.BadParameter("--set needs --policy: parameters belong to a policy")
    if policy is not None:
        request["policy"] = {"name": policy, "params": dict(_pair(pair) for pair in given)}
    if seed is not None:
        request["seed"] = seed
    if model is not None:
        request["model"] = model
    return request


def follow(client: Client, job: str, *, quiet: bool = False) -> Job:
    """Draw the job's tree as it grows, and once more with the critical path lit; the job as it ended."""
    growth, out = Growth(), console()
    live = not quiet and out.is_terminal
    with Live(console=out, auto_refresh=False, transient=True) as drawing:
        for told in client.follow(job, text="all") if live else client.follow(job):
            if isinstance(told, Text):
                growth.write(told.as_json())
            else:
                growth.add(told.as_json())
            if live:
                drawing.update(growth.draw(), refresh=True)
    if not quiet:
        out.print(growth.draw(growth.critical()))
    return client.wait(job)


def _tell_ended(job: Job, as_json: bool) -> None:
    if as_json:
        tell_json(job.as_json())
    else:
        tell_outcome(job, job_link(job.id))
    raise typer.Exit(0 if job.status is JobStatus.SUCCEEDED else 1)


def _pair(text: str) -> tuple[str, Any]:
    """KEY=VALUE, where the value is JSON if it can be read as JSON, and text otherwise."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"--set {text}: give KEY=VALUE")
    try:
        return key, read_json(value)
    except BadJson as error:
        where = f" at {error.where}" if error.where else ""
        raise typer.BadParameter(f"--set {key}{where}: {error}") from error
    except ValueError:
        return key, value


def _row(job: Job) -> tuple[object, ...]:
    return (
        job.id,
        job.status,
        job.policy.name,
        job.usage.completion_tokens,
        job.metrics.critical_path_tokens,
        f"{job.metrics.parallelism:.1f}",
        f"{job.created_at:%Y-%m-%d %H:%M:%S}",
        " ".join(job.question.split())[:60],
    )
