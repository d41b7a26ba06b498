"""Gathers all that this program uses of Ray beyond its documented interface, each with the reason; nobody else does.

Ray may change any of it in a minor release, so `pyproject.toml` allows only the minor release that
`tests/workers/cluster/test_ray_private.py` was run on: one test there for each use here. To allow the next release, run
them on it, and the tests marked `ray`.
"""

from collections.abc import Mapping
from typing import Any

SERVE_VARIABLES = {
    # Router, user code and gRPC in one event loop per replica: a handle call costs half, a streamed chunk a third
    # (benchmarks/serve_settings.py).
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # It would also start an HTTP server in every ingress replica, which only HAProxy can use, and drain it for 30 s.
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0",
}
CORE_VARIABLES = {
    # Ray runs its workers at nice 15: beside anything else on the machine each call then takes twice as long.
    "RAY_worker_niceness": "0",
}
LOOPBACK_VARIABLES = {
    # Ray binds 127.0.0.1 only on the systems that this variable is named for; on Linux it has the same effect.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Nobody else can reach the cluster, and a token would be written to the user's home.
    "RAY_AUTH_MODE": "disabled",
    # Nobody brings the head of such a cluster back: its processes need not wait a minute for it before they end.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
}
LOOPBACK_HOOK = f"{__name__}.bind_to_loopback"
"""As `worker_process_setup_hook`: run first in every worker process."""

LOGGERS = ("ray._private.worker", "ray.serve")
"""Those that Ray gives a level of its own, so that only a filter quiets them."""


def bind_to_loopback() -> None:
    """Lets the gRPC servers of this process listen on 127.0.0.1. Must run before `ray.serve` is imported.

    Each Serve replica opens a gRPC server for calls between replicas on `[::]:0`, all interfaces, and has no setting
    for one address (`_on_initialized` in ray/serve/_private/replica.py). It takes the port through one small function,
    which is wrapped here. Where replicas on several machines must reach each other, this hook is not installed.
    """
    from ray._common import tls_utils

    add_port = tls_utils.add_port_to_grpc_server

    def add_port_on_loopback(server: Any, address: str) -> Any:
        return add_port(server, address.replace("[::]", "127.0.0.1"))

    tls_utils.add_port_to_grpc_server = add_port_on_loopback


def cluster_id() -> str:
    """Names the cluster that this process belongs to. With fault tolerance its head may die and come back: that keeps
    the name."""
    from ray._private import worker

    told: str = worker.global_worker.gcs_client.cluster_id.hex()
    return told


def open_handle(deployment: str, app: str) -> Any:
    """A handle that its owner shuts down (`shutdown_handle`). Those of `serve.get_deployment_handle` are kept by Serve,
    and shut down by it when the event loop that they belong to is long gone."""
    from ray.serve.handle import DeploymentHandle

    return DeploymentHandle(deployment, app)


def count_starting(app: str, deployment: str) -> tuple[int, int]:
    """How many replicas of a deployment that starts wait for a machine, and how many are on theirs and load. Serve's
    status counts both together."""
    from ray.serve.context import _get_global_client

    told = _get_global_client().get_serve_details()["applications"].get(app, {}).get("deployments", {})
    starting = [each for each in told.get(deployment, {}).get("replicas", ()) if each["state"] == "STARTING"]
    placed = sum(each.get("node_id") is not None for each in starting)
    return len(starting) - placed, placed


async def ask_every_replica(handle: Any, method: str, **arguments: Any) -> list[Any]:
    """One call to each replica; its answer, or the exception in its place."""
    answers: list[Any] = await handle.broadcast(method, **arguments).results_async(return_exceptions=True)
    return answers


async def shutdown_handle(handle: Any) -> None:
    await handle.shutdown_async()


def metadata_of_replicas(router: Any) -> Mapping[str, Mapping[str, Any]]:
    """What each replica that a request router knows has said about itself (`record_replica_metadata`), by its id."""
    return {
        replica_id.unique_id: replica.replica_metadata for replica_id, replica in router.curr_replicas.items()
    }
