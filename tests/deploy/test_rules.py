"""The house's rules for what runs on a cluster, held over all that the overlays render."""

from importlib import import_module

from tests.deploy.manifests import Documents, of_kind, pods, ray_service, selects, serve_config

from anabranch.workers.pool.autoscaling import wanted_replicas


def test_no_pod_runs_as_root_or_writes_to_its_image(documents: Documents) -> None:
    for pod in pods(documents):
        assert pod.spec["securityContext"]["runAsNonRoot"] is True, pod.name
        assert pod.spec["securityContext"]["runAsUser"] >= 999, pod.name
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name
        context = pod.container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True, pod.name
        assert context["allowPrivilegeEscalation"] is False, pod.name
        assert context["capabilities"] == {"drop": ["ALL"]}, pod.name
    sidecar = ray_service(documents)["spec"]["rayClusterConfig"].get("autoscalerOptions")
    if sidecar is not None:
        assert sidecar["securityContext"]["readOnlyRootFilesystem"] is True


def test_pods_of_ours_are_the_user_of_the_image_and_have_room_to_write(documents: Documents) -> None:
    for pod in (each for each in pods(documents) if each.is_ours):
        assert pod.spec["securityContext"]["runAsUser"] == 1000, pod.name
        empty = {each["name"] for each in pod.spec["volumes"] if "emptyDir" in each}
        writable = {each["mountPath"] for each in pod.container["volumeMounts"] if each["name"] in empty}
        assert "/tmp" in writable, pod.name
        if "ray.io/node-type" in pod.labels:
            assert writable == {"/tmp", "/dev/shm", "/home/anabranch"}, pod.name


def test_every_volume_is_mounted_and_every_mount_is_a_volume(documents: Documents) -> None:
    claims = {
        each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: {
            claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])
        }
        for each in of_kind(documents, "StatefulSet")
    }
    for pod in pods(documents):
        there = {each["name"] for each in pod.spec.get("volumes", [])}
        there |= claims.get(pod.labels["app.kubernetes.io/component"], set())
        assert {each["name"] for each in pod.container["volumeMounts"]} == there, pod.name


def test_services_of_a_namespace_set_no_variables(documents: Documents) -> None:
    """A Service named anabranch would be read as ANABRANCH_PORT=tcp://…"""
    assert all(pod.spec["enableServiceLinks"] is False for pod in pods(documents))


def test_only_the_autoscaler_holds_a_key_to_kubernetes(documents: Documents) -> None:
    holders = [pod.name for pod in pods(documents) if pod.spec["automountServiceAccountToken"]]
    autoscaled = ray_service(documents)["spec"]["rayClusterConfig"].get("enableInTreeAutoscaling", False)
    assert holders == (["headgroup"] if autoscaled else [])


def test_every_image_has_a_version(documents: Documents) -> None:
    for pod in pods(documents):
        _, _, tag = pod.container["image"].rpartition(":")
        assert tag[0].isdigit(), pod.container["image"]


