"""Ray's environment is there before Ray is."""

import os
import sys

import pytest

from anabranch.workers.cluster import environment
from anabranch.workers.cluster.ray_private import LOOPBACK_VARIABLES


def test_what_the_operator_has_set_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_SERVE_THROUGHPUT_OPTIMIZED", "0")
    monkeypatch.delenv("RAY_SERVE_ENABLE_DIRECT_INGRESS")
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    environment.prepare()

    assert os.environ["RAY_SERVE_THROUGHPUT_OPTIMIZED"] == "0"
    assert os.environ["RAY_SERVE_ENABLE_DIRECT_INGRESS"] == "0"


def test_a_cluster_of_several_machines_is_not_bound_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LOOPBACK_VARIABLES:
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    environment.prepare(loopback=False)

    assert not LOOPBACK_VARIABLES.keys() & os.environ.keys()


def test_preparing_after_ray_was_imported_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", object())
    monkeypatch.delenv("RAY_worker_niceness")

    with pytest.raises(RuntimeError, match="RAY_worker_niceness came too late"):
        environment.prepare()
