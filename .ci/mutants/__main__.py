"""Changes one thing at a time in the code, and tells which of these mutants no test notices.

    python .ci/mutants dag/state.py service/store/jobs          (files or folders, from the root of the checkout)

The library cosmic-ray lists the mutants, in an environment of its own (`listing.py`). The tests run once, and tell
which of them run which line (`lines.py`). Then each mutant is tried with the tests that run its lines: in a fork of a
process that has loaded all of them (`forks.py`), or, where it changes what is outside of functions, in a process that
imports it (`imported.py`). So most take less than a second, and nothing is written to the checkout.

Results are kept in build/mutants. A run that was broken off goes on; one after the last tries what is new, and what
lived. Remove the folder to try all anew.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

from mutant import Mutant, Result, read_mutants, read_results, write

HERE = Path(__file__).parent
WORK = Path("build/mutants").absolute()
TOOL, COVERAGE, RESULTS = WORK / "tool", WORK / "coverage", WORK / "results.jsonl"
SETTINGS = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutants"]
TESTS_SECONDS = 15
"""For how long test files run over a mutant that is imported, in processor time over the code as it is."""
# Only the plug-ins that the tests need: the others take a second of each run.
PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout", "_hypothesis_pytestplugin")


def main(*paths: str) -> int:
    tops = tuple(f"{top}/" for top in SETTINGS["tests"])
    wrong = [path for path in paths if not f"{path}/".startswith(tops) or not Path(path).exists()]
    if wrong or not paths:
        told = (
            f"{' '.join(wrong)} is no code below {', '.join(tops)}" if wrong else "of which files or folders"
        )
        print(f"mutants: {told}; as in: make mutants ROOM=dag/state.py", file=sys.stderr)
        return 2
    files = [file for path in paths for file in files_of(Path(path))]
    install()
    run(TOOL / "bin/python", HERE / "listing.py", WORK / "listed.jsonl", *files)
    mutants = read_mutants(WORK / "listed.jsonl")
    for top, tests in SETTINGS["tests"].items():
        results = read_results(RESULTS)
        kept = {key for key, result in results.items() if result.outcome.startswith("killed")}
        left = [each for each in mutants if each.path.startswith(f"{top}/") and each.key not in kept]
        if left:
            try_mutants(left, tests, WORK / f"lines-of-{top}.json")
    return tell(mutants, read_results(RESULTS))


def files_of(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def install() -> None:
    """Makes the environment of cosmic-ray, and a folder with coverage.py for ours."""
    if not COVERAGE.exists():
        run(sys.executable, "-m", "venv", TOOL)
        run(TOOL / "bin/pip", "install", "-qq", SETTINGS["tool"])
        run(TOOL / "bin/pip", "install", "-qq", "--target", COVERAGE, SETTINGS["coverage"])


def try_mutants(left: Sequence[Mutant], tests: Sequence[str], lines: Path) -> None:
    if not lines.exists() or lines.stat().st_mtime < last_change():
        lines.unlink(missing_ok=True)
        run_tests(["lines", *tests], {"LINES": str(lines)}).check_returncode()
    write(WORK / "left.jsonl", left)
    told = {"LINES": str(lines), "LEFT": str(WORK / "left.jsonl"), "RESULTS": str(RESULTS)}
    run_tests(["forks", "-s", *tests], told).check_returncode()
    results = read_results(RESULTS)
    outside = [each for each in left if results[each.key].outcome == "outside"]
    files = test_files(outside, lines)
    with ThreadPoolExecutor(os.cpu_count()) as lanes:
        for result in lanes.map(lambda each: try_imported(each, files[each.path]), outside):
            write(RESULTS, [result], mode="a")


def last_change() -> float:
    """When code or a test was written last, in seconds since 1970."""
    return max(file.stat().st_mtime for top in (*SETTINGS["tests"], "tests") for file in files_of(Path(top)))


def test_files(mutants: Iterable[Mutant], lines: Path) -> dict[str, list[str]]:
    """For each changed module the test files to run: first those of its own folder below tests/, then those that run
    most of its lines for their time, as far as the time goes."""
    told = json.loads(lines.read_text())
    seconds, chosen = Counter[str](), dict[str, list[str]]()
    for test, each in told["seconds"].items():
        seconds[file_of(test)] += each
    for path in {each.path for each in mutants}:
        told_lines = told["lines"].get(path, {}).values()
        worth = Counter(file_of(test) for tests in told_lines for test in tests)
        room = f"tests/{path.rpartition('/')[0]}/"
        order = sorted(
            worth, key=lambda file: (not file.startswith(room), -worth[file] / (1 + seconds[file]))
        )
        spent = accumulate((seconds[file] for file in order), initial=0.0)
        chosen[path] = [file for file, before in zip(order, spent, strict=False) if before < TESTS_SECONDS]
    return chosen


def file_of(test: str) -> str:
    return test.partition("::")[0]


def try_imported(mutant: Mutant, files: Sequence[str]) -> Result:
    if not files:
        return Result(mutant.key, "run by no test")
    changed = json.dumps({"path": mutant.path, "text": mutant.text})
    try:
        done = run_tests(
            ["imported", "-x", *files], {"MUTANT": changed}, quiet=True, timeout=5 * TESTS_SECONDS
        )
    except subprocess.TimeoutExpired:
        return Result(mutant.key, "killed by time")
    return Result(mutant.key, "killed" if done.returncode else "lived")


def run_tests(
    words: Sequence[str], told: Mapping[str, str], *, quiet: bool = False, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs pytest with the plug-in that the first word names."""
    plugin, *rest = words
    plugins = [word for name in (*PLUGINS, plugin) for word in ("-p", name)]
    environment = {
        **os.environ,
        **told,
        "CI": "1",  # the same examples in each run (tests/conftest.py)
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(map(str, (HERE, Path(".dev").absolute(), COVERAGE))),
    }
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *plugins,
            "-m",
            SETTINGS["marks"],
            *rest,
        ],
        env=environment,
        text=True,
        capture_output=quiet,
        check=False,
        timeout=timeout,
    )


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True)


def tell(mutants: Sequence[Mutant], results: Mapping[str, Result]) -> int:
    """Prints each mutant that lived, and how many of each file; 1 if there is one."""
    lived = [each for each in mutants if not results[each.key].outcome.startswith("killed")]
    for each in lived:
        print(f"{each.path}:{each.first} {results[each.key].outcome}", each.diff, sep="\n")
    of_file = Counter(each.path for each in lived)
    for path, tried in sorted(Counter(each.path for each in mutants).items()):
        print(f"{path}: {of_file[path]} of {tried} lived")
    late = sum(results[each.key].outcome == "killed by time" for each in mutants)
    print(f"in all: {len(lived)} of {len(mutants)} lived; {late} were killed by time")
    return 1 if lived else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
