"""The tenants file: keys are made once, kept as digests, and nothing in it is guessed."""

import json
import stat
from pathlib import Path

import pytest

from anabranch.dag.job import Budget
from anabranch.service.store.jobs.quotas import Quota
from anabranch.service.store.keys import BadKey, digest
from anabranch.service.tenants.callers import Caller
from anabranch.service.tenants.file import BadTenants, Tenants, add_key, read


def test_the_file_holds_digests_for_its_owners_eyes_only(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "tenants.json"
    key = add_key(path, "acme")
    assert key not in path.read_text()
    assert json.loads(path.read_text()) == {"acme": {"keys": [digest(key)]}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_tenant_without_a_name_gets_no_key_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "tenants.json"
    for name in ("", " ", "x\ny", "x" * 101):
        with pytest.raises(BadKey, match="1 to 100 printable characters"):
            add_key(path, name)
    assert not path.exists()
    add_key(path, " acme ")
    assert list(read(path)) == ["acme"]


def test_another_key_leaves_the_first_and_the_quota(tmp_path: Path) -> None:
    path = tmp_path / "tenants.json"
    path.write_text('{"acme": {"tokens_per_day": 10, "tokens_per_job": 5}}')
    keys = [add_key(path, "acme"), add_key(path, "acme")]
    assert len(set(keys)) == 2
    expected = Caller(tenant="acme", sees_all=False, quota=Quota(tokens=10), tokens_per_job=5)
    assert [Tenants(path).caller(digest(key)) for key in keys] == [expected, expected]


def test_an_operator_sees_all(tmp_path: Path) -> None:
    path = tmp_path / "tenants.json"
    keys = add_key(path, "us", operator=True), add_key(path, "acme")
    tenants = Tenants(path)
    found = [caller for key in keys if (caller := tenants.caller(digest(key)))]
    assert [caller.scope for caller in found] == [None, "acme"]
    assert tenants.caller(digest("")) is None


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[]", "all of it: Input should be"),
        ("{", "Invalid JSON"),
        ('{"a": {"key": []}}', "a.key: Extra inputs"),
        ('{"a": {"tokens_per_day": 0}}', "a.tokens_per_day"),
        ('{"a": {"tokens_per_day": 5}}', "needs tokens_per_job"),
        ('{"a": {"cost_per_day": 5}}', "needs cost_per_job"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(written: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "tenants.json"
    path.write_text(written)
    with pytest.raises(BadTenants, match=told):
        read(path)


def test_a_file_that_is_not_there_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(BadTenants, match="anabranch keys new TENANT"):
        Tenants(tmp_path / "nothing.json")


def test_what_a_job_names_itself_stands() -> None:
    caller = Caller(tokens_per_job=400, cost_per_job=1.0)
    assert caller.bound(Budget(tokens=7, depth=2)) == Budget(tokens=7, cost=1.0, depth=2)
    assert caller.bound(Budget()) == Budget(tokens=400, cost=1.0)
