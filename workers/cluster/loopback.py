"""Run first in every Ray worker process of a loopback-only instance: Serve 2.60 has no setting for one address.

Each Serve replica opens a gRPC server for calls between replicas on `[::]:0`, all interfaces (`_on_initialized` in
ray/serve/_private/replica.py). It takes the port through one small function, which is wrapped here. Where replicas on
several machines must reach each other (Kubernetes), this hook is not installed.
"""

from typing import Any


def bind_to_loopback() -> None:
    """Let the gRPC servers of this process listen on 127.0.0.1. Must run before `ray.serve` is imported."""
    from ray._common import tls_utils

    add_port = tls_utils.add_port_to_grpc_server

    def add_port_on_loopback(server: Any, address: str) -> Any:
        return add_port(server, address.replace("[::]", "127.0.0.1"))

    tls_utils.add_port_to_grpc_server = add_port_on_loopback
