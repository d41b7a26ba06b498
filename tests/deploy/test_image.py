"""The container image: built from the Dockerfile without a daemon, then run as its pods run it: uid 1000, a root that
is read-only, and nothing to write to but /tmp, /dev/shm and the home.

What is built is the image of REST, organizers and head, which holds no engine but the scripted and the upstream's. The
base is a Debian 12 made here, as the Dockerfile's own is.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

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
exec chroot --userspec=1000:1000 "$root" /usr/bin/env --ignore-environment --chdir=/home/anabranch "$@"
"""

ANSWER_A_JOB = """
set -eu
export RAY_raylet_start_wait_time_s=200 RAY_agent_register_timeout_ms=200000 # this machine may be busy
ANABRANCH_RAY=true anabranch up --engine scripted --port 8000 &
service=$!
until wget -q -O /dev/null http://127.0.0.1:8000/readyz; do
    kill -0 $service
    sleep 0.5
done
wget -q -O job --header 'content-type: application/json' --post-data '
    {"question": "What is six times seven?", "policy": {"name": "self-consistency", "params": {"n": 3}}}
' http://127.0.0.1:8000/v1/jobs
job=$(python -c 'import json; print(json.load(open("job"))["id"])')
wget -q -O - "http://127.0.0.1:8000/v1/jobs/$job?wait=60"
echo
kill -TERM $service # what is started with & never hears of INT
wait $service
"""


@pytest.fixture(scope="module")
def image(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Image"]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if not (root / "service/dashboard/static/index.html").exists():
        missing.append("the dashboard as `make ui` builds it")
    if missing:
        told = f"no image is built without {', '.join(missing)}"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    made = Image(tmp_path_factory.mktemp("image"))
    made.build_base()
    made.build(root)
    yield made
    made.remove()


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

    def build(self, context: Path) -> None:
        words = ("build", "--quiet", "--isolation", "chroot", "--pull-never", "--format", "docker")
        where = ("--file", str(context / "deploy/Dockerfile"), str(context))
        self._buildah(*words, "--build-arg", f"BASE={BASE}", "--tag", IMAGE, *where)

    def run(self, *command: str, check: bool = True) -> str:
        """Gives what a command prints in a pod of this image, with nobody else on its network."""
        environment = self.config["Env"]
        away = ("unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child")
        pod = ("sh", "-c", POD, "pod", self._mount(), *environment, *command)
        return run(*away, *pod, check=check)

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


def test_a_pod_of_it_has_no_rights_and_nothing_to_change(image: Image) -> None:
    assert image.run("id", "--user") == "1000"
    refused = image.run("touch", "/opt/anabranch/new", check=False)
    assert "Read-only file system" in refused


def test_kuberay_can_start_it_and_ask_after_its_health(image: Image) -> None:
    """By bash, perhaps a login shell, which has a PATH of its own; by wget; and without an entrypoint in the way."""
    assert not image.config.get("Entrypoint")
    for options in ("-c", "-lc"):
        told = image.run("bash", options, "--", "ulimit -n 1024; ray --version")
        assert told.startswith("ray, version")
    assert image.run("wget", "--version")


def test_it_holds_all_that_a_cluster_imports(image: Image) -> None:
    image.run("python", "-c", "import anabranch.service.serving, anabranch.service.api.app, asyncpg")


def test_it_answers_a_job(image: Image) -> None:
    """Ray, organizer, pool, REST and the embedded store, all of them from the image."""
    told = image.run("bash", "-c", ANSWER_A_JOB)
    [answered] = [line for line in told.splitlines() if line.startswith('{"id"')]
    job = json.loads(answered)
    assert job["status"] == "succeeded"
    assert job["answer"]["text"]
