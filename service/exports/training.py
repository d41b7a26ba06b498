"""Exports samples for training, as lines of JSON: `sft`, `trajectory` and `rl` of `dag/training/samples.py`."""

import json
from collections.abc import Iterator

from anabranch.dag.training.samples import rl_sample, sft_samples, trajectory_samples
from anabranch.service.exports.registry import ExportedJob, ExportFormat


def write_sft(job: ExportedJob) -> Iterator[str]:
    """Writes a line for each call of a model."""
    for sample in sft_samples(job.records, job.rewards):
        yield json.dumps(sample, ensure_ascii=False) + "\n"


def write_trajectories(job: ExportedJob) -> Iterator[str]:
    """Writes a line for each trajectory of each branch."""
    for sample in trajectory_samples(job.records, job.rewards):
        yield json.dumps(sample, ensure_ascii=False) + "\n"


def write_rl(job: ExportedJob) -> Iterator[str]:
    """Writes the job as one line."""
    yield json.dumps(rl_sample(job.records, job.rewards), ensure_ascii=False) + "\n"


SFT = ExportFormat(
    name="sft",
    title="Training by imitation: a line for each call of a model, with prompt, completion and kept tokens",
    media_type="application/x-ndjson",
    write=write_sft,
)
TRAJECTORY = ExportFormat(
    name="trajectory",
    title="Training by imitation: a line for each branch's conversation, with the places at which the model wrote",
    media_type="application/x-ndjson",
    write=write_trajectories,
)
RL = ExportFormat(
    name="rl",
    title="Training by reinforcement: the job as one rollout, with its calls and its reward",
    media_type="application/x-ndjson",
    write=write_rl,
)
