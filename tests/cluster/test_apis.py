"""A REST process that dies under those who read from it: they go on at the other one."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from tests.cluster.bed import Bed
from tests.cluster.clients import Clients
from tests.cluster.conftest import now, spoken
from tests.cluster.effects import effects, tried_again
from tests.cluster.readers import CompletionReader, EventsReader

pytestmark = pytest.mark.cluster

SOME = 5
"""Pieces of text that are read before the process dies."""


async def test_streams_go_on_at_the_other_api_without_gap_or_repeat(
    bed: Bed, clients: Clients, measured: Callable[[str], None]
) -> None:
    [job] = await clients.submit(1, "steady")
    async with httpx.AsyncClient(timeout=30) as http:
        events, completion = EventsReader(http, job), CompletionReader(http)
        asking = asyncio.create_task(completion.ask(bed.urls[0], "Be steady."))
        await events.read(bed.urls[0], pieces=SOME)
        while completion.pieces < SOME:
            await asyncio.sleep(0.05)
        at = now()
        bed.apis[0].kill()
        with pytest.raises(httpx.TransportError):
            await asking
        assert completion.job is not None
        clients.jobs.append(completion.job)
        await completion.take_up(bed.urls[1])
        await events.read(bed.urls[1])
    bed.apis[0].start()
    bed.await_api(bed.apis[0])
    assert events.seqs == list(range(1, len(events.seqs) + 1))
    assert events.names[-1] == "JobSucceeded"
    assert completion.text == spoken(160)
    journals = await clients.check([job, completion.job])
    assert not tried_again(journals)
    assert not effects(journals, at)
    measured("API killed under two streams: no job hit, both read on at the other one")
