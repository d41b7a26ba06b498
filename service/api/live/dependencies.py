"""Holds what the routes stand on, and how they reach it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from anabranch.dag.ids import JobId
from anabranch.service.api.live.feed import Feed
from anabranch.service.api.live.served import ServedModels
from anabranch.service.settings import Settings
from anabranch.service.store.jobs.submissions import Taker
from anabranch.service.store.rows import Claim
from anabranch.service.store.store import Store
from anabranch.service.tenants.keyring import Keyring
from anabranch.service.tenants.limits import OwnLimits, TenantLimits
from anabranch.workers.pool.protocol import PoolLoad


class Organizers(Protocol):
    """Those who run the jobs, as far as the REST surface knows them."""

    def nudge(self, job: JobId) -> None:
        """Something was written for this job. Returns at once; a nudge that is lost costs one round of polling."""
        ...

    def load(self) -> PoolLoad | None:
        """How busy the worker pool is, as last heard; None when there is no pool."""
        ...

    def count(self) -> int:
        """How many of them live, as last heard."""
        ...

    async def hear_load(self) -> PoolLoad | None:
        """The same, asked for and waited for now; None also when nobody answers soon."""
        ...


class FirstHand(Protocol):
    """An organizer of this process, to which jobs are given in the transaction that submits them."""

    def promise(self, jobs: int) -> Taker | None:
        """Who takes so many jobs; they must be given, or given up. None: they are to be queued."""
        ...

    def give(self, promised: int, claims: Sequence[Claim]) -> None:
        """Of the jobs that were promised for, these are durable and claimed; there may be none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    settings: Settings
    store: Store
    feed: Feed
    organizers: Organizers
    served: ServedModels | None = None
    """None: nobody can tell, and any model is taken."""
    keyring: Keyring | None = None
    """None lets anybody in."""
    first_hand: FirstHand | None = None
    """None: all organizers are elsewhere."""
    limits: TenantLimits = field(default_factory=OwnLimits)


async def inject(request: Request) -> Dependencies:
    deps: Dependencies = request.app.state.deps
    return deps


Injected = Annotated[Dependencies, Depends(inject)]
