"""Ray and Serve with the settings that pay, on loopback unless told otherwise.

The settings are environment variables that Ray reads when it is imported and that every process it starts inherits:
`prepare` comes before the first `import ray`. A variable that is already set wins.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

FAST = {
    # Router, user code and gRPC in one event loop per replica: a handle call costs half, a streamed chunk a third
    # (benchmarks/serve_settings.py).
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # It would also start an HTTP server in every ingress replica, which only HAProxy can use, and drain it for 30 s.
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0",
    # Ray runs its workers at nice 15: beside anything else on the machine each call then takes twice as long.
    "RAY_worker_niceness": "0",
}

LOOPBACK = {
    # Ray binds 127.0.0.1 only on the systems that this variable is named for; on Linux it has the same effect.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Nobody else can reach the cluster, and a token would be written to the user's home.
    "RAY_AUTH_MODE": "disabled",
    # Nobody brings the head of such a cluster back: its processes need not wait a minute for it before they end.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
}

PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",
}

HEAD_SECONDS = 2.0
LOOPBACK_HOOK = "anabranch.workers.cluster.loopback.bind_to_loopback"


def prepare(*, loopback: bool = True) -> None:
    """Sets the environment for every Ray process that this one starts.

    Raises RuntimeError when Ray is imported already and would not see it.
    """
    wanted = FAST | PRIVATE | (LOOPBACK if loopback else {})
    missing = {name: value for name, value in wanted.items() if name not in os.environ}
    if missing and "ray" in sys.modules:
        raise RuntimeError(
            f"Ray was imported before its environment was prepared; {', '.join(sorted(missing))} came too late. "
            "Call anabranch.workers.cluster.environment.prepare() before anything imports ray."
        )
    os.environ.update(missing)


@contextmanager
def local_ray(
    *,
    cpus: int | None = None,
    gpus: int | None = None,
    object_store_bytes: int = 200 * 2**20,
) -> Iterator[None]:
    """A private Ray on this machine, on loopback only, with Serve ready for handles and without HTTP; gone afterwards.

    `gpus` may be logical: Ray then hands out that many, whatever the machine has. None takes what is there.
    """
    prepare()
    import ray
    from ray import serve

    # Short, because the unix sockets inside may have 107 characters in all.
    with (
        tempfile.TemporaryDirectory(prefix="anabranch-", ignore_cleanup_errors=True) as folder,
        ExitStack() as ending,
    ):
        ending.callback(ray.shutdown)
        ray.init(
            address="local",
            num_cpus=cpus,
            num_gpus=gpus,
            object_store_memory=object_store_bytes,
            include_dashboard=False,
            log_to_driver=False,
            runtime_env={"worker_process_setup_hook": LOOPBACK_HOOK},
            _temp_dir=folder,
        )
        ending.callback(serve.shutdown)
        serve.start(proxy_location="Disabled")
        yield


def head_is_there() -> bool:
    """Whether the head of the Ray that this process belongs to still listens. Without it, Ray ends everywhere."""
    import ray

    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=HEAD_SECONDS).close()
    except ConnectionRefusedError:
        return False
    except TimeoutError:
        return True  # it is slow, not gone
    return True
