"""Finds the environment variables that Kubernetes makes for Services named anabranch…: they are no settings."""

import re
from collections.abc import Mapping
from ipaddress import ip_address

_HOST = "_SERVICE_HOST"
LINK = re.compile(
    r"(ANABRANCH(?:_\w+?)??)_(SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
LINK_HINT = (
    "it looks like a service link, which Kubernetes makes for a Service whose name begins with anabranch: "
    "set enableServiceLinks: false in the pod's spec, or name the Service otherwise"
)


def find_service_links(environment: Mapping[str, str]) -> set[str]:
    """The variables that Kubernetes puts into every container for a Service whose name begins with anabranch: they are
    no settings, though some are called like one: ANABRANCH_PORT, ANABRANCH_LINK_PORT. Such a set is known by its
    ..._SERVICE_HOST, an address.
    """
    hosts = (name for name, value in environment.items() if name.endswith(_HOST) and _is_address(value))
    services = {name.removesuffix(_HOST) for name in hosts}
    links = {name: LINK.fullmatch(name) for name in environment}
    return {
        name
        for name, link in links.items()
        if link is not None and link[1] in services and (link[2] != "PORT" or "://" in environment[name])
    }


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
