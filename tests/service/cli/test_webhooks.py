"""`anabranch webhooks`, run as a user runs it."""

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def test_an_endpoint_is_made_tested_and_its_secret_replaced(
    anabranch: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = anabranch("webhooks", "new", "https://hooks.example.com/here", "--event", "batch.completed")
    assert made.code == 0, made.err
    name, secret = made.out.split()
    assert secret.startswith("whsec_")
    listed = anabranch("webhooks", "list")
    assert name in listed.out and "batch.completed" in listed.out and secret not in listed.out
    again = anabranch("webhooks", "rotate", name, "--grace", "24h")
    assert again.out.split()[0] == name and again.out.split()[1] not in {secret, ""}
    monkeypatch.setenv("ANABRANCH_WEBHOOK_NETWORKS", '["127.0.0.0/8"]')
    nobody = anabranch("webhooks", "new", "http://127.0.0.1:1/").out.split()[0]
    tried = anabranch("webhooks", "test", nobody)
    assert tried.code == 1
    assert tried.out.startswith("not delivered: ConnectError") and tried.out.count("\n") == 1
    assert anabranch("webhooks", "enable", nobody).out == f"{nobody} is enabled\n"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("new", "https://127.0.0.1/"), "no public address"),
        (("new", "https://example.com/", "--event", "job.ended"), "events.0"),
        (("test", "whe_none"), "whe_none"),
        (("rotate", "whe_none", "--grace", "soon"), "no span of time"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(anabranch: Run, asked: tuple[str, ...], told: str) -> None:
    ended = anabranch("webhooks", *asked)
    assert ended.code != 0 and ended.err.count("\n") == 1 and told in ended.err, ended.err
