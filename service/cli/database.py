"""Implements `anabranch db`: the store's schema and projections, and jobs that leave it or come back."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from anabranch.dag.ids import JobId
from anabranch.dag.status import JobStatus
from anabranch.service.cli.output import AsJson, tell, tell_json
from anabranch.service.settings import read_settings
from anabranch.service.start_check import check_settings
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store

app = typer.Typer(
    help="The store: schema, projections, import, purge.", no_args_is_help=True, rich_markup_mode=None
)


class Ended(StrEnum):
    """What `--status` of a purge may name: typer lists the members of an enum."""

    SUCCEEDED = JobStatus.SUCCEEDED.value
    FAILED = JobStatus.FAILED.value
    CANCELLED = JobStatus.CANCELLED.value


@app.command()
def upgrade(as_json: AsJson = False) -> None:
    """Bring the database's schema up to this release."""
    settings = read_settings()
    settings.make_state_folder()
    asyncio.run(schema.upgrade(settings.database))
    _tell("upgraded", as_json)


@app.command()
def check(as_json: AsJson = False) -> None:
    """Fail unless the database's schema is this release's, and the settings name what is there."""
    settings = read_settings()
    check_settings(settings)
    asyncio.run(schema.check(settings.database))
    _tell("current", as_json)


@app.command(name="rebuild-projections")
def rebuild_projections(
    job: Annotated[str | None, typer.Option(help="Only this job's.")] = None, as_json: AsJson = False
) -> None:
    """Fold every projection from the journal again."""
    asyncio.run(_rebuild(job))
    _tell("rebuilt", as_json)


@app.command(name="import")
def import_journal(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="From `anabranch export`.")],
    tenant: Annotated[str, typer.Option(help="Whose the job will be.")] = "default",
    as_json: AsJson = False,
) -> None:
    """Bring an exported job back (--format jsonl); its hash chain is verified first."""
    with file.open(encoding="utf-8") as lines:
        job = asyncio.run(_import(lines, tenant))
    _tell(f"imported {job}", as_json)


@app.command()
def purge(
    days: Annotated[float, typer.Option(min=0, help="Jobs that ended longer ago go.")],
    status: Annotated[
        list[Ended] | None, typer.Option(help="Only these; may be repeated.  [default: all that have ended]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Delete old jobs. How their journals ended is kept: an export can still be verified, and imported again."""
    gone = asyncio.run(_purge(days, [JobStatus(one.value) for one in status or Ended]))
    _tell(f"purged {gone} jobs", as_json)


async def _import(lines: Iterable[str], tenant: str) -> JobId:
    async with _opened() as store:
        return (await store.maintenance.import_journal(lines, tenant)).id


async def _purge(days: float, statuses: Sequence[JobStatus]) -> int:
    async with _opened() as store:
        return await store.maintenance.purge(datetime.now(UTC) - timedelta(days=days), statuses)


@asynccontextmanager
async def _opened() -> AsyncIterator[Store]:
    database = read_settings().database
    await schema.check(database)
    async with Store(database) as store:
        yield store


async def _rebuild(job: str | None) -> None:
    async with _opened() as store:
        await store.maintenance.rebuild_projections(None if job is None else JobId(job))


def _tell(done: str, as_json: bool) -> None:
    if as_json:
        tell_json({"status": done})
    else:
        tell(done)
