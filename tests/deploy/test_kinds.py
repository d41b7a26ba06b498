"""What is rendered is what Kubernetes, KubeRay and the other operators take: field by field."""

import copy
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from tests.deploy.custom_kinds import RAY_SERVICE, SCHEMAS
from tests.deploy.manifests import (
    DEPLOY,
    OVERLAYS,
    Document,
    Documents,
    pods,
    ray_service,
    render,
    serve_config,
)

VERSIONS = ("1.34", "1.37")


def built_in(documents: Documents) -> list[Document]:
    """What Kubernetes itself knows, with each pod of the Ray cluster as it will be."""
    ray = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod.name, "labels": pod.labels},
            "spec": pod.spec,
        }
        for pod in pods(documents)
        if "ray.io/group" in pod.labels
    ]
    return [each for each in documents if each["kind"] not in SCHEMAS] + ray


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_built_in_kinds_have_no_field_too_many_or_too_few(overlay: str, version: str) -> None:
    checked = built_in(render(overlay))
    assert len(checked) > 10
    for each in checked:
        kubernetes_validate.validate(copy.deepcopy(each), version, strict=True)


def test_a_wrong_field_is_noticed() -> None:
    [pod] = [each for each in built_in(render("demo-cpu")) if each["metadata"]["name"] == "small"]
    wrong: Any = copy.deepcopy(pod)
    wrong["spec"]["containers"][0]["redinessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_custom_kinds_are_what_their_operators_take(documents: Documents) -> None:
    for each in documents:
        if each["kind"] in SCHEMAS:
            jsonschema.validate(each, SCHEMAS[each["kind"]])


def test_a_wrong_field_of_a_ray_service_is_noticed() -> None:
    wrong: Any = copy.deepcopy(ray_service(render("demo-cpu")))
    wrong["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["maxReplica"] = 2
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, RAY_SERVICE)


def test_the_serve_config_is_what_ray_takes(documents: Documents) -> None:
    from ray.serve.schema import ServeDeploySchema

    said = ServeDeploySchema.model_validate(serve_config(documents))
    assert [application.name for application in said.applications] == ["anabranch"]
    assert [application.route_prefix for application in said.applications] == [None]


def test_ray_is_the_version_that_is_installed(documents: Documents) -> None:
    import ray

    assert ray_service(documents)["spec"]["rayClusterConfig"]["rayVersion"] == ray.__version__


def test_all_of_ours_is_one_release(documents: Documents) -> None:
    from importlib.metadata import version

    tags = {pod.container["image"].partition(":")[2] for pod in pods(documents) if pod.is_ours}
    assert tags == {version("anabranch")}


def test_images_are_named_as_the_dockerfile_builds_them(documents: Documents) -> None:
    told = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for name in {pod.container["image"].partition(":")[0] for pod in pods(documents) if pod.is_ours}:
        assert f"-t {name}:" in told
