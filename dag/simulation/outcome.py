"""Describes what a simulation came to: each job, each replica, and how much there was to do when."""

from dataclasses import dataclass

from anabranch.dag.analysis.metrics import Metrics
from anabranch.dag.simulation.description import Scenario
from anabranch.dag.simulation.engines.replica import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What has become of one job. Times in seconds since the start."""

    number: int
    kind: str
    status: str
    arrived: float
    claimed: float
    ended: float
    waited: float
    """Seconds that its decodes waited for a place, added up."""
    metrics: Metrics

    @property
    def latency(self) -> float:
        """Seconds from arrival to answer."""
        return self.ended - self.arrived


@dataclass(frozen=True, slots=True)
class Load:
    """How much there was to do at one time."""

    at: float
    jobs: int
    """That had come and not ended."""
    queued: int
    """Of them, those that no organizer had taken up."""
    decodes: int
    """That were asked for and had not ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a scenario came to."""

    scenario: Scenario
    jobs: tuple[Ended, ...]
    """In the order of their numbers."""
    seconds: float
    """From the start to the last end."""
    replicas: tuple[Tally, ...]
    loads: tuple[Load, ...]
