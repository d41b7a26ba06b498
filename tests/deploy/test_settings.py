"""What the manifests set is what the service reads: by the real reader, in the environment that each pod will have."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.manifests import DEPLOY, Documents, Pod, pods, ray_service, settings_file

from anabranch.service.organizer.deployment import PLACE
from anabranch.service.settings import Settings, read_settings
from anabranch.workers.pool.deployment import deployment_name

ELSEWHERE = {"ANABRANCH_DATABASE": "postgresql://user:password@host/name"}
"""What a Secret's value may look like, where any text will not do."""


def environment_of(pod: Pod, config: Path) -> dict[str, str]:
    """As the kubelet sets it."""
    told = {
        name: ELSEWHERE.get(name) or str(entry.get("value", f"of {name}"))
        for name, entry in pod.environment.items()
    }
    return told | ({"ANABRANCH_CONFIG": str(config)} if "ANABRANCH_CONFIG" in told else {})


@pytest.fixture
def read(documents: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    config = tmp_path / "anabranch.yaml"
    config.write_text(settings_file(documents), encoding="utf-8")
    for name in [name for name in os.environ if name.startswith("ANABRANCH_")]:
        monkeypatch.delenv(name)

    def read_as(pod: Pod) -> Settings:
        with monkeypatch.context() as patch:
            for name, value in environment_of(pod, config).items():
                patch.setenv(name, value)
            return read_settings()

    return read_as


def test_every_pod_reads_its_settings(documents: Documents, read: Any) -> None:
    """An unknown name, in the environment or in the file, is refused by the reader."""
    ours = [pod for pod in pods(documents) if pod.is_ours]
    assert len(ours) >= 5
    for pod in ours:
        assert read(pod).database == ELSEWHERE["ANABRANCH_DATABASE"], pod.name


def test_organizers_are_linked_where_the_network_lets_rest_in(documents: Documents, read: Any) -> None:
    for pod in (each for each in pods(documents) if each.labels.get("ray.io/group") == "organizers"):
        settings = read(pod)
        ports = {port["name"]: port["containerPort"] for port in pod.container["ports"]}
        assert (settings.link_host, settings.link_port) == ("0.0.0.0", ports["link"])
        assert settings.link_secret is not None
        assert (
            pod.environment["ANABRANCH_LINK_ADDRESS"]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"
        )


def test_there_are_as_many_organizers_as_pods_for_them(documents: Documents, read: Any) -> None:
    """One on each: with more, some wait for ever; with fewer, pods idle."""
    for pod in (each for each in pods(documents) if each.group):
        [group] = [each for each in groups(documents) if each["groupName"] == "organizers"]
        assert read(pod).organizers == group["minReplicas"] == group["maxReplicas"]
        assert read(pod).places
        assert group["resources"] == {PLACE: "1"}


def test_the_file_of_settings_is_mounted_where_it_is_read(documents: Documents) -> None:
    for pod in (each for each in pods(documents) if "ANABRANCH_CONFIG" in each.environment):
        path = Path(pod.environment["ANABRANCH_CONFIG"]["value"])
        [mount] = [each for each in pod.container["volumeMounts"] if each["mountPath"] == str(path.parent)]
        [volume] = [each for each in pod.spec["volumes"] if each["name"] == mount["name"]]
        [config] = [each for each in documents if each["metadata"]["name"] == volume["configMap"]["name"]]
        assert path.name in config["data"]
    args = yaml.safe_load(ray_service(documents)["spec"]["serveConfigV2"])["applications"][0]["args"]
    assert args == {"config": str(path)}


def test_every_pool_has_a_group_with_room_for_its_replicas(documents: Documents, read: Any) -> None:
    [rest] = [each for each in pods(documents) if each.name == "anabranch-api"]
    pools = read(rest).pools
    there = {group["groupName"]: group for group in groups(documents) if group["groupName"] != "organizers"}
    assert set(pools) == set(there)
    for name, pool in pools.items():
        group = there[name]
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert group["resources"] == {deployment_name(name): "1"}
        assert int(limits.get("nvidia.com/gpu", 0)) == pool.gpus_per_replica, name
        low = pool.min_replicas if pool.min_replicas is not None else pool.replicas
        high = pool.max_replicas if pool.max_replicas is not None else pool.replicas
        assert (group["minReplicas"], group["maxReplicas"]) == (low, high), name


def test_a_key_that_a_pool_names_is_in_the_environment_of_its_pods(documents: Documents, read: Any) -> None:
    by_group = {pod.labels.get("ray.io/group"): pod for pod in pods(documents)}
    [rest] = [each for each in pods(documents) if each.name == "anabranch-api"]
    for name, pool in read(rest).pools.items():
        if pool.upstream_key_env is not None:
            assert pool.upstream_key_env in by_group[name].environment


def test_settings_of_the_pods_are_variables_beside_them_and_not_in_the_file(documents: Documents) -> None:
    """The environment goes over the file: a name in both would be read from one and changed in the other."""
    set_beside = {name for pod in pods(documents) for name in pod.environment}
    in_file = {f"ANABRANCH_{name.upper()}" for name in yaml.safe_load(settings_file(documents))}
    assert not set_beside & in_file


def groups(documents: Documents) -> list[Any]:
    found: list[Any] = ray_service(documents)["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    return found


def test_every_overlay_has_settings_of_its_own() -> None:
    assert all((folder / "anabranch.yaml").exists() for folder in (DEPLOY / "overlays").iterdir())
