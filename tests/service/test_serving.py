"""The application of a cluster, deployed by its config as the operator does."""

import inspect
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from ray import cloudpickle
from tests.databases import Databases

from anabranch.client import Client
from anabranch.service.api.server import serve_api
from anabranch.service.organizer.deployment import OrganizerDeployment
from anabranch.service.serving import app, application
from anabranch.service.settings import BadSettings, Settings, read_settings
from anabranch.service.settings.source import WholeFile


def test_no_argument_of_a_deployment_holds_a_secret(tmp_path: Path) -> None:
    settings = Settings(
        database="postgresql://user:hidden@db/anabranch",
        engine="openai",
        upstream_url="http://hidden.example/v1",
        upstream_key=SecretStr("hidden"),
    )
    source = WholeFile.write(settings, tmp_path / "settings.json")
    for private in (True, False):
        assert b"hidden" not in cloudpickle.dumps(application(source, private=private))


@pytest.mark.parametrize("places", [True, False])
def test_replicas_keep_to_the_nodes_that_are_for_them_where_nodes_say_so(
    places: bool, tmp_path: Path
) -> None:
    settings = Settings(database="postgresql://db/anabranch", engine="scripted", places=places)
    source = WholeFile.write(settings, tmp_path / "settings.json")
    for private in (True, False):
        deployment = application(source, private=private)._bound_deployment
        [pool] = deployment.init_args[1]
        asked = [each.ray_actor_options["resources"] for each in (deployment, pool._bound_deployment)]
        assert asked == ([{"organizers": 1}, {"pool-default": 1}] if places and not private else [{}, {}])


def test_what_serve_asks_an_organizer_is_answered_on_its_event_loop() -> None:
    """Serve runs in a thread what is not async, and there pools would be counted while they change."""
    for method in ("record_autoscaling_stats", "check_health"):
        assert inspect.iscoroutinefunction(getattr(OrganizerDeployment, method))


def test_an_argument_that_the_application_does_not_take_is_refused() -> None:
    from ray.serve._private.api import call_user_app_builder_with_args_if_necessary

    with pytest.raises(ValueError, match="Extra inputs"):
        call_user_app_builder_with_args_if_necessary(app, {"database": "postgresql://db/x"})


def test_sqlite_is_for_one_machine() -> None:
    with pytest.raises(BadSettings, match="ANABRANCH_DATABASE: a service of several processes"):
        Settings(database="sqlite:////x.db").require_shared_database()


@pytest.fixture
def settings(cluster: None, tmp_path: Path) -> Iterator[Settings]:
    databases = Databases(tmp_path)
    yield Settings(database=databases.new("postgres"), state=tmp_path)
    databases.close()


PATIENCE_SECONDS = 240.0


def put(settings: Settings, config_file: Path | None = None) -> None:
    """What the head does with a config that is PUT to it, as the manifests have it. The environment is a pod's."""
    from ray import serve
    from ray.serve.context import _get_global_client
    from ray.serve.schema import ServeDeploySchema

    pod = {"ANABRANCH_DATABASE": settings.database}
    if config_file is None:
        pod["ANABRANCH_ENGINE"] = "scripted"
    config: dict[str, Any] = {
        "name": "anabranch",
        "import_path": "anabranch.service.serving:app",
        "route_prefix": None,
        "args": {"config": None if config_file is None else str(config_file)},
        "autoscaling_policy": {"policy_function": "anabranch.workers.pool.autoscaling:wanted_replicas"},
        "runtime_env": {"env_vars": pod},
    }
    _get_global_client().deploy_apps(ServeDeploySchema.model_validate({"applications": [config]}))
    await_true(lambda: serve.status().applications["anabranch"].status == "RUNNING", serve.status)


