"""vLLM's own processes end with the replica that started them, even when that one is killed.

Without this a killed replica leaves its engine process behind, with its memory and its GPU, and the replica that Serve
starts in its place finds no room. vLLM calls `end_with_parent` in each of its processes: it is named in pyproject.toml
under the entry points `vllm.general_plugins`.
"""

import multiprocessing
import multiprocessing.connection
import os
import threading


def end_with_parent() -> None:
    """In a process that multiprocessing started: watch the parent, end when it is gone. Elsewhere: nothing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), name="lifeline", daemon=True).start()


def _watch(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)  # at once: the main thread may be deep inside a kernel, and nobody is left to clean up for
