"""Each alert asks for what /metrics tells, and says what to do."""

import re
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from tests.deploy.manifests import of_kind, render

from anabranch.service.api.metrics.http import Meters
from anabranch.workers.pool.protocol import PoolLoad

PAGE = Path(__file__).parents[2] / "docs/kubernetes.md"
ADDED_BY_PROMETHEUS = {"le", "instance", "job", "pod", "namespace"}


def alerts() -> list[Any]:
    [rule] = of_kind(render("gpu"), "PrometheusRule")
    return [alert for group in rule["spec"]["groups"] for alert in group["rules"]]


def told() -> dict[str, set[str]]:
    """The series of /metrics, each with its labels."""
    meters = Meters()
    text = prometheus_client.generate_latest(meters.registry).decode()
    collectors = meters.registry._collector_to_names
    labels = {name: set(each._labelnames) for each, names in collectors.items() for name in names}  # type: ignore[attr-defined]
    assert set(re.findall(r"# TYPE (\w+)", text)) <= labels.keys()
    return labels


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_series_and_labels_that_exist(alert: Any) -> None:
    series = told()
    asked = re.findall(r"(anabranch_\w+)(?:\{([^}]*)\})?", alert["expr"])
    assert asked
    for name, matchers in asked:
        assert name in series
        assert set(re.findall(r"(\w+)=~?", matchers)) <= series[name] | ADDED_BY_PROMETHEUS
    by = {label for each in re.findall(r"by \(([^)]*)\)", alert["expr"]) for label in each.split(", ")}
    assert by <= set().union(*(series[name] for name, _ in asked)) | ADDED_BY_PROMETHEUS


def told_at_once(*, store: bool) -> set[str]:
    """The series of a process that has counted nothing yet; with or without those that are read from the store."""
    meters = Meters()
    meters.pools.set({"main": PoolLoad(replicas=0, decoding=0, capacity=0)})
    if store:
        meters.jobs.labels("running").set(0)
    return {sample.name for metric in meters.registry.collect() for sample in metric.samples}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_that_waits_for_nothing_counts_what_was_never_counted_as_nothing(alert: Any) -> None:
    """A counter with labels has no series before it counts, and where nothing is summed `== 0` is never true."""
    for compared in re.split(r"\s(?:and|or|unless)\s(?!vector)", alert["expr"]):
        if re.search(r"(==|<=?)\s*\d", compared):
            asked = set(re.findall(r"anabranch_\w+", compared))
            assert asked <= told_at_once(store=True) or " or vector(0)" in compared


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_what_is_looked_for_as_missing_is_told_while_the_store_is_away(alert: Any) -> None:
    """Or it would tell that nobody is scraped."""
    assert set(re.findall(r"absent\((\w+)", alert["expr"])) <= told_at_once(store=False)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_has_its_lines_in_the_runbook(alert: Any) -> None:
    assert alert["annotations"]["runbook"] == f"docs/kubernetes.md#{alert['alert'].lower()}"
    _, _, after = PAGE.read_text(encoding="utf-8").partition(f"### {alert['alert']}\n")
    lines = after.partition("\n#")[0].strip()
    assert len(lines) > 80, "what it means, and what to do"
