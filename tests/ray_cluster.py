"""One private Ray for the whole session: starting one takes longer than most tests. Four GPUs, which exist only as
numbers. Each test deploys applications of its own."""

from collections.abc import Iterator

import pytest

from anabranch.workers.cluster import environment

LOGICAL_GPUS = 4

environment.prepare()  # before any test module imports Ray


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Ray and Serve on loopback, without HTTP."""
    with environment.local_ray(cpus=4, gpus=LOGICAL_GPUS):
        yield
