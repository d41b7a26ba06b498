"""Locks itself in for good, then runs the code it is handed: the program inside the sandbox.

`sandbox.py` starts it; nothing else of Anabranch is imported here. Each lock needs no privilege, holds in containers
too, and cannot be opened again. Where one of them cannot be had, nothing is run.

* seccomp: no sockets, so no network; no new processes, so no fork bomb, and nobody outlives the time limit; no signals.
* Landlock: of all files only Python's own library can be read, and none be written.
* Limits on processor time, memory, output and open files.
"""

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig
from pathlib import Path

REFUSED = "the cage does not close: "
"""How its only line begins when a lock could not be had."""

CLONE_NEWUSER, CLONE_NEWNET, CLONE_THREAD = 0x1000_0000, 0x4000_0000, 0x0001_0000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2

LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_VERSION, LANDLOCK_PATH_BENEATH = 1, 1
LANDLOCK_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many kinds of access each version tells apart; from the fifth on, 16."""
READ_FILE, READ_DIR = 1 << 2, 1 << 3

READABLE = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/dev/null", "/dev/urandom")
"""Beside Python's own library: what it is linked with."""

X86_64 = (
    0xC000_003E,
    {"clone": 56, "clone3": 435},
    {
        "socket": 41, "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "kill": 62, "tkill": 200, "tgkill": 234,
        "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "pidfd_open": 434, "pidfd_getfd": 438,
        "pidfd_send_signal": 424, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311,
        "setrlimit": 160, "prlimit64": 302, "setpriority": 141, "ioprio_set": 251, "sched_setparam": 142,
        "sched_setscheduler": 144, "sched_setaffinity": 203, "sched_setattr": 314,
        "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240, "add_key": 248, "request_key": 249, "keyctl": 250,
        "io_uring_setup": 425, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "unshare": 272, "setns": 308, "mount": 165, "chroot": 161, "truncate": 76,
        "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "chown": 92, "fchown": 93, "lchown": 94,
        "fchownat": 260, "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280, "setxattr": 188,
        "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199,
    },
)  # fmt: skip
AARCH64 = (
    0xC000_00B7,
    {"clone": 220, "clone3": 435},
    {
        "socket": 198, "execve": 221, "execveat": 281, "kill": 129, "tkill": 130, "tgkill": 131,
        "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "pidfd_open": 434, "pidfd_getfd": 438,
        "pidfd_send_signal": 424, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271,
        "setrlimit": 164, "prlimit64": 261, "setpriority": 140, "ioprio_set": 30, "sched_setparam": 118,
        "sched_setscheduler": 119, "sched_setaffinity": 122, "sched_setattr": 274,
        "shmget": 194, "semget": 190, "msgget": 186, "mq_open": 180, "add_key": 217, "request_key": 218, "keyctl": 219,
        "io_uring_setup": 425, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
        "unshare": 97, "setns": 268, "mount": 40, "chroot": 51, "truncate": 45,
        "fchmod": 52, "fchmodat": 53, "fchmodat2": 452, "fchown": 55, "fchownat": 54, "utimensat": 88, "setxattr": 5,
        "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16,
    },
)  # fmt: skip
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}
"""Per machine: its audit number, how threads and processes are made, and what is refused outright."""


class Refused(Exception):
    """A lock could not be had."""


def main() -> None:
    """Read a job from standard input, lock up, run it."""
    job = json.load(sys.stdin)
    try:
        lock(memory=job["memory"], seconds=job["seconds"], output=job["output"])
    except Refused as reason:
        sys.exit(f"{REFUSED}{reason}")
    exec(compile(job["program"], "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what the cage is for


def lock(*, memory: int, seconds: int, output: int) -> None:
    """All locks, in an order in which none stands in the way of the next. Raises Refused."""
    if not sys.platform.startswith("linux") or platform.machine() not in MACHINES:
        raise Refused(
            f"it needs Linux on {' or '.join(MACHINES)}; this is {sys.platform} on {platform.machine()}"
        )
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if (
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0
    ):  # not everywhere permitted; a second lock on the network
        resource.setrlimit(
            resource.RLIMIT_NPROC, (64, 64)
        )  # counts this program alone only in a namespace of its own
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output, output))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _demand(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "new privileges could not be given up")
    _restrict_files(libc)
    _restrict_calls(libc)


def _demand(result: int, complaint: str) -> int:
    if result < 0:
        raise Refused(f"{complaint}: {os.strerror(ctypes.get_errno())}")
    return result


def _restrict_files(libc: ctypes.CDLL) -> None:
    missing = "Landlock (Linux 5.13, enabled at boot) is missing, so files could not be closed off"
    version = _demand(libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION), missing)
    handled = (1 << LANDLOCK_RIGHTS.get(version, 16)) - 1
    ruleset = _demand(libc.syscall(LANDLOCK_CREATE_RULESET, struct.pack("Q", handled), 8, 0), missing)
    for place in map(Path, (*READABLE, sysconfig.get_path("stdlib"), f"{sys.base_prefix}/lib", ".")):
        if place.exists():
            handle = os.open(place, os.O_PATH)
            rights = READ_FILE | READ_DIR if place.is_dir() else READ_FILE
            rule = struct.pack("=Qi", rights, handle)
            _demand(libc.syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_PATH_BENEATH, rule, 0), missing)
            os.close(handle)
    _demand(libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0), missing)
    os.close(ruleset)


def _restrict_calls(libc: ctypes.CDLL) -> None:
    program = _filter(*MACHINES[platform.machine()])
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
    pointer = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    result = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, pointer, 0, 0)
    _demand(result, "seccomp filters are not permitted here, so the network could not be closed off")


Instruction = tuple[int, int, int, int]


def _filter(machine: int, threads: dict[str, int], refused: dict[str, int]) -> list[Instruction]:
    """The seccomp filter in BPF: load a word, compare, return. Jumps are relative: over the next 0, 1 or 2 lines."""

    def load(offset: int) -> Instruction:
        return (0x20, 0, 0, offset)

    def give(verdict: int) -> Instruction:
        return (0x06, 0, 0, verdict)

    def if_equal(value: int, skip_else: int = 1) -> Instruction:
        return (0x15, 0, skip_else, value)

    allow, kill, deny, absent = 0x7FFF_0000, 0x8000_0000, 0x0005_0001, 0x0005_0026  # EPERM is 1, ENOSYS 38
    number, architecture, flags = 0, 4, 16
    lines = [load(architecture), (0x15, 1, 0, machine), give(kill), load(number)]
    lines += [(0x35, 0, 1, 0x4000_0000), give(deny)]  # x32, a second set of numbers for the same calls
    lines += [
        if_equal(threads["clone3"]),
        give(absent),
    ]  # its flags cannot be seen: the C library then uses clone
    for call in refused.values():
        lines += [if_equal(call), give(deny)]
    lines += [if_equal(threads["clone"], 3), load(flags), (0x45, 1, 0, CLONE_THREAD), give(deny)]
    return [*lines, give(allow)]


if __name__ == "__main__":
    main()
