"""Keeps what replicas tell of themselves beside messages: what others have them decode, and their step time."""

from collections.abc import Callable, Collection

from anabranch.dag.room import NOTHING_LEARNED, StepFit
from anabranch.workers.replica.replica import Batch

AGAIN_SECONDS = 0.2
"""Between two looks at what one replica tells: its batches are many, and to count one's own decodes is work."""


class ReplicaLoads:
    """What is known of each replica that this process has had a call on."""

    def __init__(self) -> None:
        self._heard_at: dict[str, float] = {}
        self._others: dict[str, int] = {}
        self._steps: dict[str, StepFit] = {}

    def note(self, batch: Batch, own: Callable[[str], int], now: float) -> None:
        """Reads a batch; `own` counts this process's decodes on a replica."""
        replica = batch.replica
        if now - self._heard_at.get(replica, float("-inf")) >= AGAIN_SECONDS:
            self._heard_at[replica] = now
            self._others[replica] = max(0, batch.decoding - own(replica))
            self._steps[replica] = batch.step

    def keep_only(self, replicas: Collection[str]) -> None:
        """Forgets those that have left."""
        for gone in self._heard_at.keys() - set(replicas):
            del self._heard_at[gone], self._others[gone], self._steps[gone]

    @property
    def others(self) -> int:
        """Decodes that run for other processes, as last told."""
        return sum(self._others.values())

    @property
    def step(self) -> StepFit:
        """That of the slowest replica."""
        return max(
            self._steps.values(), key=lambda step: step.fixed + step.per_stream, default=NOTHING_LEARNED
        )
