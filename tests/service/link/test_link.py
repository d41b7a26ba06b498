"""Both ends of the link, on loopback: who may connect, what is told, and what happens when an end is gone."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.service.link.frames import PATH, TextNews, Texts
from anabranch.service.link.links import Links
from anabranch.service.link.outbox import OpenText
from anabranch.service.link.server import LinkServer
from anabranch.service.store.jobs.organizers import OrganizerRow
from anabranch.workers.pool.protocol import PoolLoad

JOB = JobId("j")
LOAD = PoolLoad(replicas=2, decoding=3, capacity=64)


class Worker:
    """An organizer that runs one job with one open segment."""

    def __init__(self) -> None:
        self.nudged: list[JobId | None] = []
        self.followers: list[JobId] = []
        self.text = ""

    def nudge(self, job: JobId | None = None) -> None:
        self.nudged.append(job)

    def followed(self, job: JobId) -> None:
        self.followers.append(job)

    def open_branches(self, job: JobId) -> Iterable[BranchId]:
        return [TRUNK] if job == JOB else []

    def open_text(self, job: JobId, branch: BranchId) -> OpenText | None:
        if job != JOB or not self.text:
            return None
        return OpenText(branch=branch, segment=1, since=3, final=True, thought="", text=self.text)

    def load(self) -> PoolLoad:
        return LOAD


class Reader:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.seqs: dict[JobId, int] = {}
        self.overs: list[JobId] = []
        self.text = ""
        self.ends: list[int] = []
        self.lost_ones: list[str] = []
        self.all_linked = False

    def reached(self, job: JobId, seq: int) -> None:
        self.seqs[job] = seq

    def over(self, job: JobId) -> None:
        self.overs.append(job)

    def wrote(self, organizer: str, text: TextNews) -> None:
        self.text = self.text[: text.at] + text.text

    def ended(self, job: JobId, branch: BranchId, segment: int) -> None:
        self.ends.append(segment)

    def lost(self, organizer: str) -> None:
        self.lost_ones.append(organizer)

    def linked(self, *, all_of_them: bool) -> None:
        self.all_linked = all_of_them


class Addresses:
    def __init__(self) -> None:
        self.alive: dict[str, str] = {}

    async def list(self) -> Mapping[str, OrganizerRow]:
        return {name: OrganizerRow(name=name, address=address) for name, address in self.alive.items()}


@asynccontextmanager
async def organizer(
    worker: Worker, addresses: Addresses, secret: str | None = None
) -> AsyncIterator[LinkServer]:
    server = LinkServer(worker, secret)
    port = await server.open("127.0.0.1", 0)
    addresses.alive["one"] = f"ws://127.0.0.1:{port}{PATH}"
    try:
        yield server
    finally:
        addresses.alive.pop("one", None)
        await server.close()


@asynccontextmanager
async def rest(addresses: Addresses, secret: str | None = None) -> AsyncIterator[tuple[Links, Reader]]:
    reader = Reader()
    async with Links(addresses, secret) as links:
        links.read_by(reader)
        yield links, reader


async def until(happened: object) -> None:
    """Waits until this is true; a test that waits in vain is ended."""
    assert callable(happened)
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.005)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def addresses() -> Addresses:
    return Addresses()


async def test_commits_and_text_of_a_followed_job_come_up_and_nudges_go_down(
    worker: Worker, addresses: Addresses
) -> None:
    async with organizer(worker, addresses) as server, rest(addresses) as (links, reader):
        await until(lambda: reader.all_linked)
        links.follow(JOB, Texts.ANSWER)
        await until(lambda: worker.followers == [JOB])
        assert server.texts_of(JOB) is Texts.ANSWER
        server.reached(JOB, 4)
        for length in range(1, 30):
            worker.text = "abc" * length
            server.wrote(JOB, TRUNK)
            await asyncio.sleep(0)
        await until(lambda: reader.seqs == {JOB: 4} and reader.text == worker.text)
        server.ended(JOB, TRUNK, 1)
        links.nudge(JOB)
        await until(lambda: reader.ends == [1] and worker.nudged == [JOB])
        links.unfollow(JOB)
        await until(lambda: server.texts_of(JOB) is Texts.NONE)


async def test_no_nudges_are_kept_for_an_organizer_that_is_not_linked(
    worker: Worker, addresses: Addresses
) -> None:
    """One that the network keeps away may live for weeks, while every job that is submitted is a nudge."""
    server = LinkServer(worker, None)
    port = await server.open("127.0.0.1", 0)
    addresses.alive["one"] = f"ws://127.0.0.1:{port}{PATH}"
    async with rest(addresses) as (links, reader):
        await until(lambda: reader.all_linked)
        await server.close()
        await until(lambda: not reader.all_linked)
        for number in range(100):
            links.nudge(JobId(f"meanwhile {number}"))
        again = LinkServer(worker, None)
        await again.open("127.0.0.1", port)
        await until(lambda: reader.all_linked)
        links.nudge(JOB)
        await until(lambda: JOB in worker.nudged)
        assert worker.nudged == [JOB]
        await again.close()


async def test_the_load_is_heard_once_an_organizer_is_linked(worker: Worker, addresses: Addresses) -> None:
    async with rest(addresses) as (links, _):
        assert links.load() is None and await links.hear_load() is None
        async with organizer(worker, addresses):
            assert await links.hear_load() == LOAD == links.load()


async def test_what_happened_before_the_follow_arrived_is_told_behind_it(
    worker: Worker, addresses: Addresses
) -> None:
    async with organizer(worker, addresses) as server, rest(addresses) as (links, reader):
        await until(lambda: reader.all_linked)
        server.reached(JOB, 9)
        worker.text = "so far"
        links.follow(JOB, Texts.ALL)
        await until(lambda: reader.seqs == {JOB: 9} and reader.text == "so far")


async def test_an_organizer_that_ends_is_told_as_lost_and_its_successor_is_followed_anew(
    worker: Worker, addresses: Addresses
) -> None:
    async with rest(addresses) as (links, reader):
        links.follow(JOB, Texts.ALL)
        async with organizer(worker, addresses):
            await until(lambda: worker.followers == [JOB])
        await until(lambda: reader.lost_ones == ["one"] and not reader.all_linked)
        assert links.load() is None
        worker.text = "and on"
        async with organizer(worker, addresses):
            await until(lambda: worker.followers == [JOB, JOB] and reader.text == "and on")


@pytest.mark.parametrize("told", [None, "another", "secre"])
async def test_who_does_not_know_the_secret_is_refused(
    told: str | None, worker: Worker, addresses: Addresses
) -> None:
    async with organizer(worker, addresses, "secret"), rest(addresses, told) as (links, reader):
        await asyncio.sleep(0.2)
        assert not reader.all_linked and links.load() is None
        headers = {"Authorization": f"Bearer {told}"} if told else {}
        with pytest.raises(InvalidStatus, match="401"):
            await connect(addresses.alive["one"], additional_headers=headers, proxy=None)


@pytest.mark.parametrize("secret", ["secret", "Geheimnis für drei"])
async def test_who_knows_the_secret_is_linked(secret: str, worker: Worker, addresses: Addresses) -> None:
    async with organizer(worker, addresses, secret), rest(addresses, secret) as (_, reader):
        await until(lambda: reader.all_linked)


class Faulty(Worker, Reader, Addresses):
    """Any part of either end; what it is asked first it cannot do."""

    def __init__(self) -> None:
        for part in (Worker, Reader, Addresses):
            part.__init__(self)
        self.faults = 1

    def fail(self) -> None:
        self.faults -= 1
        if self.faults >= 0:
            raise RuntimeError("a fault of its own")

    def open_text(self, job: JobId, branch: BranchId) -> OpenText | None:
        self.fail()
        return super().open_text(job, branch)

    def wrote(self, organizer: str, text: TextNews) -> None:
        self.fail()
        super().wrote(organizer, text)

    async def list(self) -> Mapping[str, OrganizerRow]:
        self.fail()
        return await super().list()


@pytest.mark.parametrize("end", ["worker", "reader", "addresses"])
async def test_after_a_fault_of_either_end_the_link_is_made_again(end: str) -> None:
    worker = Faulty() if end == "worker" else Worker()
    addresses = Faulty() if end == "addresses" else Addresses()
    reader = Faulty() if end == "reader" else Reader()
    worker.text = "so far"
    async with organizer(worker, addresses), Links(addresses) as links:
        links.read_by(reader)
        links.follow(JOB, Texts.ALL)
        await until(lambda: reader.text == "so far" and reader.all_linked)


async def test_no_page_of_a_browser_may_connect(worker: Worker, addresses: Addresses) -> None:
    async with organizer(worker, addresses):
        with pytest.raises(InvalidStatus, match="403"):
            await connect(addresses.alive["one"], origin="http://127.0.0.1:8000", proxy=None)  # type: ignore[arg-type]
        with pytest.raises(InvalidStatus, match="404"):
            await connect(addresses.alive["one"].replace(PATH, "/"), proxy=None)


async def test_what_is_no_frame_ends_the_connection_and_nothing_else(
    worker: Worker, addresses: Addresses
) -> None:
    async with organizer(worker, addresses), rest(addresses) as (_, reader):
        async with connect(addresses.alive["one"], proxy=None) as stranger:
            await stranger.send("[1, 2")
            await stranger.wait_closed()
        await until(lambda: reader.all_linked)


async def test_a_reader_that_takes_nothing_keeps_nobody_waiting_and_no_memory(
    worker: Worker, addresses: Addresses
) -> None:
    async with (
        organizer(worker, addresses) as server,
        rest(addresses) as (links, reader),
        connect(addresses.alive["one"], proxy=None, max_queue=1) as slow,
    ):
        await slow.send('{"nudge": [], "follow": {"j": 2}, "unfollow": []}')
        links.follow(JOB, Texts.ALL)
        await until(lambda: worker.followers == [JOB, JOB])
        for _ in range(200):
            worker.text += "x" * 20_000  # four megabytes in all: more than sockets hold
            server.wrote(JOB, TRUNK)
            await asyncio.sleep(0)
        await until(lambda: len(reader.text) == len(worker.text))
        held = [len(connection.outbox._written) for connection in server._connections]
        assert max(held) <= 1
