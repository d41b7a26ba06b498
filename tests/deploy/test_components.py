"""What may be added to an overlay renders, and changes what it says that it changes."""

import os
from pathlib import Path
from typing import Any

import yaml
from tests.deploy.manifests import DEPLOY, OVERLAYS, Documents, pods, ray_service, render, render_folder


def render_with(component: str, folder: Path) -> Documents:
    """The demonstration with one more component."""
    said = {
        "resources": [os.path.relpath(DEPLOY / "overlays/demo-cpu", folder)],
        "components": [os.path.relpath(DEPLOY / "components" / component, folder)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    return render_folder(folder)


def cluster(documents: Documents) -> Any:
    return ray_service(documents)["spec"]["rayClusterConfig"]


def test_a_head_may_die_with_rocksdb(tmp_path: Path) -> None:
    said = cluster(render_with("gcs-rocksdb", tmp_path))["gcsFaultToleranceOptions"]
    assert said == {"backend": "rocksdb", "storage": {"size": "1Gi"}}


def test_a_head_may_die_with_redis() -> None:
    """Without a password: Ray would hand it on in command lines, which its dashboard shows."""
    documents = render("gpu")
    assert cluster(documents)["gcsFaultToleranceOptions"] == {"redisAddress": "rediss://redis:6379"}
    found = {pod.name: pod for pod in pods(documents)}
    told = found["redis"].container["args"]
    assert {"--port 0", "--tls-port 6379", "--tls-auth-clients yes"} <= set(told)
    files = {line.split()[1] for line in told if line.startswith("--tls-") and "-file " in line}
    asked = {
        each["value"]
        for name, each in found["headgroup"].environment.items()
        if name.startswith("RAY_REDIS_")
    }
    assert files == asked == {f"/etc/anabranch-redis/{name}" for name in ("ca.crt", "tls.crt", "tls.key")}


def test_only_heads_hold_what_redis_wants_to_see() -> None:
    holders = {
        pod.name: volume["secret"]["secretName"]
        for pod in pods(render("gpu"))
        for volume in pod.spec["volumes"]
        if volume.get("secret", {}).get("secretName", "").startswith("anabranch-redis")
    }
    assert holders == {"headgroup": "anabranch-redis-client", "redis": "anabranch-redis-server"}


def test_a_changed_cluster_starts_beside_the_old_one_or_not(tmp_path: Path) -> None:
    assert ray_service(render("demo-cpu"))["spec"]["upgradeStrategy"] == {"type": "NewCluster"}
    changed = ray_service(render_with("recreate", tmp_path))
    assert changed["spec"]["upgradeStrategy"] == {"type": "None"}


def test_every_pod_has_the_database_of_cloudnative_pg() -> None:
    asked = {
        pod.name: pod.environment["ANABRANCH_DATABASE"]["valueFrom"]["secretKeyRef"]["name"]
        for pod in pods(render("multi-model"))
        if pod.is_ours
    }
    assert set(asked.values()) == {"anabranch-db-app"}, asked


def test_all_pods_of_a_service_have_one_settings_file() -> None:
    """Its name says its text, so a pod that starts again reads what its siblings read."""
    for overlay in OVERLAYS:
        named = {
            volume["configMap"]["name"]
            for pod in pods(render(overlay))
            for volume in pod.spec.get("volumes", [])
            if "configMap" in volume
        }
        [config] = [
            each
            for each in render(overlay)
            if each["kind"] == "ConfigMap" and "anabranch.yaml" in each["data"]
        ]
        assert named == {config["metadata"]["name"]}
        assert config["metadata"]["name"] != "anabranch-config"
