"""The image's recipe, without building it: `test_image.py` does."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from tests.deploy.manifests import DEPLOY, image_environment

from anabranch.workers.cluster.ray_private import CORE_VARIABLES, SERVE_VARIABLES

DOCKERFILE = DEPLOY / "Dockerfile"
HADOLINT = Path(sys.executable).parent / "hadolint"


@pytest.fixture(scope="module")
def dependencies() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dependencies", DEPLOY / "dependencies.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hadolint_finds_nothing() -> None:
    found = subprocess.run((HADOLINT, DOCKERFILE), capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_rays_pods_bring_their_own_command() -> None:
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if line.startswith("ENTRYPOINT")]
    assert "USER 1000:1000" in lines


def test_ray_is_told_in_pods_what_pays_on_one_machine() -> None:
    assert (SERVE_VARIABLES | CORE_VARIABLES).items() <= image_environment().items()


def test_what_a_release_wants_is_what_pyproject_says(dependencies: ModuleType, root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = dependencies.dependencies(project, ["cpu", "postgres"])
    extras = project["optional-dependencies"]
    vllm = [each for each in extras["cpu"] if not each.startswith("anabranch")]
    assert set(wanted) == {
        *project["dependencies"],
        *extras["models"],
        *extras["ray"],
        *vllm,
        *extras["postgres"],
    }


def test_an_extra_that_there_is_not_is_refused(dependencies: ModuleType) -> None:
    with pytest.raises(KeyError):
        dependencies.dependencies({"name": "x", "dependencies": [], "optional-dependencies": {}}, ["gpu"])


def test_the_image_is_made_of_what_the_dockerfile_copies(root: Path) -> None:
    """A folder that is copied and ignored would be missed only when somebody builds."""
    kept = {
        line.removeprefix("!").split("/")[0]
        for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        word.split("/")[0]
        for line in DOCKERFILE.read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == kept
