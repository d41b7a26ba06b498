"""Implements `anabranch db`: the store's schema and projections, and jobs that leave it or come back."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anabranch.dag.ids import JobId
from anabranch.dag.status import JobStatus
from anabranch.service.cli.output import AsJson, tell, tell_json
from anabranch.service.cli.texts import read_lines
from anabranch.service.settings import read_settings

# What reads the store is loaded by the commands that need it: loading it takes longer than most commands do.
if TYPE_CHECKING:
    from anabranch.service.store.sql.revisions import Revision
    from anabranch.service.store.sql.schema import Schema
    from anabranch.service.store.store import Store

MAX_DAYS = 100_000
"""Before the first year there is nothing to purge."""

app = typer.Typer(
    help="The store: schema, projections, import, pack, purge.", no_args_is_help=True, rich_markup_mode=None
)


class Ended(StrEnum):
    """What `--status` of a purge may name: typer lists the members of an enum."""

    SUCCEEDED = JobStatus.SUCCEEDED.value
    FAILED = JobStatus.FAILED.value
    CANCELLED = JobStatus.CANCELLED.value


At = Annotated[str | None, typer.Option("--database", help="URL.  [default: ANABRANCH_DATABASE]")]


@app.command()
def upgrade(database: At = None, as_json: AsJson = False) -> None:
    """Bring the database's schema up to this release; may be run while programs work, twice, or in several places."""
    from anabranch.service.store.sql import schema

    settings = read_settings(database=database)
    settings.make_state_folder()
    applied: list[Revision] = []

    def tell_applied(revision: "Revision") -> None:
        applied.append(revision)
        if not as_json:
            tell(f"applied {revision.name}: {revision.title}")

    after = asyncio.run(schema.upgrade(settings.database, tell_applied))
    if as_json:
        names = [revision.name for revision in applied]
        tell_json({"status": "upgraded", "applied": names, **_schema_json(after)})
    else:
        tell(f"upgraded: {_in_words(after)}" if applied else f"nothing to do: {_in_words(after)}")


@app.command()
def check(database: At = None, as_json: AsJson = False) -> None:
    """Fail unless this release can use the database's schema, and the settings name what is there. Tells which
    programs work on the database now."""
    from anabranch.service.start_check import check_settings
    from anabranch.service.store.sql import schema

    settings = read_settings(database=database)
    check_settings(settings)
    found, programs = asyncio.run(schema.read(settings.database))
    found.require_usable()
    status = "newer" if found.newer else "current"
    if as_json:
        alive = [asdict(program) for program in programs]
        tell_json({"status": status, **_schema_json(found), "programs": alive})
        return
    tell(f"{status}: {_in_words(found)}" if found.newer or found.missing else status)
    for program in programs:
        tell(f"at work: {program.in_words()}")


@app.command(name="rebuild-projections")
def rebuild_projections(
    job: Annotated[str | None, typer.Option(help="Only this job's.")] = None,
    database: At = None,
    as_json: AsJson = False,
) -> None:
    """Fold every projection from the journal again."""
    asyncio.run(_rebuild(job, database))
    _tell("rebuilt", as_json)


@app.command(name="import")
def import_journal(
    file: Annotated[Path, typer.Argument(help="From `anabranch export`.")],
    tenant: Annotated[str, typer.Option(help="Whose the job will be.")] = "default",
    database: At = None,
    as_json: AsJson = False,
) -> None:
    """Bring an exported job back (--format jsonl); its hash chain is verified first."""
    job = asyncio.run(_import(read_lines(file), tenant, database))
    _tell(f"imported {job}", as_json)


@app.command()
def purge(
    days: Annotated[float, typer.Option(min=0, max=MAX_DAYS, help="Jobs that ended longer ago go.")],
    status: Annotated[
        list[Ended] | None, typer.Option(help="Only these; may be repeated.  [default: all that have ended]")
    ] = None,
    database: At = None,
    as_json: AsJson = False,
) -> None:
    """Delete old jobs. How their journals ended is kept: an export can still be verified, and imported again."""
    gone = asyncio.run(_purge(days, [JobStatus(one.value) for one in status or Ended], database))
    _tell(f"purged {gone} jobs", as_json)


@app.command()
def pack(
    days: Annotated[float, typer.Option(min=1, max=MAX_DAYS, help="Jobs that ended longer ago.")],
    database: At = None,
    as_json: AsJson = False,
) -> None:
    """Pack the journals of old jobs into a quarter of their room; they are read, exported and verified as before. From
    then on older releases cannot use the database."""
    _tell(f"made {asyncio.run(_pack(days, database))} packs", as_json)


async def _import(lines: Iterable[str], tenant: str, database: str | None) -> JobId:
    async with _opened(database) as store:
        return (await store.maintenance.import_journal(lines, tenant)).id


async def _purge(days: float, statuses: Sequence[JobStatus], database: str | None) -> int:
    async with _opened(database) as store:
        return await store.maintenance.purge(datetime.now(UTC) - timedelta(days=days), statuses)


async def _pack(days: float, database: str | None) -> int:
    async with _opened(database) as store:
        return await store.maintenance.pack(datetime.now(UTC) - timedelta(days=days))


@asynccontextmanager
async def _opened(named: str | None) -> AsyncIterator["Store"]:
    from anabranch.service.store.sql import schema
    from anabranch.service.store.store import Store

    database = read_settings(database=named).database
    await schema.check(database)
    async with Store(database) as store:
        yield store


async def _rebuild(job: str | None, database: str | None) -> None:
    async with _opened(database) as store:
        await store.maintenance.rebuild_projections(None if job is None else JobId(job))


def _schema_json(found: "Schema") -> dict[str, object]:
    pending = [revision.name for revision in found.missing]
    return {"revision": found.revision, "usable_from": found.usable_from, "pending": pending}


def _in_words(found: "Schema") -> str:
    usable = f"the schema is at {found.revision}, and can be used by programs that know {found.usable_from}"
    if found.newer:
        from anabranch.service.store.sql.revisions import newest

        return f"{usable}; this one knows up to {newest()}"
    return usable + "".join(f"; {one.name} waits for `anabranch db upgrade`" for one in found.missing)


def _tell(done: str, as_json: bool) -> None:
    if as_json:
        tell_json({"status": done})
    else:
        tell(done)
