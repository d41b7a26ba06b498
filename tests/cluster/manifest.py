"""Reads of the rendered manifests what the kubelet and KubeRay make of them: how each pod is started."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.deploy.manifests import Document, Pod, pods, render, serve_config

SecretValues = Mapping[tuple[str, str], str]
"""Values of Secrets, by their Secret's name and key."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is started, and what Serve is told."""

    head: Pod
    head_with_redis: Pod
    redis: Pod
    organizers: Pod
    api: Pod
    serve_config: Any

    @classmethod
    def read(cls) -> "Manifest":
        """The demonstration's, and those of the overlay `gpu` that keep in Redis what Ray must know again."""
        documents = render("demo-cpu")
        found = {pod.name: pod for pod in pods(documents)}
        keeping = {pod.name: pod for pod in pods(render("gpu"))}
        return cls(
            head=found["headgroup"],
            head_with_redis=keeping["headgroup"],
            redis=keeping["redis"],
            organizers=found["organizers"],
            api=found["anabranch-api"],
            serve_config=serve_config(documents),
        )


def environment_of(pod: Pod, secrets: SecretValues, address: str) -> dict[str, str]:
    """What the kubelet sets for such a pod at this address."""
    return {name: _value(entry, secrets, address) for name, entry in pod.environment.items()}


def flags_of(pod: Pod) -> tuple[str, ...]:
    """Of `ray start`, as KubeRay writes them."""
    return tuple(f"--{name}={value}" for name, value in pod.group["rayStartParams"].items())


def _value(entry: Document, secrets: SecretValues, address: str) -> str:
    match entry:
        case {"value": value}:
            return str(value)
        case {"valueFrom": {"secretKeyRef": {"name": name, "key": key}}}:
            return secrets[name, key]
        case {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}:
            return address
        case _:
            raise AssertionError(f"the bed does not know this kind of variable: {entry}")
