"""Runs the mutation tool cosmic-ray over a room of the code and tells which mutants its tests let live.

    python .ci/mutants.py dag/state.py        (rooms and their tests: [tool.mutants] in pyproject.toml)

Works on a copy in build/mutants, so the checkout stays as it is. A run that was broken off goes on where it stopped; a
run after the last one tries only the mutants that lived, with the tests as they are now. Once the room's own code has
changed, all are tried anew.
"""

import hashlib
import json
import os
import re
import resource
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORK = ROOT / "build/mutants"
TOOL = WORK / "tool/bin"
CONFIG = """[cosmic-ray]
module-path = {modules}
timeout = {timeout}
excluded-modules = {left_out}
test-command = {command}
[cosmic-ray.distributor]
name = "local"
"""
WALL_SECONDS = 60
"""After which a run of the tests that waits for ever is ended. Its mutant counts as killed, as does one that works for
ever; that is told by its processor time, which does not depend on what else the machine does."""
# Only the plug-ins that the tests need: the others take a second of each run.
PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout", "_hypothesis_pytestplugin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is changed, and the tests that must notice."""

    code: str
    tests: str
    sample: int = 1
    """Of so many mutants one is tried."""
    left_out: tuple[str, ...] = ()
    """Modules that only the tests of another kind run, such as those with Ray."""

    @property
    def copy(self) -> Path:
        return WORK / self.code.replace("/", "-").removesuffix(".py")

    @property
    def command(self) -> str:
        plugins = " ".join(f"-p {plugin}" for plugin in PLUGINS)
        return (
            f"{sys.executable} -m pytest -x -q -p no:cacheprovider {plugins} --hypothesis-seed=0 {self.tests}"
        )


def main(name: str) -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
    rooms = [Room(code=code, **rest) for code, rest in settings["rooms"].items()]
    wanted = [room for room in rooms if f"{room.code}/".startswith(f"{name.removesuffix('/')}/")]
    if not wanted:
        print(f"no room {name!r}: one of {', '.join(room.code for room in rooms)}", file=sys.stderr)
        return 2
    if not TOOL.exists():
        run(ROOT, sys.executable, "-m", "venv", TOOL.parent)
        run(ROOT, TOOL / "pip", "install", "-qq", settings["tool"])
    for room in wanted:
        try_mutants(room, settings)
    return max([tell(room) for room in wanted])


def try_mutants(room: Room, settings: Mapping[str, list[str]]) -> None:
    """Runs the tests over each mutant that has no result yet, or lived."""
    mirror(room.copy)
    seconds = run_tests(room)
    configure(room, seconds)
    listed, digest = room.copy / "listed", digest_of(room)
    if listed.exists() and listed.read_text() == digest:
        forget_survivors(room)
    else:
        listed.unlink(missing_ok=True)
        list_mutants(room, settings)
        listed.write_text(digest)
    run(room.copy, TOOL / "cosmic-ray", "exec", "mutants.toml", "session.sqlite")


def mirror(copy: Path) -> None:
    """Makes the copy's files those of the checkout."""
    words = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    for old in (copy / "tests").rglob("*.py"):
        if not (ROOT / old.relative_to(copy)).exists():
            old.unlink()
    for name in listed:
        if not name.startswith("service/dashboard/") and (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).unlink(missing_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)


def run_tests(room: Room) -> float:
    """Seconds of processor time that the room's tests take over the code as it is. Exits if they fail: then they could
    tell nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    run(room.copy, *shlex.split(room.command))
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def digest_of(room: Room) -> str:
    """Of the room's code, and of what is tried on it."""
    top = ROOT / room.code
    files = sorted(top.rglob("*.py")) if top.is_dir() else [top]
    told = hashlib.sha256(repr((room.code, room.sample, room.left_out)).encode())
    for file in files:
        told.update(file.read_bytes())
    return told.hexdigest()


def configure(room: Room, seconds: float) -> None:
    """Tells the tool what to change and what to run, and bounds what a run may take."""
    bounded = shlex.join(("sh", "-c", f"ulimit -t {10 + 3 * seconds:.0f}; exec {room.command}"))
    config = CONFIG.format(
        modules=[room.code],
        timeout=WALL_SECONDS,
        left_out=list(room.left_out),
        command=json.dumps(bounded),
    )
    (room.copy / "mutants.toml").write_text(config)


def list_mutants(room: Room, settings: Mapping[str, list[str]]) -> None:
    """Lists what is tried: no excluded operators, no lines that decide nothing, one of each sample."""
    (room.copy / "session.sqlite").unlink(missing_ok=True)
    run(room.copy, TOOL / "cosmic-ray", "init", "mutants.toml", "session.sqlite")
    excluded, idle = (re.compile("|".join(settings[which])) for which in ("excluded", "idle-lines"))
    with sqlite3.connect(room.copy / "session.sqlite") as session:
        specs = session.execute(
            "SELECT job_id, operator_name, module_path, start_pos_row FROM mutation_specs "
            "ORDER BY module_path, start_pos_row, start_pos_col, operator_name, occurrence"
        ).fetchall()
        lines = {path: (ROOT / path).read_text().splitlines() for _, _, path, _ in specs}
        telling = [
            job
            for job, operator, path, row in specs
            if not excluded.match(operator) and not idle.search(lines[path][row - 1])
        ]
        skipped = {job for job, *_ in specs} - set(telling[:: room.sample])
        session.executemany(
            "INSERT INTO work_results (job_id, worker_outcome) VALUES (?, 'SKIPPED')",
            [(job,) for job in skipped],
        )


def forget_survivors(room: Room) -> None:
    """Lets mutants that lived be tried once more."""
    with sqlite3.connect(room.copy / "session.sqlite") as session:
        session.execute("DELETE FROM work_results WHERE test_outcome = 'SURVIVED'")


def run(folder: Path, *words: str | Path) -> None:
    told = {
        "PYTHONPATH": os.pathsep.join((str(folder / ".dev"), str(folder))),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run(words, check=False, cwd=folder, env={**os.environ, **told})
    if done.returncode:
        sys.exit(f"mutants: {shlex.join(map(str, words))} failed in {folder}")


def tell(room: Room) -> int:
    """Prints each mutant that lived, and how many of each file; 1 if there is one."""
    with sqlite3.connect(room.copy / "session.sqlite") as session:
        outcomes = session.execute(
            "SELECT module_path, start_pos_row, definition_name, test_outcome, output = 'timeout', diff "
            "FROM work_results JOIN mutation_specs USING (job_id) WHERE test_outcome IS NOT NULL ORDER BY 1, 2"
        ).fetchall()
    tried, lived = Counter[str](), Counter[str]()
    for path, row, function, outcome, _, diff in outcomes:
        tried[path] += 1
        if outcome == "SURVIVED":
            lived[path] += 1
            changed = [line for line in diff.splitlines() if re.match(r"[-+](?![-+]{2})", line)]
            print(f"{path}:{row} {function or ''}", *changed, sep="\n  ")
    for path in tried:
        print(f"{path}: {lived[path]} of {tried[path]} mutants lived")
    late = sum(bool(each[4]) for each in outcomes)
    share = f"; of {room.sample} that there are one was tried" if room.sample > 1 else ""
    print(f"{room.code}: {lived.total()} of {tried.total()} lived, {late} ran out of time{share}")
    return 1 if lived else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [""]))
