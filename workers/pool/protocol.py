"""Defines the worker pool as the organizer sees it: `serve.py` is the real one, `local.py` one engine in this
process, `pools.py` several under names.

**The pool's promise.** Each request gets exactly one last SegmentDone (`open` False), whatever happens. A replica that
died or fell silent, a prompt that was refused, an abort: all are told there, as a fault or as the reason why the text
ended, with the text and the tokens that are known. Nothing is raised, and nothing is sent twice: only the organizer
knows what a second try may cost, and whether anybody still needs it. Messages of one request come in order, on the
event loop that started it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from anabranch.dag.room import StepFit, Streams
from anabranch.workers.messages import DecodeRequest, Key, Message

Deliver = Callable[[Message], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLoad:
    """How busy the pool is, as last known."""

    replicas: int
    decoding: int
    capacity: int
    """Decodes that all replicas together take at once."""
    waiting: int = 0
    """Of those decoding: they wait for a replica, since there is none that could take them."""
    state: str = ""
    """What they wait for, in words, where that is known."""
    pools: Mapping[str, "PoolLoad"] = field(default_factory=dict)
    """The same of each named pool, where this is the load of several."""
    cluster: str = ""
    """The Ray cluster that has the replicas, where there may be several."""


class Pool(Protocol):
    """Decodes requests somewhere."""

    def start(self, requests: Sequence[DecodeRequest], deliver: Deliver) -> None:
        """Returns at once; `deliver` is called on this event loop for every message. Requests given together travel
        together: one call per replica they land on, one multiplexed stream back."""
        ...

    def abort(self, keys: Sequence[Key]) -> None:
        """Ask that these decodes stop; each still gets its last SegmentDone (finish ABORT, or whatever came first).
        Idempotent; unknown keys are ignored."""
        ...

    def elsewhere(self, key: Key) -> bool:
        """Whether this decode runs, and another of the same (`Key.copy`) would be somewhere else."""
        ...

    def load(self) -> PoolLoad: ...

    def streams(self, model: str | None) -> tuple[Streams, StepFit]:
        """What the pool of this model decodes now, for whomever, and how long its steps take."""
        ...

    async def close(self) -> None: ...
