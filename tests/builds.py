"""Other builds of Anabranch than this checkout, each a folder that Python imports it from: the next release, made of
this checkout, and an earlier one, where the repository's history has it.

A build is for processes of its own: give them its `environment`. Ray's workers get it from theirs.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tests.releases import write_migration

ROOT = Path(__file__).parent.parent
ROOMS = ("dag", "workers", "service", "migrations")
NOT_CODE = shutil.ignore_patterns("__pycache__", "dashboard", "node_modules", "static")
TESTS = "tests/scripted_service.py"
"""What each build brings of its own tests: a service in one process, as that release put it together."""
NEXT = "99.0.0"


@dataclass(frozen=True, slots=True)
class Build:
    """A folder that holds the package `anabranch` of one release."""

    folder: Path
    release: str

    @property
    def environment(self) -> Mapping[str, str]:
        """With it a process runs this build."""
        return {**os.environ, "PYTHONPATH": str(self.folder)}

    def run(self, *arguments: str, **environment: str) -> str:
        """What a command of this build prints. Raises CalledProcessError."""
        code = "import sys; from anabranch.service.cli import main; main(sys.argv[1:])"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**self.environment, **environment},
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout


def this_build(folder: Path) -> Build:
    """This checkout as it is."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / "source" / room, ignore=NOT_CODE)
    (folder / "source" / TESTS).parent.mkdir()
    shutil.copy(ROOT / TESTS, folder / "source" / TESTS)
    return _as_package(folder, "0.0.0.dev0")


def next_build(folder: Path) -> Build:
    """The next release: this checkout with one more expansion of the schema, and another version."""
    this_build(folder)
    column = 'op.add_column("jobs", sa.Column("later", sa.Text, nullable=False, server_default="later"))'
    write_migration(folder / "anabranch" / "migrations", "A column that only the next release knows.", column)
    return _named(folder, NEXT)


def previous_build(folder: Path, commit: str) -> Build | None:
    """The release of a commit; None where the history of this checkout does not go back to it."""
    wanted = [commit, "--", *ROOMS, TESTS]
    archive = subprocess.run(["git", "archive", *wanted], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        return None
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extractall(folder / "source", filter="data")
    return _as_package(folder, f"0.0.0+{commit}")


def _as_package(folder: Path, release: str) -> Build:
    """Arranges a checkout's folders as the wheel does."""
    package = folder / "anabranch"
    package.mkdir()
    for room in ROOMS:
        (folder / "source" / room).rename(package / room)
    shutil.copy(package / "service" / "client" / "public.py", package / "client.py")
    (folder / "source" / "tests").rename(folder / "tests")
    return _named(folder, release)


def _named(folder: Path, release: str) -> Build:
    """By what `importlib.metadata` finds first."""
    for earlier in folder.glob("anabranch-*.dist-info"):
        shutil.rmtree(earlier)
    info = folder / f"anabranch-{release}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: anabranch\nVersion: {release}\n")
    return Build(folder, release)