def test_every_container_says_what_it_needs(documents: Documents) -> None:
    for pod in pods(documents):
        resources = pod.container["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys(), pod.name
        assert "memory" in resources["limits"], pod.name


def test_shared_memory_is_no_more_than_half_of_the_memory(documents: Documents) -> None:
    """A file in it counts as the pod's memory."""
    for pod in pods(documents):
        for volume in pod.spec.get("volumes", []):
            if volume.get("emptyDir", {}).get("medium") == "Memory":
                limit = size(pod.container["resources"]["limits"]["memory"])
                assert size(volume["emptyDir"]["sizeLimit"]) <= limit / 2, pod.name


def test_rays_objects_fit_into_the_shared_memory(documents: Documents) -> None:
    for pod in (each for each in pods(documents) if each.group):
        [shm] = [each for each in pod.spec["volumes"] if each["name"] == "shared-mem"]
        assert int(pod.group["rayStartParams"]["object-store-memory"]) < size(shm["emptyDir"]["sizeLimit"])


def test_every_pod_that_stays_is_asked_after_its_health(documents: Documents) -> None:
    for pod in (each for each in pods(documents) if each.spec.get("restartPolicy") != "OnFailure"):
        assert {"livenessProbe", "readinessProbe"} <= pod.container.keys(), pod.name


def test_a_worker_is_ready_without_a_proxy_and_lives_without_a_head(documents: Documents) -> None:
    """KubeRay's own readiness probe asks a Serve proxy, and there is none. This one never asks the head."""
    assert serve_config(documents)["proxy_location"] == "Disabled"
    for pod in (each for each in pods(documents) if each.labels.get("ray.io/node-type") == "worker"):
        for probe in ("livenessProbe", "readinessProbe"):
            asked = pod.container[probe]["httpGet"]
            assert asked == {"path": "/api/local_raylet_healthz", "port": 52365}, pod.name


def test_the_heads_container_can_clear_up_redis(documents: Documents) -> None:
    """KubeRay runs it for that without its two other probes; a startup probe would stay, and end it."""
    head = ray_service(documents)["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
    assert "startupProbe" not in head["containers"][0]


def test_the_times_to_end_add_up(documents: Documents) -> None:
    for pod in pods(documents):
        grace = pod.spec.get("terminationGracePeriodSeconds", 30)
        said = {name: each.get("value") for name, each in pod.environment.items()}
        if pod.group:
            drain = float(said["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] or 0)
            assert float(said["ANABRANCH_GRACE_SECONDS"] or 0) < drain < grace, pod.name
        if "ANABRANCH_STOP_SECONDS" in said:
            before = pod.container["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert before + float(said["ANABRANCH_STOP_SECONDS"] or 0) < grace, pod.name


def test_an_old_cluster_stays_until_its_decodes_have_ended(documents: Documents) -> None:
    spec = ray_service(documents)["spec"]
    [grace] = {pod.environment["ANABRANCH_GRACE_SECONDS"]["value"] for pod in pods(documents) if pod.group}
    assert spec["rayClusterDeletionDelaySeconds"] > float(grace)


def test_nothing_runs_on_the_head(documents: Documents) -> None:
    head = ray_service(documents)["spec"]["rayClusterConfig"]["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"


def test_kuberay_finds_what_makes_a_service_ready(documents: Documents) -> None:
    """A port named `serve` on the head, and workers that are always there behind it."""
    cluster = ray_service(documents)["spec"]["rayClusterConfig"]
    ports = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["ports"]
    assert "serve" in {port["name"] for port in ports}
    [organizers] = [each for each in cluster["workerGroupSpecs"] if each["groupName"] == "organizers"]
    assert organizers["minReplicas"] >= 2


def test_nobody_without_a_token_joins_or_deploys(documents: Documents) -> None:
    cluster = ray_service(documents)["spec"]["rayClusterConfig"]
    assert cluster["authOptions"] == {"mode": "token", "secretName": "anabranch-ray-token"}


def test_replicas_of_a_kind_are_spread_over_nodes_and_zones(documents: Documents) -> None:
    spread = [each for each in pods(documents) if each.labels.get("ray.io/node-type") == "worker"]
    spread += [each for each in pods(documents) if each.name == "anabranch-api"]
    assert len(spread) >= 3
    for pod in spread:
        constraints = pod.spec["topologySpreadConstraints"]
        keys = {each["topologyKey"] for each in constraints}
        assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        for constraint in constraints:
            assert selects(constraint["labelSelector"], pod.labels), pod.name
            by_value = set(constraint["labelSelector"]["matchLabels"])
            assert not by_value & set(constraint["matchLabelKeys"]), "Kubernetes refuses a key in both"


def test_a_drain_takes_one_pod_of_a_group_at_a_time(documents: Documents) -> None:
    """`maxUnavailable` counts by the scale of a controller, which a RayCluster has not. A group that may have a single
    pod has no budget: it would forbid every drain of that pod's node."""
    budgets = of_kind(documents, "PodDisruptionBudget")
    for pod in (each for each in pods(documents) if each.labels.get("ray.io/node-type") == "worker"):
        held = [each["spec"] for each in budgets if selects(each["spec"]["selector"], pod.labels)]
        least = pod.group["minReplicas"]
        assert [each["minAvailable"] for each in held] == ([least - 1] if least > 1 else []), pod.name
        assert all("maxUnavailable" not in each for each in held)


def size(quantity: str) -> int:
    units = {"Mi": 2**20, "Gi": 2**30}
    return int(quantity[:-2]) * units[quantity[-2:]]


def test_pools_are_scaled_by_what_organizers_want(documents: Documents) -> None:
    (application,) = serve_config(documents)["applications"]
    module, _, name = application["autoscaling_policy"]["policy_function"].partition(":")
    assert getattr(import_module(module), name) is wanted_replicas
