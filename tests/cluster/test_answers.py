"""A cluster as it is deployed: it answers, spreads, and stays as it is when it is told the same again."""

import pytest
from tests.cluster.bed import Bed
from tests.cluster.clients import Clients
from tests.cluster.effects import owners, tried_again

pytestmark = pytest.mark.cluster

WISHES = (
    {"policy": {"name": "sequential"}},
    {"policy": {"name": "self-consistency", "params": {"n": 3, "stop": "all"}}},
)


async def test_fifty_jobs_are_answered_by_all_of_its_parts(bed: Bed, clients: Clients) -> None:
    given = [job for wish in WISHES for job in await clients.submit(25, "steady", **wish)]
    await clients.await_ended(given)
    journals = await clients.check(given)
    assert not tried_again(journals)
    assert owners(journals.values()) == {worker.name for worker in bed.ray.workers}


def test_organizers_are_on_different_nodes_and_nothing_is_on_the_head(bed: Bed) -> None:
    replicas = bed.ray.replicas()
    places = {name: [one["node_ip"] for one in each] for name, each in replicas.items()}
    assert len(set(places["Organizer"])) == 2, places
    assert bed.ray.head.address not in {place for each in places.values() for place in each}, places


def test_the_same_config_put_twice_changes_no_process(bed: Bed) -> None:
    before = _processes(bed)
    bed.ray.put(bed.manifest.serve_config)
    bed.ray.await_running()
    assert _processes(bed) == before


def _processes(bed: Bed) -> set[tuple[str, str, int]]:
    return {(name, one["actor_id"], one["pid"]) for name, each in bed.ray.replicas().items() for one in each}
