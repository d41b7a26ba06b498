"""`anabranch keys`: keys are made, seen, ended and replaced; the whole of one is told once."""

import json
from pathlib import Path
from typing import Any

import pytest

from anabranch.service.cli.keys import read_span


def shown(anabranch: Any) -> dict[str, dict[str, Any]]:
    return {key["name"]: key for key in json.loads(anabranch("keys", "list", "--json").out)}


def test_a_key_is_told_once_and_listed_by_how_it_begins(anabranch: Any) -> None:
    key = anabranch("keys", "new", "acme").out.strip()
    ((name, listed),) = shown(anabranch).items()
    assert key.startswith(f"{name}-") and len(key) > len(name) + 40
    assert (listed["tenant"], listed["roles"], listed["state"]) == (
        "acme", ["submit", "read", "approve"], "valid"
    )  # fmt: skip
    assert listed["expires_at"] is None
    table = anabranch("keys", "list").out
    assert name in table and key not in table


def test_roles_expiry_and_operator_are_said(anabranch: Any) -> None:
    said = ("--role", "read", "--role", "approve", "--expires", "90d", "--operator")
    made = json.loads(anabranch("keys", "new", "us", *said, "--json").out)
    assert (made["roles"], made["operator"]) == (["read", "approve"], True)
    assert made["expires_at"] > made["created_at"]
    assert made["key"].startswith(made["name"])


def test_a_key_that_was_revoked_is_listed_as_that(anabranch: Any) -> None:
    name = json.loads(anabranch("keys", "new", "acme", "--json").out)["name"]
    assert anabranch("keys", "revoke", name[:7]).out == f"{name} is revoked\n"
    assert anabranch("keys", "revoke", name).code == 0, "it may be said twice"
    assert shown(anabranch)[name]["state"] == "revoked"
    again = anabranch("keys", "rotate", name, "--grace", "1h")
    assert again.code == 1 and "has ended" in again.err


def test_a_rotated_key_goes_on_as_long_as_was_said(anabranch: Any) -> None:
    old = json.loads(anabranch("keys", "new", "acme", "--role", "read", "--json").out)
    new = json.loads(anabranch("keys", "rotate", old["name"], "--grace", "24h", "--json").out)
    listed = shown(anabranch)
    assert (new["tenant"], new["roles"], new["expires_at"]) == ("acme", ["read"], None)
    assert (listed[old["name"]]["state"], listed[new["name"]]["state"]) == ("valid", "valid")
    assert listed[old["name"]]["expires_at"] is not None
    anabranch("keys", "rotate", new["name"], "--grace", "0")
    assert shown(anabranch)[new["name"]]["state"] == "expired"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("revoke", "ab-00000000"), 1, "There is no key 'ab-00000000'"),
        (("revoke", "sha256:00"), 1, "There is no key"),
        (("rotate", "sha256:000000000000", "--grace", "1h"), 2, "has no end that could be set"),
        (("rotate", "ab-00000000"), 2, "--grace"),
        (("new", "acme", "--expires", "soon"), 2, "no span of time"),
        (("new", "acme", "--expires", "999999999w"), 2, "longer than a hundred years"),
        (("new", "acme", "--expires", "0d"), 2, "opens nothing"),
        (("new", "acme", "--expires", "0"), 2, "opens nothing"),
        (("new", ""), 2, "1 to 100 printable characters"),
        (("new", " \t"), 2, "1 to 100 printable characters"),
        (("new", "x\ny"), 2, "1 to 100 printable characters"),
        (("new", "x" * 3000), 2, "1 to 100 printable characters"),
        (("new", "acme", "--role", "owner"), 2, "owner"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    anabranch: Any, arguments: tuple[str, ...], code: int, told: str
) -> None:
    ran = anabranch("keys", *arguments)
    assert (ran.code, ran.err.count("\n")) == (code, 1), ran.err
    assert told in ran.err
    assert shown(anabranch) == {}, "a key that nobody can use would lock the service"


def test_a_key_is_not_rotated_into_one_that_has_ended(anabranch: Any) -> None:
    name = json.loads(anabranch("keys", "new", "acme", "--json").out)["name"]
    ran = anabranch("keys", "rotate", name, "--grace", "0", "--expires", "0d")
    assert ran.code == 2 and "opens nothing" in ran.err
    assert {key["state"] for key in shown(anabranch).values()} == {"valid"}


def test_a_beginning_that_several_have_is_no_name(anabranch: Any) -> None:
    for _ in range(2):
        anabranch("keys", "new", "acme")
    ran = anabranch("keys", "revoke", "ab-")
    assert ran.code == 1 and "Several keys begin with 'ab-'" in ran.err
    assert {key["state"] for key in shown(anabranch).values()} == {"valid"}


class TestWithATenantsFile:
    @pytest.fixture(autouse=True)
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("ANABRANCH_TENANTS", str(tmp_path / "tenants.json"))
        return tmp_path / "tenants.json"

    def test_a_key_goes_into_the_file_unless_the_store_is_named(self, anabranch: Any, path: Path) -> None:
        anabranch("keys", "new", "acme")
        anabranch("keys", "new", "acme", "--in", "store")
        assert len(json.loads(path.read_text())["acme"]["keys"]) == 1
        assert sorted(key["state"] for key in shown(anabranch).values()) == ["in the file", "valid"]

    def test_roles_and_expiry_are_for_the_store(self, anabranch: Any, path: Path) -> None:
        ran = anabranch("keys", "new", "acme", "--role", "read")
        assert ran.code == 2 and "--in store" in ran.err
        assert anabranch("keys", "new", "").code == 2
        assert not path.exists()
        assert anabranch("keys", "new", "acme", "--role", "read", "--in", "store").code == 0

    def test_a_key_of_the_file_is_revoked_by_its_digest(self, anabranch: Any, path: Path) -> None:
        anabranch("keys", "new", "acme")
        anabranch("keys", "new", "other")
        name = next(key["name"] for key in shown(anabranch).values() if key["tenant"] == "acme")
        assert anabranch("keys", "revoke", name).code == 0
        assert not json.loads(path.read_text())["acme"].get("keys")
        assert {key["tenant"] for key in shown(anabranch).values()} == {"other"}


def test_spans_are_a_number_and_a_unit() -> None:
    assert [read_span(told) for told in ("90d", "24h", "30m", "5s", "1w", "0")] == [
        7_776_000, 86_400, 1800, 5, 604_800, 0
    ]  # fmt: skip


def test_the_pages_commands_do_as_the_page_says(anabranch: Any) -> None:
    lines = [
        line.partition("#")[0].split()[1:]
        for line in (Path(__file__).parents[3] / "docs" / "keys.md").read_text().splitlines()
        if line.startswith("anabranch ")
    ]
    assert len(lines) >= 6
    for words in lines:
        name = json.loads(anabranch("keys", "new", "acme", "--json").out)["name"]
        ran = anabranch(*(name if word.startswith("ab-") else word for word in words))
        assert ran.code == 0, ran.err
