"""Says what an evaluation compares, and on what.

The design is paired: every arm (a policy with its parameters) answers the same tasks with the same seeds under the same
limits, so what differs between two arms on one task is the policy. One job answers one task by one arm: a trial. A task
that is asked several times is several tasks, each with a seed of its own, which name the one that they repeat. Seeds
and idempotency keys follow from the design alone; so whoever runs the same design again asks for the same jobs.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from anabranch.dag.journal.chain import canonical

SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class Grader:
    """How an answer is judged; `spec` is what its kind needs."""

    kind: str
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A question with a known way to judge its answers."""

    id: str
    question: str
    answer: str | None = None
    """What is right, where the grader compares."""
    grader: Grader
    repeats: str = ""
    """The id of the task that it asks once more, with another seed; empty of one that is asked first."""


def repeat_tasks(tasks: Sequence[Task], times: int) -> tuple[Task, ...]:
    """Each task so many times, one behind the other."""
    return tuple(
        task if number == 1 else replace(task, id=f"{task.id}#{number}", repeats=task.id)
        for task in tasks
        for number in range(1, times + 1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A policy with its parameters, one of those that are compared."""

    label: str
    """Its name in tables and plots, unique in its design."""
    policy: str
    params: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLimits:
    """What each trial may spend; None is no limit."""

    tokens: int | None = None
    seconds: float | None = None
    cost: float | None = None
    critical_path_tokens: int | None = None
    """A longer critical path T makes an answer count as wrong: no job is stopped by it."""

    def of_job(self) -> dict[str, float]:
        """The limits that a job is given."""
        given = {"tokens": self.tokens, "seconds": self.seconds, "cost": self.cost}
        return {name: limit for name, limit in given.items() if limit is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A paired comparison. The first arm is the baseline of all differences."""

    title: str
    tasks: tuple[Task, ...]
    arms: tuple[Arm, ...]
    seed: int = 0
    limits: TrialLimits = TrialLimits()
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """As a job's `sampling`."""

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, in hexadecimal: equal designs have equal digests."""
        told = asdict(self)
        for task in told["tasks"]:
            if not task["repeats"]:  # so that designs of releases that did not know it go on
                del task["repeats"]
        return hashlib.sha256(canonical(told).encode()).hexdigest()

    def seed_of(self, task: Task) -> int:
        """The seed of this task's jobs: the same for all arms."""
        return int.from_bytes(hashlib.sha256(f"{self.seed} {task.id}".encode()).digest()[:8]) % SEEDS

    def key_of(self, run: str, task: Task, arm: Arm) -> str:
        """The idempotency key of the trial's job."""
        told = f"{self.digest}\n{arm.label}\n{task.id}"
        return f"eval-{run}-{hashlib.sha256(told.encode()).hexdigest()[:32]}"
