"""The sandbox, on the real kernel: what a program can do there, what it cannot, and that nothing of it is left."""

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from anabranch.workers.checks.sandbox import Limits, Ran, run

TIGHT = Limits(cpu_seconds=1, wall_seconds=30, memory_mb=128, output_bytes=4096)


def refused(program: str, error: str = "PermissionError") -> None:
    """The program dies of this error, at the statement that asked too much."""
    ran = run(program, TIGHT)
    assert ran.ending == "it ended with status 1"
    assert ran.output.splitlines()[-1].startswith(error), ran.output


def test_a_program_runs_and_says_its_say() -> None:
    assert run("import json, sys\nprint(json.dumps([1, 2]))") == Ran(output="[1, 2]\n")


def test_the_standard_library_threads_and_event_loops_work() -> None:
    program = """
import asyncio, concurrent.futures, decimal, fractions, re, threading
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(lambda n: n * n, range(10))))
async def wait():
    await asyncio.sleep(0.01)
    return decimal.Decimal("0.1")
print(asyncio.run(wait()), re.sub("a", "b", "aa"), fractions.Fraction(1, 3))
"""
    assert run(program).output == "285\n0.1 bb 1/3\n"


def test_a_failing_program_tells_its_traceback() -> None:
    ran = run("1 / 0")
    assert "ZeroDivisionError" in ran.output
    assert ran.ending == "it ended with status 1"


def test_there_is_no_network_not_even_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        refused(f"import socket\nsocket.create_connection({server.getsockname()!r})")
        with pytest.raises(TimeoutError):
            server.accept()
    refused("import socket\nsocket.socket(socket.AF_UNIX)")
    refused("import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)")


@pytest.mark.parametrize(
    "program",
    [
        "import os\nwhile True: os.fork()",
        "import subprocess\nsubprocess.run(['true'])",
        "import os\nos.posix_spawn('/bin/true', ['true'], {})",
        "import os\nos.execv('/bin/true', ['true'])",
        "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()",
    ],
)
def test_it_can_start_no_other_program_so_a_fork_bomb_is_none(program: str) -> None:
    refused(program)


def test_a_bomb_of_threads_is_contained() -> None:
    program = """
import threading
while True:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
    ran = run(program, TIGHT)
    assert ran.ending
    assert not _processes_of(Path("cage.py"))


def test_processor_time_is_limited() -> None:
    assert run("while True: pass", TIGHT) == Ran(output="", ending="the processor time was used up")


def test_time_is_limited_for_those_who_sleep_and_nothing_is_left_running() -> None:
    limits = Limits(wall_seconds=1.0)
    assert run("print('here', flush=True)\nimport time\ntime.sleep(600)", limits) == Ran(
        output="here\n", ending="the time was over"
    )
    assert not _processes_of(Path("cage.py"))


def test_memory_is_limited() -> None:
    refused("bytearray(200 << 20)", "MemoryError")
    assert run("print(len(bytearray(200 << 20)))", Limits(memory_mb=300)).output == "209715200\n"


def test_output_is_limited() -> None:
    ran = run("import os\nwhile True: os.write(1, b'x' * 1000)", TIGHT)
    assert len(ran.output) == 4096
    assert ran.ending


def test_limits_cannot_be_raised() -> None:
    refused("import resource\nresource.setrlimit(resource.RLIMIT_CPU, (60, 60))", "ValueError")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/proc/self/environ",
        pytest.param(f"/proc/{os.getpid()}/environ", id="/proc/PID/environ"),
    ],
)
def test_no_file_of_this_machine_can_be_read(path: str) -> None:
    refused(f"open({path!r})")


@pytest.mark.parametrize("path", ["/", "/proc", str(Path.home()), str(Path(__file__).parent)])
def test_no_folder_of_this_machine_can_be_listed(path: str) -> None:
    refused(f"import os\nos.listdir({path!r})")


def test_nothing_can_be_written_or_changed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("as it was")
    refused(f"open({str(kept)!r}, 'w')")
    refused(f"import os\nos.remove({str(kept)!r})")
    refused(f"import os\nos.chmod({str(kept)!r}, 0o777)")
    refused(f"import os\nos.rename({str(kept)!r}, {str(kept) + '2'!r})")
    refused("open('mine', 'w')")
    assert kept.read_text() == "as it was"


def test_environment_and_folder_are_its_own_and_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_SECRET", "hidden")
    program = "import os\nprint(sorted(set(os.environ) - {'LC_CTYPE'}), os.listdir(), os.getcwd())"
    first, second = run(program).output, run(program).output
    assert first.startswith("[] [] /")
    assert first != second
    assert not Path(first.split()[-1]).exists()


def test_nobody_can_be_killed_or_watched() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as neighbour:
        refused(f"import os\nos.kill({neighbour.pid}, 9)")
        refused(f"import os\nos.setpriority(os.PRIO_PROCESS, {neighbour.pid}, 19)")
        neighbour.communicate(b"\n", timeout=30)
    assert neighbour.returncode == 0


def test_many_run_side_by_side_without_mixing() -> None:
    outputs: dict[int, str] = {}

    def one(number: int) -> None:
        outputs[number] = run(f"print({number})").output

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {number: f"{number}\n" for number in range(6)}


WITHOUT_LANDLOCK = """
import ctypes, platform, struct
from anabranch.workers.checks import cage, sandbox

machine = cage.MACHINES[platform.machine()][0]
nothing = 99_999
cage.MACHINES[platform.machine()] = (machine, {"clone": nothing, "clone3": nothing}, {"create_ruleset": 444})
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(cage.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
cage._restrict_calls(libc)
try:
    sandbox.run("print('ran all the same')")
except sandbox.SandboxRefused as refused:
    print(refused)
"""


def test_where_a_lock_cannot_be_had_nothing_is_run_and_the_reason_is_told() -> None:
    """On a kernel that, as far as the sandbox can see, has no Landlock."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK], capture_output=True, text=True, check=False, timeout=60
    )
    assert re.fullmatch(
        r"no code is run on this machine: Landlock \(Linux 5\.13, enabled at boot\) is missing.*\n",
        done.stdout,
    ), done.stdout + done.stderr


def _processes_of(script: Path) -> list[str]:
    """Children of this process that still run this script."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = re.search(r"^PPid:\s+(\d+)$", status.read_text(), re.MULTILINE)
            command = (status.parent / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        if parent and int(parent[1]) == os.getpid() and script.name in command:
            found.append(command)
    return found
