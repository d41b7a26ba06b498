"""Implements `anabranch keys`: who may call the service. They work on the store itself, as `anabranch db` does."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from anabranch.service.cli.output import AsJson, tell, tell_json, tell_table
from anabranch.service.cli.running.instance import prepare_store
from anabranch.service.settings import BadSettings, Settings, read_settings
from anabranch.service.store.errors import NotFound
from anabranch.service.store.keys import KeyRow, Keys, MadeKey, NewKey
from anabranch.service.store.sql.columns import utc_text
from anabranch.service.tenants.callers import USUAL_ROLES, Role
from anabranch.service.tenants.file import add_key, read, remove_keys

if TYPE_CHECKING:
    from anabranch.service.store.store import Store

OF_FILE = "sha256:"
"""How the name of a key of the tenants file begins, of which nothing but the digest is known."""
DIGITS = 12
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
LONGEST_SPAN = 36_525 * UNITS["d"]
"""A hundred years: databases count no farther than to the year 9999."""
T = TypeVar("T")

app = typer.Typer(help="Who may call the service.", no_args_is_help=True, rich_markup_mode=None)


class Place(StrEnum):
    """Where a key is kept."""

    STORE = "store"
    FILE = "file"


def read_span(told: str) -> float:
    """Seconds of a span such as 90d, 12h, 30m or 0."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw]?)", told)
    if found is None or (not found[2] and found[1] != "0"):
        raise typer.BadParameter(f"{told[:40]!r} is no span of time: write 90d, 12h or 30m")
    seconds = float(found[1]) * UNITS[found[2] or "s"]
    if seconds > LONGEST_SPAN:
        raise typer.BadParameter(f"{told} is longer than a hundred years")
    return seconds


Named = Annotated[
    str, typer.Argument(metavar="KEY", help="How it begins, as `anabranch keys list` shows it.")
]


@app.command()
def new(
    tenant: Annotated[str, typer.Argument(help="Whose key it is.")],
    role: Annotated[
        list[Role] | None,
        typer.Option(help="What it is for; may be repeated.  [default: submit, read and approve]"),
    ] = None,
    expires: Annotated[float | None, typer.Option(
        parser=read_span, metavar="SPAN", help="When it ends, such as 90d.  [default: never]")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="May see all tenants' jobs.")] = False,
    place: Annotated[Place | None, typer.Option(
        "--in", help="Where it is kept.  [default: the file of ANABRANCH_TENANTS, where that is set]")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a key, and tell it this once. A service that runs takes it within a second."""
    settings = read_settings()
    if (place or (Place.STORE if settings.tenants is None else Place.FILE)) is Place.FILE:
        key = _add_to_file(settings, tenant, operator=operator, more=bool(role) or expires is not None)
        _tell_key(key, {"tenant": tenant, "key": key}, as_json=as_json)
        return
    roles = list(dict.fromkeys(role or USUAL_ROLES))
    asked = NewKey(tenant=tenant, roles=roles, operator=operator, seconds=expires)
    made = _in_store(settings, lambda keys: keys.make(asked))
    _tell_made(made, as_json=as_json)


@app.command(name="list")
def list_keys(as_json: AsJson = False) -> None:
    """Show the keys there are, by how they begin; nobody can show a whole one."""
    settings = read_settings()
    shown = [_shown(row) for row in _in_store(settings, Keys.list)]
    tenants = read(settings.tenants) if settings.tenants is not None else {}
    shown += [
        {"name": OF_FILE + key[:DIGITS], "tenant": name, "roles": [*Role], "operator": tenant.operator,
         "created_at": None, "expires_at": None, "revoked_at": None, "state": "in the file"}
        for name, tenant in tenants.items() for key in tenant.keys
    ]  # fmt: skip
    if as_json:
        tell_json(shown)
    else:
        columns = ("name", "tenant", "roles", "operator", "expires_at", "state")
        rows = [[_cell(key[column]) for column in columns] for key in shown]
        tell_table(("KEY", "TENANT", "ROLES", "OPERATOR", "EXPIRES", "STATE"), rows)


@app.command()
def revoke(name: Named, as_json: AsJson = False) -> None:
    """End a key. Within seconds it opens nothing any more, and what it has opened is closed."""
    settings = read_settings()
    if name.startswith(OF_FILE):
        begin = name.removeprefix(OF_FILE)
        if (
            settings.tenants is None
            or len(begin) < DIGITS
            or not remove_keys(settings.tenants, begin.lower())
        ):
            raise NotFound("key", repr(name))
        shown: dict[str, Any] = {"name": name, "state": "revoked"}
    else:
        shown = _shown(_in_store(settings, lambda keys: keys.revoke(name)))
    if as_json:
        tell_json(shown)
    else:
        tell(f"{shown['name']} is {shown['state']}")


@app.command()
def rotate(
    name: Named,
    grace: Annotated[float, typer.Option(
        parser=read_span, metavar="SPAN", help="How long the old key goes on, such as 24h; 0: not at all.")],
    expires: Annotated[float | None, typer.Option(
        parser=read_span, metavar="SPAN", help="When it ends.  [default: it lives as long as the old one was to]")
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a key that opens what this one does, and let this one end a little later."""
    if name.startswith(OF_FILE):
        raise BadSettings(
            "a key of the tenants file has no end that could be set: make another (keys new), then revoke this one"
        )
    made = _in_store(read_settings(), lambda keys: keys.rotate(name, grace, expires))
    _tell_made(made, as_json=as_json)


@app.callback()
def keys() -> None:
    """Who may call the service."""


def _add_to_file(settings: Settings, tenant: str, *, operator: bool, more: bool) -> str:
    if settings.tenants is None:
        raise BadSettings("ANABRANCH_TENANTS is not set: it names the file of tenants")
    if more:
        raise BadSettings(
            "a key of the tenants file (ANABRANCH_TENANTS) has all roles and no end; for others add --in store"
        )
    return add_key(settings.tenants, tenant, operator=operator)


def _in_store(settings: Settings, do: Callable[[Keys], Coroutine[Any, Any, T]]) -> T:
    async def doing() -> T:
        async with _opened(settings) as store:
            return await do(store.keys)

    return asyncio.run(doing())


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator["Store"]:
    from anabranch.service.store.store import Store

    await prepare_store(settings)
    async with Store(settings.database) as store:
        yield store


def _tell_made(made: MadeKey, *, as_json: bool) -> None:
    _tell_key(made.key, {"tenant": made.row.tenant, "key": made.key, **_shown(made.row)}, as_json=as_json)


def _tell_key(key: str, shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        tell_json(shown)
    else:
        tell(key)


def _shown(row: KeyRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "tenant": row.tenant,
        "roles": list(row.roles),
        "operator": row.operator,
        "created_at": utc_text(row.created_at),
        "expires_at": _moment(row.expires_at),
        "revoked_at": _moment(row.revoked_at),
        "state": _state(row),
    }


def _state(row: KeyRow) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= datetime.now(UTC) else "valid"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)


def _cell(value: object) -> object:
    match value:
        case list():
            return ", ".join(value)
        case bool():
            return "yes" if value else ""
        case _:
            return value
