"""Implements the command export: of one job, or of all jobs that filters leave."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from anabranch.client import Client
from anabranch.service.cli.choices import FormatName, complete_job
from anabranch.service.cli.connect import reading
from anabranch.service.cli.errors import CannotStart
from anabranch.service.cli.output import results
from anabranch.service.cli.writing import replacing
from anabranch.service.client.calls import JobFilters
from anabranch.service.exports.parquet import NoParquet, write_parquet
from anabranch.service.exports.registry import export_formats

LINES = "application/x-ndjson"
PLAIN = ("status", "policy", "q", "said", "model", "seed", "error", "tenant")
INSIDE = ("metadata", "param", "budget")


def export(
    form: Annotated[FormatName, typer.Option("--format", help="What the file is for.")],
    job: Annotated[
        str | None,
        typer.Argument(metavar="JOB", help="The job's id; or --where.", autocompletion=complete_job),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="All ended jobs with it; several must all hold. metadata.KEY=VALUE, too.",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only jobs submitted then or later.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many jobs, the newest.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Left out: standard output. FILE.parquet is Parquet."),
    ] = None,
) -> None:
    """Write journals for another tool: JSON lines, a Perfetto trace, OTLP spans, samples for training."""
    many = bool(where) or since is not None or limit is not None
    if many == (job is not None):
        raise typer.BadParameter("give either JOB, or --where, --since or --limit")
    lines = export_formats()[form.value].media_type == LINES
    parquet = output is not None and output.suffix == ".parquet"
    if (many or parquet) and not lines:
        raise typer.BadParameter(f"{form.value} is of one job, in a file of its own")
    filters, begin = _filters(where or []), None if since is None else _moment(since)
    with reading() as client:
        ids = iter([job]) if job is not None else _ids(client, filters, begin, limit)
        pieces = (piece for each in ids for piece in client.export(each, form.value))
        if output is None:
            results().writelines(pieces)
            results().flush()
            return
        with replacing(output) as part:
            _write(pieces, part, parquet=parquet)


def _write(pieces: Iterator[str], part: Path, *, parquet: bool) -> None:
    if parquet:
        try:
            write_parquet(pieces, part)
        except NoParquet as error:
            raise CannotStart(str(error)) from error
        return
    with part.open("w", encoding="utf-8") as file:
        file.writelines(pieces)


def _ids(client: Client, filters: JobFilters, begin: datetime | None, limit: int | None) -> Iterator[str]:
    """Jobs that have ended, newest first."""
    found = 0
    for job in client.list(**filters):
        if (begin is not None and job.created_at < begin) or found == limit:
            return
        if job.ended:
            found += 1
            yield job.id


def _filters(where: list[str]) -> JobFilters:
    """Raises typer.BadParameter for what no listing is filtered by."""
    found: dict[str, Any] = {}
    for text in where:
        name, equals, value = text.partition("=")
        group, dot, key = name.partition(".")
        if equals and name in PLAIN:
            found[name] = value
        elif equals and dot and key and group in INSIDE:
            found[group] = {**cast("Mapping[str, str]", found.get(group, {})), key: value}
        else:
            able = ", ".join([*PLAIN, *(f"{each}.KEY" for each in INSIDE)])
            raise typer.BadParameter(f"--where {text}: give KEY=VALUE, where KEY is one of {able}")
    return cast("JobFilters", found)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"--since {text}: give a date or a time, as in 2026-03-14T09:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
