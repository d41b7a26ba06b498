"""`anabranch db`: the schema and the projections of the store."""

import asyncio
from typing import Annotated

import typer

from anabranch.dag.ids import JobId
from anabranch.service.cli.output import AsJson, tell, tell_json
from anabranch.service.settings import read_settings
from anabranch.service.store import schema
from anabranch.service.store.store import Store

app = typer.Typer(help="The store's schema and projections.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def upgrade(as_json: AsJson = False) -> None:
    """Bring the database's schema up to this release."""
    settings = read_settings()
    settings.make_state_folder()
    asyncio.run(schema.upgrade(settings.database))
    _tell("upgraded", as_json)


@app.command()
def check(as_json: AsJson = False) -> None:
    """Fail unless the database's schema is this release's."""
    asyncio.run(schema.check(read_settings().database))
    _tell("current", as_json)


@app.command(name="rebuild-projections")
def rebuild_projections(
    job: Annotated[str | None, typer.Option(help="Only this job's.")] = None, as_json: AsJson = False
) -> None:
    """Fold every projection from the journal again."""
    asyncio.run(_rebuild(job))
    _tell("rebuilt", as_json)


async def _rebuild(job: str | None) -> None:
    database = read_settings().database
    await schema.check(database)
    async with Store(database) as store:
        await store.rebuild_projections(None if job is None else JobId(job))


def _tell(done: str, as_json: bool) -> None:
    if as_json:
        tell_json({"status": done})
    else:
        tell(done)
