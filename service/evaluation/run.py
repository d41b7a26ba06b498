"""Runs an evaluation: submits each trial's job, awaits its end, grades its answer, and tells the service the verdict.

Nothing is kept here. A trial's job has an idempotency key that follows from the design, and the service keeps each
verdict; so an evaluation that was killed is run again by the same call: what was judged is left alone, what was
submitted is the same job, and no job is run twice.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from typing import Any

from anabranch.dag.evaluation.design import Arm, Design, Task
from anabranch.service.client.calls import JobFields
from anabranch.service.client.client import Client
from anabranch.service.client.errors import JobNotEnded
from anabranch.service.client.evaluations import Evaluation
from anabranch.service.client.results import Job
from anabranch.service.evaluation.errors import GraderFailed
from anabranch.service.evaluation.graders import RIGHT, WRONG, grade

LOOK_UP_SECONDS = 2.0
"""How often a trial that waits for its job looks whether the evaluation goes on."""


class Stopped(Exception):
    """The evaluation ended before this trial did."""


def run_evaluation(
    client: Client, run: str, design: Design, *, at_once: int, tell: Callable[[int], None]
) -> Evaluation:
    """Runs what has not been judged yet, at most `at_once` jobs at a time; gives all of it, judged.

    `tell` hears how many trials more are judged, first those of earlier runs. The first error ends it: ClientError
    where the service refuses or is away, GraderFailed. What was judged is kept then, and submitted jobs go on.
    """
    client.create_evaluation(run, _request_of(design))
    judged = {(trial.task, trial.arm) for trial in client.evaluation(run).trials}
    tell(len(judged))
    left = [
        (task, arm)
        for task in design.tasks  # all arms of a task near each other: the machine may be slower an hour later
        for arm in design.arms
        if (task.id, arm.label) not in judged
    ]
    stop = threading.Event()
    with ThreadPoolExecutor(at_once, thread_name_prefix="trial") as pool:
        trials = [pool.submit(_Trial(client, run, design, task, arm, stop).run) for task, arm in left]
        try:
            for trial in as_completed(trials):
                trial.result()
                tell(1)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return client.evaluation(run)


@dataclass(frozen=True, slots=True)
class _Trial:
    """One task by one arm."""

    client: Client
    name: str
    design: Design
    task: Task
    arm: Arm
    stop: threading.Event

    def run(self) -> None:
        """Raises what `run_evaluation` does, and Stopped."""
        job = self._await(self._submit(self.task.question, self._key, self._fields()))
        score, detail = 0.0, job.error.detail if job.error else f"the job is {job.status}"
        if job.answer is not None:
            score, detail = grade(self.task, job.answer.text, self._ask)
        self.client.judge(
            self.name, task=self.task.id, arm=self.arm.label, job=job.id, score=score, detail=detail[:2000]
        )

    @property
    def _key(self) -> str:
        return self.design.key_of(self.name, self.task, self.arm)

    def _fields(self) -> JobFields:
        fields = JobFields(
            policy={"name": self.arm.policy, "params": dict(self.arm.params)},
            seed=self.design.seed_of(self.task),
            budget=self.design.limits.of_job(),
            sampling=dict(self.design.sampling),
        )
        if self.arm.model is not None:
            fields["model"] = self.arm.model
        return fields

    def _ask(self, question: str, spec: Mapping[str, Any]) -> str:
        """What a judge says, as a job of its own: no part of the trial's cost."""
        fields = JobFields(
            policy="sequential",
            seed=self.design.seed_of(self.task),
            answer_format={"choice": [RIGHT, WRONG]},
            sampling={"temperature": 0.0},
        )
        if "model" in spec:
            fields["model"] = str(spec["model"])
        job = self._await(self._submit(question, f"{self._key}-judge", fields, judge=True))
        if job.answer is None:
            raise GraderFailed(
                f"the judge of task {self.task.id} gave no answer: job {job.id} is {job.status}"
            )
        return job.answer.text

    def _submit(self, question: str, key: str, fields: JobFields, *, judge: bool = False) -> str:
        metadata = {"evaluation": self.name, "task": self.task.id, "arm": self.arm.label}
        fields["metadata"] = metadata | ({"judge": True} if judge else {})
        if self.stop.is_set():
            raise Stopped
        return self.client.submit(question, idempotency_key=key, **fields).id

    def _await(self, job: str) -> Job:
        while not self.stop.is_set():
            try:
                return self.client.wait(job, timeout=LOOK_UP_SECONDS)
            except JobNotEnded:
                continue
        raise Stopped


def _request_of(design: Design) -> dict[str, Any]:
    """What the service keeps of a design; what a grader needs besides its name stays here, and counts by the digest."""
    return {
        "title": design.title,
        "digest": design.digest,
        "tasks": [
            {
                "id": task.id,
                "question": task.question,
                "answer": task.answer,
                "grader": task.grader.kind,
                **({"repeats": task.repeats} if task.repeats else {}),
            }
            for task in design.tasks
        ],
        "arms": [asdict(arm) for arm in design.arms],
        "seed": design.seed,
        "limits": asdict(design.limits),
        "sampling": dict(design.sampling),
    }
