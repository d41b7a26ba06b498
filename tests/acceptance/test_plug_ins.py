"""Policies from elsewhere in the whole service: one of an installed package, and one that ends its organizers."""

import os
from pathlib import Path

import pytest
from tests.acceptance.conftest import Up
from tests.plug_ins import install_coin

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

POISON = '''
import os, signal

from anabranch.dag import actions as a
from anabranch.dag.policy import policy


@policy(title="Poison", paper="none: a test", use_when="Never.")
def poison(problem):
    """T is one answer."""
    yield a.Think()
    os.kill(os.getpid(), signal.SIGKILL)
    return a.Answer(text="")
'''


def test_rest_and_organizers_know_both_and_the_one_that_kills_harms_no_other(
    start: Up, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = install_coin(tmp_path)
    (site / "poison_policy.py").write_text(POISON, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("ANABRANCH_POLICY_MODULES", '["poison_policy"]')
    monkeypatch.setenv("ANABRANCH_LEASE_SECONDS", "10")  # a busy machine holds an organizer for longer than 4
    with start("--engine", "scripted") as service:
        names = {item["name"] for item in service.http.get("/v1/policies").json()["items"]}
        assert {"coin", "poison", "plan"} <= names
        coin = service.ended(service.submit("coin", "Which side?", params={"side": "tails"}))
        assert coin["answer"]["text"].startswith("It is tails: ")

        culprit = service.submit("poison", "What is six times seven?")
        others = [service.submit("self-consistency", f"Is {n} prime?", params={"n": 4}) for n in range(20)]
        failed, rows = service.ended(culprit), [service.ended(job) for job in others]
        assert failed["error"]["type"] == "poison"
        assert "its organizer's process ended in the middle of a step" in failed["error"]["detail"]
        assert {row["status"] for row in rows} == {"succeeded"}
        assert max(row["attempt"] for row in rows) <= 2
        assert service.stop() == 0
