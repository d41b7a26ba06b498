"""Defines what crosses the link, as JSON in WebSocket frames.

**The link.** Each organizer opens a port of its own, on which it takes WebSockets; its address stands in the store as
long as it lives (`store/jobs/organizers.py`). Each REST process reads the addresses and keeps one connection to each.

* *The store is the truth, the link is speed.* Whatever is lost with a connection is found in the store, or told again:
  a REST process follows anew when it connects, and polls as long as an organizer that lives is not linked.
* *Nothing waits, nothing grows.* Neither side has a queue. What is still to be told is kept as places (a journal's seq,
  how far a text was told), and read when the connection can take more: a slow reader gets fewer and larger frames, of
  what there is then. A peer that takes none for seconds is hung up on, and connects again when it can.
* *Text that may be the answer is stored before it is told* (`organizer/final_texts.py`): whoever decodes on begins
  behind it. Other text is told as it arrives, and the record of its segment's end has the last word.
* *Two releases may be linked*, as long as an upgrade lasts. A frame is read for what this release knows of it: a key, a
  field behind the known ones, and a level of text that it does not know are no fault, and what is not told has its
  default. So a new release adds keys, or fields with a default at the end; it takes none away and moves none.
* *Who may connect.* Whoever knows the secret; without one, who is on this machine. No browser: a page that is open
  somewhere could reach a port on loopback, so a request that tells its origin is refused.

It is a WebSocket of the library `websockets`, and no app behind an ASGI server: it needs no routes and takes no
signals, which belong to Ray's process, and its server checks origins and pings by itself.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from anabranch.dag.ids import BranchId, JobId
from anabranch.workers.pool.protocol import PoolLoad

PATH = "/link"
PING_SECONDS = 2.0
SILENCE_SECONDS = 5.0
"""After which a peer that answers no ping, or takes no frame, is hung up on."""
TEXT_SECONDS = 0.05
"""Between two frames of text on one connection."""


class Texts(IntEnum):
    """Which text of a job a follower reads."""

    NONE = 0
    ANSWER = 1
    """Of the final thought."""
    ALL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """What a REST process tells an organizer."""

    nudge: frozenset[JobId] = frozenset()
    """Something was written for these jobs."""
    follow: Mapping[JobId, Texts] = field(default_factory=dict)
    unfollow: frozenset[JobId] = frozenset()

    def write(self) -> str:
        return json.dumps(
            {"nudge": list(self.nudge), "follow": dict(self.follow), "unfollow": list(self.unfollow)}
        )

    @classmethod
    def read(cls, frame: str | bytes) -> "Down":
        """Raises ValueError, TypeError or LookupError for what is no frame."""
        told = _keys(frame)
        follow = {JobId(job): Texts(min(texts, max(Texts))) for job, texts in told.get("follow", {}).items()}
        return cls(
            nudge=frozenset(told.get("nudge", ())),
            follow=follow,
            unfollow=frozenset(told.get("unfollow", ())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNews:
    """New text of an open segment, at its place; whatever was told behind that place is replaced."""

    job: JobId
    branch: BranchId
    segment: int
    since: int
    """The seq of the segment's start in the journal."""
    final: bool
    thought_at: int
    thought: str
    at: int
    text: str
    tokens: int = 0
    """Decoded so far in this segment; 0 where nobody counted."""
    reasoning_tokens: int = 0
    """Of those, thoughts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """What an organizer tells a REST process."""

    seqs: Mapping[JobId, int] = field(default_factory=dict)
    """How far journals of followed jobs are committed."""
    over: frozenset[JobId] = frozenset()
    """Of these, jobs that have ended there."""
    texts: tuple[TextNews, ...] = ()
    ended: Mapping[JobId, Mapping[BranchId, int]] = field(default_factory=dict)
    """Segments of which no text will come any more, the last one of each branch."""
    load: PoolLoad | None = None

    def write(self) -> str:
        told: dict[str, Any] = {}
        if self.seqs:
            told["seqs"] = dict(self.seqs)
        if self.over:
            told["over"] = list(self.over)
        if self.texts:
            told["texts"] = [[getattr(text, name) for name in _TEXT] for text in self.texts]
        if self.ended:
            told["ended"] = {job: dict(branches) for job, branches in self.ended.items()}
        if self.load is not None:
            told["load"] = _load_fields(self.load)
            told["pools"] = {name: _load_fields(pool) for name, pool in self.load.pools.items()}
        return json.dumps(told, ensure_ascii=False)

    @classmethod
    def read(cls, frame: str | bytes) -> "Up":
        """Raises ValueError, TypeError or LookupError for what is no frame."""
        told = _keys(frame)
        texts = tuple(TextNews(**dict(zip(_TEXT, text, strict=False))) for text in told.get("texts", ()))
        load = told.get("load")
        pools = {name: _load(pool, {}) for name, pool in told.get("pools", {}).items()}
        return cls(
            seqs=told.get("seqs", {}),
            over=frozenset(told.get("over", ())),
            texts=texts,
            ended=told.get("ended", {}),
            load=_load(load, pools) if load else None,
        )


def _load_fields(load: PoolLoad) -> list[Any]:
    return [getattr(load, name) for name in _LOAD]


def _load(fields: Sequence[Any], pools: Mapping[str, PoolLoad]) -> PoolLoad:
    """The load that was told; an earlier release tells less of it."""
    return PoolLoad(**dict(zip(_LOAD, fields, strict=False)), pools=pools)


def _keys(frame: str | bytes) -> dict[str, Any]:
    told = json.loads(frame)
    if not isinstance(told, dict):
        raise TypeError(f"a frame is an object, and this is {type(told).__name__}")
    return told


_LOAD = ("replicas", "decoding", "capacity", "waiting", "state", "cluster")
_TEXT = tuple(TextNews.__dataclass_fields__)
