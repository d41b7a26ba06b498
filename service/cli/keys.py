"""Implements `anabranch keys`: who may call the service."""

from typing import Annotated

import typer

from anabranch.service.cli.output import AsJson, tell, tell_json
from anabranch.service.settings import BadSettings, read_settings
from anabranch.service.tenants.file import add_key

app = typer.Typer(help="Who may call the service.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def new(
    tenant: Annotated[str, typer.Argument(help="Whose key it is.")],
    operator: Annotated[bool, typer.Option("--operator", help="May see all tenants' jobs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key, and tell it this once. A service that runs takes it at once."""
    path = read_settings().tenants
    if path is None:
        raise BadSettings(
            "ANABRANCH_TENANTS is not set: it names the file of tenants, which this command writes"
        )
    key = add_key(path, tenant, operator=operator)
    if as_json:
        tell_json({"tenant": tenant, "key": key})
    else:
        tell(key)


@app.callback()
def keys() -> None:
    """Who may call the service."""
