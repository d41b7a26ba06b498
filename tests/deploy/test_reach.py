"""Who reaches whom on a cluster, and who knows which secret."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from tests.deploy.manifests import DEPLOY, Document, Documents, Pod, decoded, of_kind, pods, selects


def test_every_selector_finds_somebody(documents: Documents) -> None:
    everybody = pods(documents)
    missed = [
        (kind, name, selector)
        for kind, name, selector in selectors(documents)
        if not any(selects(selector, pod.labels) for pod in everybody)
    ]
    assert not missed


def test_every_named_port_is_a_containers(documents: Documents) -> None:
    names = {port["name"] for pod in pods(documents) for port in pod.container.get("ports", [])}
    asked = {
        port["targetPort"]
        for each in of_kind(documents, "Service")
        for port in each["spec"]["ports"]
        if "targetPort" in port
    } | {
        port["port"]
        for each in of_kind(documents, "NetworkPolicy")
        for rule in each["spec"].get("ingress", [])
        for port in rule.get("ports", [])
        if isinstance(port["port"], str)
    }
    assert asked <= names


def test_nothing_is_reached_that_is_not_meant_to_be(documents: Documents) -> None:
    policies = of_kind(documents, "NetworkPolicy")
    everybody = [each["spec"] for each in policies if each["spec"]["podSelector"] == {}]
    assert everybody == [{"podSelector": {}, "policyTypes": ["Ingress"]}], (
        "all that is not allowed is refused"
    )
    for pod in (each for each in pods(documents) if each.labels.get("ray.io/node-type") == "worker"):
        rules = [
            rule
            for each in policies
            if selects(each["spec"]["podSelector"], pod.labels)
            for rule in each["spec"].get("ingress", [])
        ]
        outside = [rule for rule in rules for peer in rule["from"] if "namespaceSelector" in peer]
        assert all(rule["ports"] == [{"port": "metrics"}] for rule in outside), pod.name


def test_secrets_are_named_and_never_written(documents: Documents) -> None:
    assert not of_kind(documents, "Secret")
    there = {(each["metadata"]["name"], key) for each in render_example() for key in decoded(each)}
    asked = set(secret_keys(documents))
    made_by_an_operator = {("anabranch-db-app", "uri")}
    assert asked - made_by_an_operator <= there
    for pod in pods(documents):
        for name, variable in pod.environment.items():
            if any(word in name for word in ("SECRET", "KEY", "TOKEN", "PASSWORD", "DATABASE")):
                in_a_file = variable.get("value") in files_of_secrets(pod)
                assert in_a_file or "secretKeyRef" in variable["valueFrom"], f"{pod.name}: {name}"


def test_the_example_of_secrets_holds_none() -> None:
    values = [value for each in render_example() for value in decoded(each).values()]
    assert len(values) >= 6
    assert not any(values)


def render_example() -> list[Document]:
    return list(yaml.safe_load_all((DEPLOY / "secrets.example.yaml").read_text(encoding="utf-8")))


def files_of_secrets(pod: Pod) -> set[str]:
    """Where a pod finds values of Secrets."""
    secrets = {each["name"]: each["secret"] for each in pod.spec.get("volumes", []) if "secret" in each}
    return {
        f"{mount['mountPath']}/{item['path']}"
        for mount in pod.container["volumeMounts"]
        if mount["name"] in secrets
        for item in secrets[mount["name"]]["items"]
    }


def secret_keys(documents: Documents) -> Iterator[tuple[str, str]]:
    for found in every_mapping(list(documents)):
        match found:
            case {"secretKeyRef": {"name": name, "key": key}}:
                yield name, key
            case {"credentials": {"name": name, "key": key}}:
                yield name, key
            case {"secretName": "anabranch-ray-token" as name}:
                yield name, "auth_token"
            case {"secretName": name, "items": items}:
                yield from ((name, item["key"]) for item in items)
            case _:
                pass


def selectors(documents: Documents) -> Iterator[tuple[str, str, Document]]:
    for each in documents:
        name, spec = each["metadata"]["name"], each.get("spec", {})
        match each["kind"]:
            case "Service":
                yield "Service", name, {"matchLabels": spec["selector"]}
            case "PodDisruptionBudget":
                yield "PodDisruptionBudget", name, spec["selector"]
            case "PodMonitor":
                yield "PodMonitor", name, spec["selector"]
            case "NetworkPolicy" if not name.startswith("database"):
                yield "NetworkPolicy", name, spec["podSelector"]
                own = [
                    peer
                    for rule in spec.get("ingress", [])
                    for peer in rule["from"]
                    if "namespaceSelector" not in peer
                ]
                yield from (("peer of NetworkPolicy", name, peer["podSelector"]) for peer in own)


def every_mapping(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from every_mapping(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from every_mapping(inner)
