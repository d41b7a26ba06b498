"""Conversations whose turns are jobs of several organizers, on four replicas with a modelled prefix cache that forgets
what was used least recently: how much of what is cached somewhere is cached where it is read, by what books learn.

Turns come in virtual time; each is a fork of four branches that read all turns before it. An organizer hears a replica
as it does in a deployment: from the batches of its own calls.
"""

import heapq
import random
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.workers.pool.locality import BLOCK_TOKENS, REPLICAS, Counted

from anabranch.dag.decoding import Decoded, Decoding, Finish
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.text import Context, Role
from anabranch.workers.messages import DecodeRequest, Key, SegmentDone
from anabranch.workers.pool.placement import Placement
from anabranch.workers.prefixes import Keys, PrefixBook, keys_of, text_of
from anabranch.workers.replica.prefix_news import PrefixNews

BRANCHES = 4
TURNS = 6
OPENING = "It says many things about rivers. " * 60
QUESTION = "And why is that? " * 4
ANSWER = "so it is said " * 20
BETWEEN_TURNS, SPREAD = 120.0, 50.0
"""Seconds."""


class Learning(StrEnum):
    """What an organizer's book learns of replicas."""

    ITS_OWN = "what it placed itself"
    NEWS = "what others placed, too"
    EVENTS = "all that is stored and evicted, at once"
    """As vLLM's KV events would tell every organizer of every replica."""


@dataclass(slots=True)
class Replica:
    """A prefix cache of so many blocks."""

    room: int
    cache: OrderedDict[int, None] = field(default_factory=OrderedDict)
    news: PrefixNews = field(default_factory=PrefixNews)

    def held(self, keys: Keys) -> int:
        return next((at for at, key in enumerate(keys) if key not in self.cache), len(keys))

    def use(self, keys: Keys) -> None:
        for key in reversed(keys):
            self.cache[key] = None
            self.cache.move_to_end(key)
        while len(self.cache) > self.room:
            self.cache.popitem(last=False)


class KnowingBook(PrefixBook):
    """Sees the caches themselves."""

    def __init__(self, replicas: Mapping[str, Replica]) -> None:
        super().__init__()
        self._replicas = replicas

    def held(self, keys: Keys, replica: str) -> int:
        return self._replicas[replica].held(keys)


@dataclass(slots=True)
class Organizer:
    name: str
    placement: Placement
    loads: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REPLICAS, 0))


def converse(
    learning: Learning, *, organizers: int, talks: int = 60, room_tokens: int = 10**9, seed: int = 1
) -> Counted:
    """Counts all decodes of so many conversations of TURNS turns."""
    rng = random.Random(seed)
    replicas = {name: Replica(room_tokens // BLOCK_TOKENS) for name in REPLICAS}
    offices = [Organizer(f"organizer {number}", Placement()) for number in range(organizers)]
    if learning is Learning.EVENTS:
        for office in offices:
            office.placement._book = KnowingBook(replicas)
    counted = Counted()
    said: dict[int, tuple[tuple[Role, str], ...]] = {
        talk: (("user", f"Talk {talk}. {OPENING}"),) for talk in range(talks)
    }
    turns = sorted(
        (SPREAD * rng.random() + BETWEEN_TURNS * turn, talk, turn)
        for talk in range(talks)
        for turn in range(TURNS)
    )
    ends: list[tuple[float, int, Organizer, str, DecodeRequest]] = []
    for ticket, (now, talk, turn) in enumerate(turns):
        while ends and ends[0][0] <= now:
            _, _, office, name, request = heapq.heappop(ends)
            office.loads[name] -= 1
            office.placement.wrote(request, ANSWER, name)
            replicas[name].use(keys_of(text_of(request.context) + ANSWER))
            done = Decoded(text=ANSWER, finish=Finish.EOS)
            replicas[name].news.wrote(SegmentDone(key=request.key, segment=1, decoded=done))
            if learning is Learning.NEWS:
                hear(offices, name, replicas[name])
        office = rng.choice(offices)
        context = Context((*said[talk], ("user", f"Question {turn}. {QUESTION}")))
        asked = [request_for(talk, turn, branch, context) for branch in range(1, BRANCHES + 1)]
        for name, requests in office.placement.place(asked, office.loads).items():
            replicas[name].news.read(requests, office.name)
            for number, request in enumerate(requests):
                count(counted, keys_of(text_of(context)), name, replicas)
                office.loads[name] += 1
                lasts = 5 + 10 * rng.random()
                heapq.heappush(ends, (now + lasts, BRANCHES * ticket + number, office, name, request))
            if learning is Learning.NEWS:
                hear(offices, name, replicas[name])
            counted.most = max(counted.most, sum(each.loads[name] for each in offices))
        said[talk] = (*context.messages, ("assistant", ANSWER))
    return counted


def hear(offices: list[Organizer], name: str, replica: Replica) -> None:
    """Every organizer with a call on this replica has its next batch."""
    for office in offices:
        if office.loads[name]:
            office.placement.told(replica.news.since_last(office.name), name)


def count(counted: Counted, keys: Keys, chosen: str, replicas: Mapping[str, Replica]) -> None:
    """One decode reads this text."""
    held = {name: replica.held(keys) for name, replica in replicas.items()}
    counted.read += BLOCK_TOKENS * len(keys)
    counted.could += BLOCK_TOKENS * max(held.values())
    counted.cached += BLOCK_TOKENS * held[chosen]
    replicas[chosen].use(keys)


def request_for(talk: int, turn: int, branch: int, context: Context) -> DecodeRequest:
    job = JobId(f"{talk}-{turn}")
    return DecodeRequest(
        key=Key(job=job, branch=BranchId(f"0.{branch}"), segment=1),
        context=context,
        decoding=Decoding(),
        seed=0,
        affinity=f"{job}/0",
    )
