"""Says where webhooks may be sent, and connects there and nowhere else.

Whoever names a URL must not reach by it what only this machine can reach: its own ports, the machines beside it, the
metadata service of a cloud. So a name is resolved once, all its addresses are judged, and the connection is made to one
of those: a name that changes in between (DNS rebinding) changes nothing. An operator may allow private networks; there,
and only there, plain http is taken, too.
"""

import asyncio
import re
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpcore

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]
LONGEST_URL = 2000
_NAT64 = ip_network("64:ff9b::/96")
_NAT64_LOCAL = ip_network("64:ff9b:1::/48")
_COMPATIBLE = ip_network("::/96")
_SITE_LOCAL = ip_network("fec0::/10")
_NAME = re.compile(r"[^.]{1,63}(\.[^.]{1,63})*\.?")
"""Others no resolver takes."""


class TargetRefused(Exception):
    """This is no place that webhooks may be sent to. The message says why."""


def read_networks(written: Iterable[str]) -> Networks:
    """Raises ValueError."""
    return tuple(ip_network(network) for network in written)


def check_url(url: str, allowed: Networks) -> None:
    """Raises TargetRefused for a URL that is wrong by itself; what its name stands for is judged when it is called."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise TargetRefused(f"this is no URL: {error}") from error
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise TargetRefused(f"a URL has at most {LONGEST_URL} printable ASCII characters, and no blank")
    if parts.scheme not in {"https", "http"} or not host:
        raise TargetRefused("a webhook is sent to https://HOST/…")
    if parts.username is not None or parts.fragment:
        raise TargetRefused("neither a user's name nor a fragment can stand in it")
    if parts.scheme == "http" and not allowed:
        raise TargetRefused("a webhook is sent by https, so that nobody on the way reads it")
    address = _read_address(host)
    if address is not None:
        check_address(address, allowed, plain=parts.scheme == "http")
    elif not _NAME.fullmatch(host):
        raise TargetRefused("between the dots of a host's name stand 1 to 63 characters")


def check_address(address: Address, allowed: Networks, *, plain: bool) -> None:
    """Raises TargetRefused. `plain` is without TLS."""
    seen = _unwrap(address)
    if any(
        each in network for each in (address, seen) for network in allowed if network.version == each.version
    ):
        return
    if not seen.is_global or seen.is_multicast or seen.is_reserved or seen in _SITE_LOCAL:
        raise TargetRefused(
            f"{address} is no public address, and ANABRANCH_WEBHOOK_NETWORKS does not allow it"
        )
    if plain:
        raise TargetRefused(f"{address} is a public address: it is called by https only")


def origin_of(url: str) -> str:
    """What may be told of a URL to who reads logs: its path may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connections to addresses that were judged; the certificate is still asked for the name."""

    def __init__(self, allowed: Networks, *, plain: bool) -> None:
        self._allowed = allowed
        self._plain = plain
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises TargetRefused, and httpcore's errors."""
        addresses = await _resolve(host, port)
        for address in addresses:
            check_address(address, self._allowed, plain=self._plain)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise TargetRefused("webhooks are sent over TCP")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _resolve(host: str, port: int) -> list[Address]:
    """Raises httpcore.ConnectError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(f"{host} is not known: {error.strerror}") from error
    told = dict.fromkeys(str(place[0]).partition("%")[0] for *_, place in found)
    return [ip_address(address) for address in told]


def _read_address(host: str) -> Address | None:
    """Of a host that is an address, also in the forms that resolvers take: 127.1, 0x7f000001."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _unwrap(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64 or address in _NAT64_LOCAL or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return (
        address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or address
    )
