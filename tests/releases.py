"""Other releases than this one, as far as the schema goes: this process with a folder of migrations of its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anabranch.service.store.sql import revisions

MIGRATION = '''"""{title}"""

import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = "{before}"
{contract}

def upgrade() -> None:
    {statement}
'''


def newest_here() -> int:
    """The number of the newest migration of this checkout."""
    return max(int(path.name[:4]) for path in (Path(revisions.MIGRATIONS) / "versions").glob("[0-9]*.py"))


def write_migration(folder: Path, title: str, statement: str, *, usable_from: str | None = None) -> str:
    """Writes the next migration into a folder of them; gives its name."""
    versions = folder / "versions"
    number = max(int(path.name[:4]) for path in versions.glob("[0-9]*.py"))
    name, before = f"{number + 1:04}", f"{number:04}"
    contract = "" if usable_from is None else f'usable_from = "{usable_from}"\n'
    written = MIGRATION.format(title=title, name=name, before=before, contract=contract, statement=statement)
    (versions / f"{name}_later.py").write_text(written, encoding="utf-8")
    return name


@contextmanager
def program_with(migrations: Path) -> Iterator[None]:
    """Within, this process is a program that has these migrations."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(revisions, "MIGRATIONS", str(migrations))
        revisions.read_revisions.cache_clear()  # the folder may have more in it than when it was read before
        yield


def copy_migrations(to: Path) -> Path:
    """A copy of this checkout's migrations, to be added to."""
    shutil.copytree(revisions.MIGRATIONS, to, ignore=shutil.ignore_patterns("__pycache__"))
    return to
