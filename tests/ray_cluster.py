"""One private Ray for the whole session: starting one takes longer than most tests. Four GPUs, which exist only as
numbers. Each test deploys applications of its own."""

from collections.abc import Iterator

import pytest

from anabranch.workers import ray_env

LOGICAL_GPUS = 4

ray_env.prepare()  # before any test module imports Ray


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Ray and Serve on loopback, without HTTP."""
    with ray_env.local_ray(cpus=4, gpus=LOGICAL_GPUS):
        yield
