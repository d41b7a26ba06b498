"""Renders what is deployed, as `kubectl kustomize` does, and finds in it what tests ask about."""

import base64
import functools
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
OVERLAYS = ("demo-cpu", "gpu", "multi-model")
KUBECTL = Path(sys.executable).parent / "kubectl"

Document = Mapping[str, Any]
Documents = tuple[Document, ...]


@functools.cache
def render(overlay: str) -> Documents:
    """The documents of an overlay, such as `demo-cpu`. Raises CalledProcessError."""
    return render_folder(DEPLOY / "overlays" / overlay)


def render_folder(folder: Path) -> Documents:
    text = subprocess.run((KUBECTL, "kustomize", folder), check=True, capture_output=True, text=True).stdout
    return tuple(yaml.safe_load_all(text))


def image_environment() -> dict[str, str]:
    """What deploy/Dockerfile sets for every process of an image."""
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").rpartition("\nENV ")[2].splitlines()
    last = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
    pairs = (line.rstrip("\\ ").strip().partition("=") for line in lines[: last + 1])
    return {name: value for name, _, value in pairs}


def of_kind(documents: Documents, kind: str) -> list[Document]:
    return [document for document in documents if document["kind"] == kind]


def ray_service(documents: Documents) -> Document:
    [service] = of_kind(documents, "RayService")
    return service


def serve_config(documents: Documents) -> Any:
    """What KubeRay sends to a head, as JSON, by PUT /api/serve/applications/."""
    return yaml.safe_load(ray_service(documents)["spec"]["serveConfigV2"])


def settings_file(documents: Documents) -> str:
    """The text of /etc/anabranch/anabranch.yaml in every pod."""
    [config] = [each for each in of_kind(documents, "ConfigMap") if "anabranch.yaml" in each["data"]]
    return str(config["data"]["anabranch.yaml"])


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as it will be, with the labels that KubeRay adds to those of a Ray cluster."""

    name: str
    spec: Document
    labels: Mapping[str, str]
    group: Document = field(default_factory=dict)
    """What its group in a RayService says, with `rayStartParams` as KubeRay completes them from its `resources`."""

    @property
    def container(self) -> Document:
        container: Document
        [container] = self.spec["containers"]
        return container

    @property
    def environment(self) -> dict[str, Document]:
        return {each["name"]: each for each in self.container.get("env", [])}

    @property
    def is_ours(self) -> bool:
        """Its image is made of deploy/Dockerfile."""
        return str(self.container["image"]).startswith("anabranch")


def pods(documents: Documents) -> list[Pod]:
    return [
        *(
            Pod(each["metadata"]["name"], template["spec"], template["metadata"]["labels"])
            for each in documents
            if each["kind"] in {"Deployment", "StatefulSet", "Job"}
            for template in (each["spec"]["template"],)
        ),
        *_pods_of_ray(ray_service(documents)["spec"]["rayClusterConfig"]),
    ]


def _pods_of_ray(cluster: Document) -> Iterator[Pod]:
    yield _pod_of_ray("head", "headgroup", cluster["headGroupSpec"])
    for group in cluster["workerGroupSpecs"]:
        yield _pod_of_ray("worker", group["groupName"], group)


def _pod_of_ray(kind: str, name: str, group: Document) -> Pod:
    added = {"ray.io/node-type": kind, "ray.io/group": name, "ray.io/cluster": "anabranch-abcde"}
    template = group["template"]
    started = {"rayStartParams": {**group["rayStartParams"], **_places(group)}}
    return Pod(name, template["spec"], {**template["metadata"]["labels"], **added}, {**group, **started})


def _places(group: Document) -> dict[str, str]:
    """What KubeRay makes of a group's `resources`."""
    places = {name: float(count) for name, count in group.get("resources", {}).items()}
    return {"resources": json.dumps(places)} if places else {}


def selects(selector: Document, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes a thing with these labels."""
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", [])
    )


def decoded(secret: Document) -> dict[str, str]:
    given = {name: base64.b64decode(value).decode() for name, value in secret.get("data", {}).items()}
    return {**given, **secret.get("stringData", {})}
