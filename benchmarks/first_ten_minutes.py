"""Tries Anabranch as somebody who has just heard of it, from nothing to a first answer, with a stopwatch.

    PYTHONPATH=.dev:. python benchmarks/first_ten_minutes.py [upstream demo embedded]

Each way begins with an empty environment. `upstream` and `demo` install the wheel of this checkout, built before the
watch starts, as `pip install anabranch` will; `embedded` clones the checkout and says `make run`, which installs vLLM
and finds its model. The upstream is a small server of this script, or a real one: `--upstream URL --model NAME`.
Every command is one that the README tells, and what it says is checked. Prints seconds, step by step and in all.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.databases import free_port
from tests.workers.engines.upstream import Upstream, serving

ROOT = Path(__file__).parent.parent
QUESTION = "What is 2 + 2?"
READY = "Anabranch is ready: "
TOLD = "That was all."
ANSWERED = "critical path T"
PATIENCE_SECONDS = 1800.0
"""For an installation with torch and vLLM."""


class Stopwatch:
    """The steps of one way, with the seconds that each took."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self._begun = self._last = time.monotonic()
        self._environment = environment
        print(f"\n{name}", flush=True)

    def lap(self, step: str) -> None:
        now = time.monotonic()
        print(f"  {now - self._last:8.1f} s  {step}", flush=True)
        self._last = now

    def total(self) -> None:
        print(f"  {self._last - self._begun:8.1f} s  from nothing to here", flush=True)

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """What a command says. Ends the script where it fails."""
        words = [str(word) for word in command]
        done = subprocess.run(
            words, env=self._environment, cwd=cwd, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)} failed: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    @contextmanager
    def started(self, *command: str | Path, cwd: Path | None = None, until: str) -> Iterator[str]:
        """Runs a command beside the block, from when it has said this; gives that line. Ctrl-C ends it, as a person
        would."""
        words = [str(word) for word in command]
        with subprocess.Popen(
            words,
            env=self._environment,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            start_new_session=True,
        ) as process:
            try:
                yield _line_with(process, until)
            finally:
                os.killpg(process.pid, signal.SIGINT)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)


def _line_with(process: subprocess.Popen[str], wanted: str) -> str:
    said: list[str] = []
    assert process.stdout is not None
    late = threading.Timer(PATIENCE_SECONDS, process.kill)  # which ends what it says
    late.start()
    try:
        for line in process.stdout:
            said.append(line)
            if wanted in line:
                return line.strip()
    finally:
        late.cancel()
    sys.exit(f"it never said {wanted!r}: {''.join(said)[-2000:]}")


def main() -> None:
    ways: dict[str, Callable[[argparse.Namespace], None]] = {
        "upstream": try_upstream,
        "demo": try_demo,
        "embedded": try_embedded,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"{', '.join(ways)}; all where none is named")
    parser.add_argument("--upstream", help="a real one, in place of this script's", metavar="URL")
    parser.add_argument("--model", default="some-model")
    options = parser.parse_args()
    if unknown := set(options.ways) - set(ways):
        parser.error(f"there is no way {', '.join(sorted(unknown))}; there are {', '.join(ways)}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for name in options.ways or ways:
        ways[name](options)


def try_upstream(options: argparse.Namespace) -> None:
    """A model that answers somewhere."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="first-")))
        given = options.upstream
        if given is None:
            upstream = Upstream(models=(options.model,))
            stack.enter_context(serving(upstream))
            given = upstream.url
        wheel = build(folder / "dist")
        watch = Stopwatch("upstream: a model that answers somewhere", environment_in(folder))
        anabranch = install(watch, folder, wheel)
        up = (anabranch, "up", "--port", str(free_port()), "--upstream", given, "--model", options.model)
        with watch.started(*up, until=READY):
            watch.lap("anabranch up --upstream … is ready")
            sampling = ("--policy", "self-consistency", "--set", "n=3")
            said = watch.run(anabranch, "run", QUESTION, *sampling)
            require(said, ["4"] if options.upstream is None else [])
            watch.lap("anabranch run: a first answer of three branches")
        watch.total()


def try_demo(_: argparse.Namespace) -> None:
    """No model, a minute to look."""
    with tempfile.TemporaryDirectory(prefix="first-") as told:
        folder = Path(told)
        wheel = build(folder / "dist")
        watch = Stopwatch("demo: no model, a minute to look", environment_in(folder))
        anabranch = install(watch, folder, wheel)
        with watch.started(anabranch, "demo", "--port", str(free_port()), until=TOLD):
            watch.lap("anabranch demo has shown all it shows")
        watch.total()


def try_embedded(_: argparse.Namespace) -> None:
    """This machine, with a real model on vLLM through Ray."""
    with tempfile.TemporaryDirectory(prefix="first-") as told:
        folder = Path(told)
        watch = Stopwatch("embedded: a real model on this machine", environment_in(folder))
        clone = folder / "anabranch"
        watch.run("git", "clone", "--quiet", str(ROOT), str(clone))
        watch.lap("git clone")
        watch.run("make", "install", cwd=clone)
        watch.lap("make install (of make run): torch, vLLM, Ray")
        watch.run("make", "ui", cwd=clone)
        watch.lap("make ui (of make run)")
        with watch.started("make", "run", cwd=clone, until=ANSWERED):
            watch.lap("make run: the model is loaded, and a first job answered")
        watch.total()


def environment_in(folder: Path) -> dict[str, str]:
    """That of a person who has set nothing."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANABRANCH_", "PYTHON", "VIRTUAL_ENV", "UPSTREAM_"))
    }
    return kept | {"ANABRANCH_STATE": str(folder / "state")}


def build(folder: Path) -> Path:
    """The wheel of this checkout, which a release has built for everybody."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(watch: Stopwatch, folder: Path, wheel: Path) -> Path:
    """Installs it into a new environment; gives the command."""
    venv.create(folder / "venv", with_pip=True)
    watch.lap("python -m venv")
    programs = folder / "venv" / "bin"
    watch.run(programs / "python", "-m", "pip", "install", "--quiet", wheel)
    watch.lap("pip install anabranch")
    return programs / "anabranch"


def require(said: str, words: Sequence[str]) -> None:
    if missing := [word for word in words if word not in said]:
        sys.exit(f"{missing} are not in what it said: {said[-2000:]}")


if __name__ == "__main__":
    main()
