"""One test for each use of what Ray does not document, on the release that `pyproject.toml` allows.

What these find without a cluster they find in a second; that each use has its effect is for the tests marked `ray`.
"""

import asyncio
import inspect
import logging
import mmap
import re
import time
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import serve
from ray._common import tls_utils
from ray.serve._private import constants, handle_options
from ray.serve.handle import DeploymentHandle
from ray.serve.request_router import RequestRouter, RunningReplica

from anabranch.workers.cluster import ray_private

ROOT = Path(__file__).parents[3]


def test_the_release_that_is_allowed_is_the_one_that_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [bounds] = project["optional-dependencies"]["ray"]
    major, minor = map(int, version("ray").split(".")[:2])
    assert bounds == f"ray[serve]>={major}.{minor},<{major}.{minor + 1}"


@pytest.mark.parametrize("name", ray_private.SERVE_VARIABLES)
def test_serve_reads_the_variable(name: str) -> None:
    assert f'"{name}"' in inspect.getsource(constants)


@pytest.mark.parametrize("name", [*ray_private.CORE_VARIABLES, *ray_private.LOOPBACK_VARIABLES])
def test_ray_reads_the_variable(name: str) -> None:
    """In Python, or by its name without the prefix in the compiled part."""
    folder = Path(ray.__file__).parent
    files = (*folder.glob("_private/**/*.py"), *folder.glob("_common/**/*.py"))
    if any(name in path.read_text(encoding="utf-8") for path in files):
        return
    [compiled] = folder.glob("_raylet*.so")
    with compiled.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        assert content.find(name.removeprefix("RAY_").encode()) >= 0


@pytest.mark.ray
def test_replicas_that_wait_for_a_machine_are_told_from_those_that_load(cluster: None) -> None:
    """One asks for more than there is; one has its place, and takes its time."""

    class Slow:
        async def __init__(self) -> None:  # type: ignore[misc]
            await asyncio.sleep(120)

    slow = serve.deployment(Slow, name="slow", ray_actor_options={"num_cpus": 0})
    vast = serve.deployment(Slow, name="vast", ray_actor_options={"num_cpus": 1000})
    for each in (slow, vast):
        serve.run_many(
            [serve.RunTarget(each.bind(), name=each.name, route_prefix=None)],
            wait_for_ingress_deployment_creation=False,
            wait_for_applications_running=False,
        )
    try:
        for name, counted in (("slow", (0, 1)), ("vast", (1, 0))):
            give_up = time.monotonic() + 60
            while ray_private.count_starting(name, name) != counted:
                assert time.monotonic() < give_up, ray_private.count_starting(name, name)
                time.sleep(0.1)
        assert ray_private.count_starting("slow", "other") == (0, 0)
    finally:
        serve.delete("slow")
        serve.delete("vast")


@pytest.mark.ray
def test_a_cluster_has_a_name_of_its_own(cluster: None) -> None:
    told = ray_private.cluster_id()
    assert len(told) == 56
    assert ray.get(ray.remote(ray_private.cluster_id).remote()) == told


def test_the_hook_is_found_by_its_name() -> None:
    module, _, name = ray_private.LOOPBACK_HOOK.rpartition(".")
    assert getattr(__import__(module, fromlist=[name]), name) is ray_private.bind_to_loopback


def test_replicas_take_their_port_through_the_function_that_is_wrapped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = (Path(serve.__file__).parent / "_private" / "replica.py").read_text(encoding="utf-8")
    assert re.search(r"add_port_to_grpc_server\(\s*\S+,\s*f?\"\[::\]:", source)
    asked: list[tuple[Any, str]] = []
    monkeypatch.setattr(tls_utils, "add_port_to_grpc_server", lambda *given: asked.append(given))
    ray_private.bind_to_loopback()
    tls_utils.add_port_to_grpc_server("server", "[::]:0")
    assert asked == [("server", "127.0.0.1:0")]


def test_a_handle_can_be_made_and_is_its_owners() -> None:
    parameters = list(inspect.signature(DeploymentHandle.__init__).parameters)
    assert parameters[:3] == ["self", "deployment_name", "app_name"]
    assert inspect.iscoroutinefunction(DeploymentHandle.shutdown_async)


def test_a_handle_can_have_its_router_in_a_loop_of_its_own() -> None:
    assert "_run_router_in_separate_loop" in inspect.getsource(handle_options)
    assert callable(DeploymentHandle._init)


def test_every_replica_can_be_asked() -> None:
    assert list(inspect.signature(DeploymentHandle.broadcast).parameters)[:2] == ["self", "method_name"]


def test_a_router_knows_its_replicas_and_what_they_said_of_themselves() -> None:
    assert isinstance(inspect.getattr_static(RequestRouter, "curr_replicas"), property)
    assert isinstance(inspect.getattr_static(RunningReplica, "replica_metadata"), property)
    for name in ("update_replicas", "on_replica_actor_died", "choose_replicas", "initialize_state"):
        assert callable(getattr(RequestRouter, name)), name


def test_rays_loggers_have_a_level_of_their_own() -> None:
    for name in ray_private.LOGGERS:
        assert name in logging.Logger.manager.loggerDict
