"""Starts Ray and Serve with the settings that pay, on loopback unless told otherwise.

The settings are environment variables that Ray reads when it is imported and that every process it starts inherits:
`prepare` comes before the first `import ray`. A variable that is already set wins.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from anabranch.workers.cluster.ray_private import (
    CORE_VARIABLES,
    LOOPBACK_HOOK,
    LOOPBACK_VARIABLES,
    SERVE_VARIABLES,
)

PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",
}

HEAD_SECONDS = 2.0


def prepare(*, loopback: bool = True) -> None:
    """Sets the environment for every Ray process that this one starts.

    Raises RuntimeError when Ray is imported already and would not see it.
    """
    wanted = SERVE_VARIABLES | CORE_VARIABLES | PRIVATE | (LOOPBACK_VARIABLES if loopback else {})
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
