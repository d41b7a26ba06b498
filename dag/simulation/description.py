"""Describes what is simulated: a cluster, the jobs that come to it, and when they come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from anabranch.dag.job import Budget
from anabranch.dag.simulation.draws import Lengths
from anabranch.dag.simulation.engines.step_time import StepTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The machines. All replicas are alike."""

    step: StepTime
    replicas: int = 1
    gpus_per_replica: float = 1.0
    gpu_hour: float = 0.0
    """Money for one GPU and one hour; idle ones cost the same."""
    kv_tokens: int | None = None
    """Tokens whose keys and values one replica can hold. None: memory never runs out."""
    max_decodes: int = 256
    """Decodes that one replica runs at once; more wait there."""
    max_jobs: int | None = None
    """Jobs that organizers run at once; more wait in the store. None: no limit."""
    prefill_chunk: int = 8192
    """Prompt tokens that one step computes, at most."""
    overhead: float = 0.0
    """Seconds from a fact to the start of what follows from it: journal, organizer, pool, network."""

    @property
    def gpus(self) -> float:
        return self.replicas * self.gpus_per_replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """When jobs come."""

    process: Literal["poisson", "trace", "closed"]
    jobs: int
    rate: float = 0.0
    """Poisson: jobs per second, on average."""
    times: tuple[float, ...] = ()
    """Trace: seconds from the start, one for each job."""
    clients: int = 1
    """Closed: who each ask their next question so long after the answer to the last."""
    think_seconds: float = 0.0


NO_LIMIT = Budget()
A_SHORT_QUESTION = Lengths(kind="constant", numbers=(100.0,))
A_PAGE = Lengths(kind="constant", numbers=(400.0,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Jobs of one kind in the mixture: what they ask, and how much their model writes."""

    name: str
    policy: str
    weight: float = 1.0
    params: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = NO_LIMIT
    question_tokens: Lengths = A_SHORT_QUESTION
    output_tokens: Lengths = A_PAGE
    """Of what one branch writes, marks of its policy apart."""
    forks: int = 2
    """Branches that the model asks for, where the policy leaves that to the model."""
    agreement: float = 0.7
    """Share of the branches that come to the same answer; the others each come to one of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run: everything that its result depends on, but for the outputs of recorded jobs."""

    cluster: Cluster
    arrivals: Arrivals
    kinds: tuple[Kind, ...]
    seed: int = 0
    width: int = 64
    """Decodes of one job that run at once (the operator's limit)."""
    slowdown: float = 0.0
    """How much longer a step may take because jobs have more than one branch (the operator's limit). 0: no limit."""
    within: float | None = None
    """Seconds from arrival to answer in which a job is good. None: each job that succeeds is."""
