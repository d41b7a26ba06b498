"""Waits for what comes by itself. How long that takes says how busy the machine is; only that it comes is judged."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
from tests.cluster.pod import Pod

READY_SECONDS = 240.0


def await_true(what: str, holds: Callable[[], bool], *pods: Pod, seconds: float = READY_SECONDS) -> None:
    """Pods that it takes are started again when they end meanwhile, as the kubelet would: on a busy machine Ray may not
    come up, and a head may end after it has answered.

    Raises AssertionError, with the end of the pods' logs, when it does not hold in time.
    """
    give_up = time.monotonic() + seconds
    while not holds():
        for pod in pods:
            if not pod.running:
                pod.start()
        if time.monotonic() > give_up:
            logs = (f"{pod.name}: {pod.log.read_text(errors='replace')[-3000:]}" for pod in pods)
            raise AssertionError("\n".join([f"not in time: {what}", *logs]))
        time.sleep(0.5)


def answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=5).status_code == httpx.codes.OK
    return False


def listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True