def replicas() -> list[tuple[int, str]]:
    """The replicas' processes, below this one."""
    told = subprocess.check_output(["ps", "-eo", "pid,ppid,args"], text=True)
    parents = {int(pid): int(parent) for pid, parent in re.findall(r"^\s*(\d+)\s+(\d+)", told, re.MULTILINE)}
    found = re.findall(r"^\s*(\d+)\s+\d+\s+ray::ServeReplica:anabranch:([\w-]+)", told, re.MULTILINE)
    return sorted((int(pid), name) for pid, name in found if parents.get(parents[int(pid)]) == os.getpid())


@pytest.mark.ray
@pytest.mark.postgres
def test_the_same_config_put_twice_changes_no_process_and_each_pool_decodes_its_own(
    settings: Settings,
) -> None:
    from ray import serve

    config = settings.state / "anabranch.yaml"
    config.write_text(
        "pools:\n  small: {engine: scripted, model: s-1}\n  large: {engine: scripted, model: l-1, adapters: [law]}\n"
    )
    pools = read_settings(config=str(config)).pools
    try:
        put(settings, config)
        first = replicas()
        assert sorted(name for _, name in first) == ["Organizer", "pool-large", "pool-small"]
        put(settings, config)
        with serve_api(settings.model_copy(update={"pools": pools})) as url, Client(url) as client:
            spoke = {}
            for model in ("small", "large", "law"):
                job = client.submit("What is six times seven?", policy="sequential", model=model)
                assert client.wait(job.id).answer is not None
                done = [each for each in client.events(job.id) if each.kind == "SegmentFinished"]
                decoded = done[-1].payload["decoded"]
                spoke[model] = (decoded["replica"], decoded["served"]["model"])
            assert [told for _, told in spoke.values()] == ["s-1", "l-1", "l-1"]
            assert spoke["small"][0] != spoke["large"][0] == spoke["law"][0]
        assert serve.status().applications["anabranch"].status == "RUNNING"
        assert replicas() == first
    finally:
        serve.delete("anabranch")


SCALES = """
default_pool: calm
scale_down_seconds: 3
pools:
  calm: {engine: scripted}
  big: {engine: scripted, model: big, script: SCRIPT, min_replicas: 0, max_replicas: 2, max_decodes: 4}
"""
ON_AND_ON = {"rules": [{"matches": "six times", "text": "so we go on and on " * 30}], "tokens_per_second": 15}


@pytest.mark.ray
@pytest.mark.postgres
def test_a_pool_goes_from_nothing_to_two_and_back_and_its_jobs_only_wait(
    settings: Settings, tmp_path: Path
) -> None:
    """Eight decodes are wanted, and a replica is there for three."""
    from ray import serve

    script, config_file = tmp_path / "script.json", tmp_path / "anabranch.yaml"
    script.write_text(json.dumps(ON_AND_ON))
    config_file.write_text(SCALES.replace("SCRIPT", str(script)))
    rest = read_settings(config=str(config_file), database=settings.database, state=tmp_path)
    seen: list[int] = []

    def big() -> int:
        seen.append(sum(name == "pool-big" for _, name in replicas()))
        return seen[-1]

    try:
        put(settings, config_file)
        assert big() == 0
        with serve_api(rest) as url, Client(url) as client:
            jobs = [
                client.submit("What is six times seven?", policy="sequential", model="big") for _ in range(8)
            ]
            await_true(lambda: waits(client, jobs[0].id).startswith("queued: "), serve.status)
            quick = client.submit("What is six times seven?", policy="sequential")
            assert client.wait(quick.id).answer is not None  # another pool's
            await_true(lambda: big() == 2, serve.status)
            answered = [client.wait(job.id) for job in jobs]
            await_true(lambda: big() == 0, serve.status)
        assert [(job.status, job.attempt) for job in answered] == [("succeeded", 1)] * 8
        assert max(seen) == 2
        assert serve.status().applications["anabranch"].status == "RUNNING"
    finally:
        serve.delete("anabranch")


def waits(client: Client, job: str) -> str:
    return str(client.get(job).as_json()["waiting_for"])


def await_true(happened: Callable[[], bool], told: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < give_up, told()
        time.sleep(0.2)
