"""What the pages tell an operator to type does what it is typed for."""

import re
from pathlib import Path

import pytest
from tests.deploy.manifests import Documents, pods

SCALED = re.compile(r"scale (\S+ \S+) --replicas=(\d+)")
WAITED_FOR = re.compile(r"wait --for=delete pod -l '(\S+) in \((\S+)\)' --timeout=(\d+)m")


def blocks(page: Path) -> list[str]:
    return page.read_text(encoding="utf-8").split("```")[1::2]


@pytest.fixture
def restore(root: Path) -> str:
    [block] = [each for each in blocks(root / "docs/kubernetes.md") if "pg_restore" in each]
    return block


def test_what_is_scaled_to_nothing_is_scaled_up_again(root: Path, restore: str) -> None:
    """An applied Deployment without `replicas` stays at 0, and a HorizontalPodAutoscaler leaves it there."""
    found = [block for page in sorted((root / "docs").rglob("*.md")) for block in blocks(page)]
    assert restore in found
    assert dict(SCALED.findall(restore.partition("pg_restore")[0])) == {"deployment anabranch-api": "0"}
    for block in found:
        assert "0" not in dict(SCALED.findall(block)).values(), block


def test_a_database_is_restored_when_all_that_write_it_have_gone(documents: Documents, restore: str) -> None:
    [(label, values, minutes)] = WAITED_FOR.findall(restore.partition("pg_restore")[0])
    writers = [pod for pod in pods(documents) if "ANABRANCH_DATABASE" in pod.environment]
    stopped = [pod for pod in pods(documents) if pod.labels.get(label) in values.split(",")]
    assert [pod.name for pod in stopped] == [pod.name for pod in writers if pod.name != "anabranch-migrate"]
    assert max(pod.spec["terminationGracePeriodSeconds"] for pod in stopped) < int(minutes) * 60


def test_nobody_waits_for_the_schema_before_programs_are_replaced_on_which_it_may_wait(root: Path) -> None:
    upgrades = [
        each for each in blocks(root / "docs/kubernetes.md") if "delete job anabranch-migrate" in each
    ]
    assert len(upgrades) == 2
    for block in upgrades:
        before, applied, _ = block.partition("delete job")[2].partition("kubectl apply -k OVERLAY")
        assert applied
        assert "wait" not in before
