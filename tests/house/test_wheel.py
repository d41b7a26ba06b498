"""What is in the folders is in the wheel, and nothing else: hatch loses packages, and gains strays, without a word. And
what the wheel asks for is enough to answer a job.
"""

import re
import shutil
import signal
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.workers.engines.upstream import Upstream, serving

from anabranch.client import Client

PACKAGES = ("dag", "workers", "service", "migrations")

# Data that the packages read at run time.
DECLARED = (
    "*/py.typed",
    "migrations/script.py.mako",
    "service/dashboard/static/*",
    "service/evaluation/*.jsonl",
)
PLANTED = {
    "service/dashboard/static/index.html": "<!doctype html>",
    "service/dashboard/static/assets/index-1a2b.js": "export {}",
    "service/dashboard/src/main.ts": "export {}",
    "service/dashboard/node_modules/left/pad.py": "raise SystemExit",
    "service/dashboard/package.json": "{}",
    "dag/__pycache__/stale.cpython-311.pyc": "",
}


@pytest.fixture(scope="module")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the build reads, with a built dashboard and the litter of a day's work in it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "LICENSE", "README.md", ".gitignore"):
        if (root / name).exists():
            shutil.copy(root / name, copy / name)
    litter = shutil.ignore_patterns("node_modules", "static", "__pycache__")
    for package in PACKAGES:
        shutil.copytree(root / package, copy / package, ignore=litter)
    shutil.copytree(root / ".dev", copy / ".dev", symlinks=True)
    for name, text in PLANTED.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text, encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def built(checkout: Path) -> Path:
    """The folder that `python -m build` fills: the sdist, and the wheel made from that sdist."""
    command = [sys.executable, "-m", "build", "--no-isolation", str(checkout)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=checkout.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout / "dist"


def wanted(checkout: Path) -> set[str]:
    files = (
        path.relative_to(checkout)
        for package in PACKAGES
        for path in (checkout / package).rglob("*")
        if path.is_file() and not {"node_modules", "scripts"} & set(path.parts)  # tools of the dashboard
    )
    return {
        str(path)
        for path in files
        if path.suffix == ".py" or any(fnmatch(str(path), pattern) for pattern in DECLARED)
    }


def test_the_wheel_holds_the_packages_and_nothing_else(checkout: Path, built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    renamed = {"service/client/public.py": "client.py"}
    assert names == {f"anabranch/{renamed.get(name, name)}" for name in wanted(checkout)}


def test_the_wheel_carries_licence_and_command(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        texts = {
            name.split("/", 1)[1]: archive.read(name).decode()
            for name in archive.namelist()
            if ".dist-info/" in name
        }
    assert "Apache License" in texts["licenses/LICENSE"]
    assert "anabranch = anabranch.service.cli:main" in texts["entry_points.txt"]


def test_the_sdist_can_build_all_of_it_again(checkout: Path, built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert wanted(checkout) <= names
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]


def test_the_links_of_the_editable_install_are_relative(root: Path) -> None:
    found = [path for path in (root / ".dev" / "anabranch").iterdir() if path.name != "__pycache__"]
    links = {path.name: path.readlink() for path in found}
    packages = {package: Path("../..") / package for package in PACKAGES}
    assert links == packages | {"client.py": Path("../../service/client/public.py")}


# -- the base: no extra, so no Ray, no torch, no driver of PostgreSQL --------------------------------------------------

ABSENT = ("ray", "torch", "vllm", "asyncpg")


@pytest.fixture(scope="module")
def base(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, what it requires, and nothing else. What it requires is linked from this
    one, so that no index is asked."""
    environment = tmp_path_factory.mktemp("base")
    venv.create(environment, with_pip=False, symlinks=True)
    (site,) = (environment / "lib").glob("python*/site-packages")
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin/python")]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel)], check=True)
    wanted = [Requirement(line) for line in requirements_in(site)]
    for name in sorted(all_required(wanted)):
        link_distribution(name, site)
    return environment


def requirements_in(site: Path) -> list[str]:
    (own,) = distributions(path=[str(site)])
    return own.requires or []


def all_required(wanted: list[Requirement]) -> set[str]:
    """The names of all distributions that these require, and those require in turn, by the extras that they ask for."""
    found: set[tuple[str, str]] = set()
    left = [(each, "") for each in wanted]
    while left:
        requirement, extra = left.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for asked in ("", *requirement.extras):
            if (name, asked) not in found:
                found.add((name, asked))
                left += [(Requirement(line), asked) for line in distribution(name).requires or []]
    return {name for name, _ in found}


def link_distribution(name: str, site: Path) -> None:
    there = distribution(name)
    for file in there.files or ():
        if file.parts[0] != "..":  # its programs are nobody's business here
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).symlink_to(str(there.locate_file(file)))


def command(base: Path, *arguments: str) -> dict[str, object]:
    home = base / "home"
    home.mkdir(exist_ok=True)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    return {"args": [str(base / "bin/anabranch"), *arguments], "env": environment, "cwd": home, "text": True}


@contextmanager
def started(base: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    with subprocess.Popen(  # type: ignore[call-overload]
        **command(base, "up", "--port", "0", *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            ready = process.stdout.readline()
            assert "is ready: " in ready, process.stderr.read()
            yield process, ready.split()[-1]
        finally:
            if process.poll() is None:
                process.kill()


def test_the_base_holds_no_engine_and_no_ray(base: Path) -> None:
    look = f"import importlib.util as u; print([name for name in {ABSENT} if u.find_spec(name)])"
    python = [str(base / "bin/python"), "-I", "-c", look]
    assert subprocess.check_output(python, text=True).strip() == "[]"


def test_the_base_answers_a_job_by_an_upstream_and_ends_when_it_is_told_to(base: Path) -> None:
    upstream = Upstream(models=("some-model", "other-model"))
    with serving(upstream), started(base, "--upstream", upstream.url, "--model", "other-model") as (up, url):
        with Client(url) as client:
            job = client.wait(client.submit("What is 2 + 2?", policy="sequential").id)
        assert (job.status, job.answer and job.answer.text) == ("succeeded", "The answer is 4.")
        assert {body["model"] for body in upstream.asked} == {"other-model"}
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0


ASK_FOR_EACH = """
import sys
from anabranch.service.cli import main
script = ["up", "--engine", "scripted", "--port", "0"]
for asked in (["up"], [*script, "--replicas", "2"], [*script, "--database", "postgresql://127.0.0.1:1/none"]):
    try:
        main(asked)
    except SystemExit as left:
        assert left.code == 1
"""


def test_what_needs_an_extra_names_it_in_one_line(base: Path) -> None:
    asked = command(base) | {"args": [str(base / "bin/python"), "-I", "-c", ASK_FOR_EACH]}
    done = subprocess.run(**asked, capture_output=True, check=True, timeout=120)  # type: ignore[call-overload]
    assert [re.findall(r"pip install '(\S+)'", line)[0] for line in done.stderr.splitlines()] == [
        "anabranch[cpu]",
        "anabranch[ray]",
        "anabranch[postgres]",
    ]
