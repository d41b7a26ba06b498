"""What is in the folders is in the wheel, and nothing else: hatch loses packages, and gains strays, without a word."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

PACKAGES = ("dag", "workers", "service", "migrations")

# Data that the packages read at run time.
DECLARED = (
    "*/py.typed",
    "migrations/script.py.mako",
    "service/dashboard/static/*",
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
