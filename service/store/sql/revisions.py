"""Reads the revisions of the schema from this program's migrations: which there are, and which programs may use each.

**Programs and schemas.** A program is named by the newest revision that it has a migration for. During an upgrade
programs of two releases work on one database, so a schema changes in two steps:

* An *expansion* adds what older programs do not miss: tables, columns with a default, indexes. Whoever could use the
  schema before can use it after. It is applied before the first new program starts.
* A *contraction* takes away what no program needs any more that knows a certain revision; its migration says which:
  `usable_from = "0012"`. It ships in a release after that of the expansion, and is refused while older programs live.

What the database remembers (`schema.py` writes it): `schema_version` has the revision that it is at, and
`alembic_version` the oldest program that can use it. A program compares the second with what it knows, and so judges
schemas that are newer than itself. (It is kept under Alembic's own name, for programs from before there was a second
table read that one alone, and would start on no schema but the one they were built for: to them it looks unchanged.)
"""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS = str(files("anabranch.migrations"))
"""The folder of this program's migrations."""
ALWAYS = "0009"
"""Programs up to this one can use the schema of their own revision alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One step of the schema."""

    name: str
    title: str
    usable_from: str
    """The oldest program that can use the database once this is applied."""
    contracts: bool
    """Programs that could use it before cannot after."""


def revisions() -> tuple[Revision, ...]:
    """All that this program knows, oldest first."""
    return read_revisions(MIGRATIONS)


@cache
def read_revisions(folder: str) -> tuple[Revision, ...]:
    """All that are in this folder, oldest first."""
    found: list[Revision] = []
    scripts = ScriptDirectory.from_config(config(folder=folder))
    for script in reversed([*scripts.walk_revisions()]):
        named = getattr(script.module, "usable_from", None)
        alone = script.revision <= ALWAYS
        found.append(
            Revision(
                name=script.revision,
                title=(script.doc or "").splitlines()[0],
                usable_from=script.revision if alone else named or found[-1].usable_from,
                contracts=named is not None,
            )
        )
    return tuple(found)


def newest() -> str:
    """The newest revision that this program knows: its own name among programs."""
    return revisions()[-1].name


def knows(name: str) -> bool:
    """Whether this program has a migration of this name, and so is as new as that."""
    return any(revision.name == name for revision in revisions())


@cache
def release() -> str:
    """Which release of Anabranch this program is."""
    return version("anabranch")


def config(connection: Connection | None = None, folder: str | None = None) -> Config:
    """Alembic's configuration for this program's migrations, or those of a folder, on this connection."""
    made = Config()
    made.set_main_option("script_location", folder or MIGRATIONS)
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made
