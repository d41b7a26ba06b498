"""One cluster for all tests of this room: they hand it on whole, in the order of their files' names."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from tests.cluster.bed import Bed, laid_bed
from tests.cluster.clients import Clients
from tests.cluster.network import NotHere

SCRIPTED = {"engine": "scripted", "script": "/etc/anabranch/script.json"}
SETTINGS = {
    "pools": {
        "steady": {**SCRIPTED, "model": "steady", "replicas": 2, "max_decodes": 64},
        "sleeper": {
            **SCRIPTED,
            "model": "sleeper",
            "min_replicas": 0,
            "max_replicas": 2,
            "max_decodes": 4,
        },
    },
    "default_pool": "steady",
    "scale_down_seconds": 5,
    "lease_seconds": 10,  # two busy cores can hold an organizer for longer than the usual 4, and an attempt is counted
}
TOKENS_PER_SECOND = 20.0


def spoken(tokens: int) -> str:
    """A text in which a missing or doubled piece is seen."""
    return " ".join(f"w{number}" for number in range(tokens)) + " \\boxed{42}"


SCRIPT = {
    "rules": [
        {"matches": "brief", "text": spoken(10)},  # half a second
        {"matches": "long", "text": spoken(800)},  # 40 seconds
        {"text": spoken(160)},  # 8 seconds
    ],
    "tokens_per_second": TOKENS_PER_SECOND,
}


@pytest.fixture(scope="session")
def bed() -> Iterator[Bed]:
    """Skips where there can be none; on CI that is a failure."""
    try:
        with laid_bed(SETTINGS, SCRIPT) as bed:
            bed.start()
            yield bed
    except NotHere as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no cluster here: {error}")


@pytest.fixture(scope="session")
def clients(bed: Bed) -> Clients:
    return Clients(bed.database, bed.urls)


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tells a figure at the end of the session: none of them is asserted."""
    return lambda told: request.node.user_properties.append(("measured", told))


def now() -> datetime:
    """As the journal tells time: this machine's clock is everybody's."""
    return datetime.now(UTC)
