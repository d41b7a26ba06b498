"""Where webhooks may be sent: what a URL says, what its name stands for, and that nobody is called but that."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from anabranch.service.webhooks.targets import (
    CheckedNetwork,
    TargetRefused,
    check_address,
    check_url,
    origin_of,
    read_networks,
)

NONE = read_networks([])
HERE = read_networks(["127.0.0.0/8", "::1/128"])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "192.0.2.7", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254",
        "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:0a00:0001::1", "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_addresses_that_only_this_machine_may_reach_are_refused(address: str) -> None:
    with pytest.raises(TargetRefused, match="no public address, and ANABRANCH_WEBHOOK_NETWORKS"):
        check_address(ip_address(address), NONE, plain=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_called_by_https_only(address: str) -> None:
    check_address(ip_address(address), NONE, plain=False)
    for allowed in (NONE, HERE):
        with pytest.raises(TargetRefused, match="https only"):
            check_address(ip_address(address), allowed, plain=True)


def test_an_operator_allows_networks() -> None:
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        check_address(ip_address(address), HERE, plain=True)
    with pytest.raises(TargetRefused):
        check_address(ip_address("10.0.0.1"), HERE, plain=True)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://example.com/", "https://HOST"),
        ("file:///etc/passwd", "https://HOST"),
        ("example.com", "https://HOST"),
        ("https:///x", "https://HOST"),
        ("http://example.com/", "by https"),
        ("https://me:secret@example.com/", "user's name"),
        ("https://example.com/#x", "fragment"),
        ("https://exa mple.com/", "no blank"),
        ("https://example.com/\n", "printable"),
        ("https://example.com/" + "x" * 2000, "at most"),
        ("https://[::1/", "no URL"),
        ("https://example.com:99999/", "no URL"),
        ("https://127.0.0.1/", "no public address"),
        ("https://127.1/", "no public address"),
        ("https://2130706433/", "no public address"),
        ("https://0x7f000001/", "no public address"),
        ("https://a..b/x", "between the dots"),
        ("https://.example.com/", "between the dots"),
        ("https://example.com../", "between the dots"),
        ("https://./", "between the dots"),
        (f"https://{'a' * 64}.example.com/", "between the dots"),
        (f"https://example.{'a' * 64}/", "between the dots"),
        ("https://[fec0::1]/x", "no public address"),
        ("https://[::ffff:169.254.169.254]/latest", "no public address"),
    ],
)
def test_a_url_that_is_wrong_by_itself_is_refused(url: str, told: str) -> None:
    with pytest.raises(TargetRefused, match=told):
        check_url(url, NONE)


def test_urls_that_are_right() -> None:
    check_url("https://hooks.example.com:8443/in?token=x", NONE)
    check_url("http://127.0.0.1:9/in", HERE)
    check_url(f"https://{'a' * 63}.my_hooks-1.example.com./", NONE)
    assert origin_of("https://hooks.example.com:8443/in?token=x") == "https://hooks.example.com:8443"


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: Sequence[str]) -> list[str]:
    """Names stand for these addresses, one answer after the other; gives what was asked."""
    asked: list[str] = []

    async def getaddrinfo(_loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


class Connections:
    """Where a connection was asked for."""

    def __init__(self) -> None:
        self.made: list[str] = []

    async def connect_tcp(self, host: str, *_: Any) -> str:
        self.made.append(host)
        return "connected"


async def connect(*, plain: bool = False) -> list[str]:
    network, inner = CheckedNetwork(NONE, plain=plain), Connections()
    network._network = inner  # type: ignore[assignment]
    try:
        await network.connect_tcp("hooks.example.com", 443)
    finally:
        assert len(inner.made) <= 1
    return inner.made


async def test_a_name_is_resolved_once_and_its_address_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    assert await connect() == ["93.184.216.34"], "the address itself: nobody resolves the name again"
    assert asked == ["hooks.example.com"]


@pytest.mark.parametrize("answer", [["10.0.0.7"], ["93.184.216.34", "127.0.0.1"]])
async def test_a_name_of_a_private_address_is_refused_whole(
    monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    resolving(monkeypatch, answer)
    with pytest.raises(TargetRefused, match="no public address"):
        await connect()
