"""Builds the container image without a daemon, and runs it as its pods run it: uid 1000, a root that is read-only, and
nothing to write to but /tmp, /dev/shm and the home.

The base is a Debian 12 made here, as the Dockerfile's own is.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = "localhost/debian:bookworm"
IMAGE = "localhost/anabranch:test"
TOOLS = ("buildah", "mmdebstrap", "unshare", "ip")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# Mounts what a pod has over the image's folder ($1), writes its name as the kubelet does, and becomes its user.
POD = """
set -eu
root=$1; shift
ip link set lo up
hostname pod
echo '127.0.0.1 localhost pod' >"$root/etc/hosts"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount --bind "$root" "$root"
mount --options remount,bind,ro "$root"
mount -t tmpfs tmp "$root/tmp" -o mode=1777
mount -t tmpfs dev "$root/dev" -o mode=755
mkdir "$root/dev/shm"
mount -t tmpfs shm "$root/dev/shm" -o mode=1777
for device in null zero random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs home "$root/home/anabranch" -o uid=1000,gid=1000
mount -t proc proc "$root/proc"
mount --bind /sys "$root/sys" # vLLM asks which CPUs there are
mount --options remount,bind,ro "$root/sys"
exec chroot --userspec=1000:1000 "$root" /usr/bin/env --ignore-environment --chdir=/home/anabranch "$@"
"""


def missing_tools() -> list[str]:
    """Without which no image is built here."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if not (ROOT / "service/dashboard/static/index.html").exists():
        missing.append("the dashboard as `make ui` builds it")
    return missing


class Image:
    """Built in a store of its own, which goes with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mounted: str | None = None

    def build_base(self) -> None:
        archive = self._folder / "base.tar"
        words = (
            "mmdebstrap",
            "--quiet",
            "--variant=apt",
            "--include=ca-certificates,python3,python3-venv,wget",
            # As in Debian's own image for containers: what is unpacked is not synced file by file, no translations.
            "--dpkgopt=force-unsafe-io",
            '--aptopt=Acquire::Languages "none"',
        )
        run(*words, "bookworm", str(archive))
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, str(archive), "/")
        if (
            CERTIFICATES.exists()
        ):  # this machine may reach the package index by way of somebody with one of its own
            self._buildah("copy", "--quiet", container, str(CERTIFICATES), str(CERTIFICATES))
            self._buildah("config", "--env", f"PIP_CERT={CERTIFICATES}", container)
        self._buildah("commit", "--quiet", "--rm", container, BASE)
        archive.unlink()

    def build(self, context: Path, **arguments: str) -> None:
        words = ("build", "--quiet", "--isolation", "chroot", "--pull-never", "--format", "docker")
        where = ("--file", str(context / "deploy/Dockerfile"), str(context))
        said = {"BASE": BASE, **arguments}
        given = [word for name, value in said.items() for word in ("--build-arg", f"{name}={value}")]
        self._buildah(*words, *given, "--tag", IMAGE, *where)

    def run(self, *command: str, check: bool = True, away: bool = True) -> str:
        """Gives what a command prints in a pod of this image: `away` from any network, or on this machine's."""
        own = ("--mount", "--pid", "--uts", "--fork", "--kill-child", *(["--net"] if away else []))
        pod = ("sh", "-c", POD, "pod", self._mount(), *self.config["Env"], *command)
        return run("unshare", *own, *pod, check=check)

    def size(self) -> int:
        """Bytes of its files."""
        return int(run("du", "--summarize", "--bytes", self._mount()).split()[0])

    @property
    def config(self) -> dict[str, list[str]]:
        told = json.loads(self._buildah("inspect", "--type", "image", IMAGE))
        config: dict[str, list[str]] = told["Docker"]["config"]
        return config

    def remove(self) -> None:
        self._buildah("rm", "--all")
        shutil.rmtree(self._folder)

    def _mount(self) -> str:
        if self._mounted is None:
            self._mounted = self._buildah("mount", self._buildah("from", "--pull-never", IMAGE))
        return self._mounted

    def _buildah(self, *words: str) -> str:
        store = ("--root", str(self._folder / "store"), "--runroot", str(self._folder / "run"))
        return run("buildah", *store, *words)


def run(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode and check:
        pytest.fail(f"{words[-1]}: {done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return (done.stdout if check else done.stdout + done.stderr).strip()
