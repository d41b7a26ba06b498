"""Gives pods a network: each a namespace of its own, on a bridge in another one, which this process reaches, too.

Everything is named `anabranch-PID-…` after the process that made it; what a process left that was killed is swept away
by the next one.
"""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "anabranch-"
SUBNETS = "10.213"
"""The first half of all addresses; the third number is one that this machine has not yet."""
FIRST_HOST = 10


class NotHere(Exception):
    """There can be no bed on this machine: a program is missing, or namespaces may not be made."""


def _free_subnet() -> str:
    taken = {
        address["local"].rpartition(".")[0]
        for link in json.loads(_ip("-j", "-4", "address") or "[]")
        for address in link.get("addr_info", [])
    }
    numbers = (f"{SUBNETS}.{(os.getpid() + n) % 256}" for n in range(256))
    return next(subnet for subnet in numbers if subnet not in taken)


@dataclass(slots=True)
class Network:
    """A bridge with one port for each pod. Addresses are `{subnet}.N`; N of this process is 1."""

    subnet: str = field(default_factory=_free_subnet)
    _ports: dict[str, str] = field(default_factory=dict)

    @property
    def gateway(self) -> str:
        """Address of this process, as pods see it."""
        return f"{self.subnet}.1"

    def open(self) -> None:
        """Raises NotHere."""
        sweep()
        bridge, outside = _namespace("bridge"), f"ab{os.getpid()}"
        _ip("netns", "add", bridge)
        _ip("-n", bridge, "link", "add", "bridge", "type", "bridge")
        _ip("-n", bridge, "link", "set", "bridge", "up")
        _ip("link", "add", outside, "type", "veth", "peer", "name", "outside", "netns", bridge)
        _ip("-n", bridge, "link", "set", "outside", "master", "bridge", "up")
        _ip("address", "add", f"{self.gateway}/24", "dev", outside)
        _ip("link", "set", outside, "up")

    def join(self, pod: str) -> str:
        """Makes a namespace for a pod, or finds the one it had; returns the pod's address."""
        if pod not in self._ports:
            space, bridge = namespace_of(pod), _namespace("bridge")
            self._ports[pod] = address = f"{self.subnet}.{FIRST_HOST + len(self._ports)}"
            _ip("netns", "add", space)
            _ip("-n", bridge, "link", "add", pod, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("-n", bridge, "link", "set", pod, "master", "bridge", "up")
            _ip("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", space, "route", "add", "default", "via", self.gateway)
        return self._ports[pod]

    def cut(self, pod: str) -> None:
        """Nothing reaches the pod any more, and nothing leaves it; nobody is told."""
        _ip("-n", _namespace("bridge"), "link", "set", pod, "down")

    def mend(self, pod: str) -> None:
        _ip("-n", _namespace("bridge"), "link", "set", pod, "up")

    def close(self) -> None:
        _remove([space for space in _namespaces() if _owner(space) == os.getpid()])


def namespace_of(pod: str) -> str:
    return _namespace(pod)


def sweep() -> None:
    """Removes the namespaces of processes that are gone, and ends what runs in them. Raises NotHere."""
    _remove([space for space in _namespaces() if not Path(f"/proc/{_owner(space)}").exists()])


def _remove(spaces: list[str]) -> None:
    for space in spaces:
        for pid in _ip("netns", "pids", space).split():
            try:
                os.kill(int(pid), 9)
            except ProcessLookupError:
                continue
        _ip("netns", "delete", space)


def _namespaces() -> list[str]:
    return [
        name for line in _ip("netns", "list").splitlines() if (name := line.split()[0]).startswith(PREFIX)
    ]


def _namespace(name: str) -> str:
    return f"{PREFIX}{os.getpid()}-{name}"


def _owner(space: str) -> int:
    return int(space.removeprefix(PREFIX).partition("-")[0])


def _ip(*arguments: str) -> str:
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError as error:
        raise NotHere("`ip` (Debian: iproute2) is not on this machine") from error
    if done.returncode:
        raise NotHere(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
