"""Runs the mutation tool cosmic-ray over one room of the code and tells which mutants its tests let live.

    python .ci/mutants.py dag/state.py        (rooms and their tests: [tool.mutants] in pyproject.toml)

Works on a copy in build/mutants, so the checkout stays as it is, and goes on where a run was broken off.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOL = ROOT / "build/mutants/tool"
CONFIG = """[cosmic-ray]
module-path = {modules}
timeout = {timeout}
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider {tests}"
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = {excluded}
"""


def main(room: str) -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
    if room not in settings["rooms"]:
        print(f"no room {room!r}: one of {', '.join(settings['rooms'])}", file=sys.stderr)
        return 2
    copy = ROOT / "build/mutants" / room.replace("/", "-").removesuffix(".py")
    if not TOOL.exists():
        run(ROOT, {}, "-m", "pip", "install", "-q", "--target", str(TOOL), settings["tool"])
    environment = {"PYTHONPATH": os.pathsep.join(map(str, (copy / ".dev", copy, TOOL)))}
    if not (copy / "session.sqlite").exists():
        begin(copy, room, settings, environment)
    run(copy, environment, "-m", "cosmic_ray.cli", "exec", "mutants.toml", "session.sqlite")
    return tell(copy / "session.sqlite")


def begin(copy: Path, room: str, settings: dict[str, object], environment: dict[str, str]) -> None:
    """Copies what git tracks, and lists the mutants."""
    shutil.rmtree(copy, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if not name.startswith("service/dashboard/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    rooms = settings["rooms"]
    assert isinstance(rooms, dict)
    told = CONFIG.format(
        modules=[room],
        timeout=settings["timeout"],
        python=sys.executable,
        tests=" ".join(rooms[room]),
        excluded=settings["excluded"],
    )
    (copy / "mutants.toml").write_text(told)
    run(copy, environment, "-m", "cosmic_ray.cli", "init", "mutants.toml", "session.sqlite")
    run(
        copy, environment, "-m", "cosmic_ray.tools.filters.operators_filter", "session.sqlite", "mutants.toml"
    )


def run(folder: Path, environment: dict[str, str], *words: str) -> None:
    subprocess.run([sys.executable, *words], cwd=folder, check=True, env={**os.environ, **environment})


def tell(session: Path) -> int:
    """Prints each mutant that lived; 1 if there is one."""
    rows = sqlite3.connect(session).execute(
        "SELECT module_path, start_pos_row, test_outcome, diff FROM work_results "
        "JOIN mutation_specs USING (job_id) WHERE test_outcome IS NOT NULL ORDER BY 1, 2"
    )
    outcomes = list(rows)
    lived = [row for row in outcomes if row[2] == "SURVIVED"]
    for path, line, _, diff in lived:
        changed = [each for each in diff.splitlines() if each[:1] in "+-" and each[:3] not in ("+++", "---")]
        print(f"{path}:{line}", *changed, sep="\n  ")
    print(f"{len(lived)} of {len(outcomes)} mutants lived")
    return 1 if lived else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [""]))
