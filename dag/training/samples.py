"""Words model calls as samples: for imitation a line for each call (`sft`) or for each trajectory (`trajectory`); for
reinforcement (`rl`), a line for each job, with all its calls and one reward.

A prompt is what was sent; if the assistant's turn was begun, it is the prompt's last message. A completion is what the
model decoded and nothing else, so no mask is needed within it. Both are lists of messages, as TRL calls conversational,
and plain strings where the job is raw. A trajectory is a whole conversation, with the places at which the model wrote.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.ids import parent_of
from anabranch.dag.job import JobSpec
from anabranch.dag.journal.chain import canonical
from anabranch.dag.text import Context
from anabranch.dag.training.model_calls import ModelCall, model_calls
from anabranch.dag.training.trajectories import trajectories

Json = dict[str, Any]
DATA_SOURCE = "anabranch"
"""By which verl finds the function that scores new rollouts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What an answer was worth, and who says so: an evaluation's grader, or a person."""

    by: str
    score: float
    """0.0 to 1.0."""
    truth: str | None = None
    """What the grader takes for right, where it compares."""


def sft_samples(records: Sequence[e.Record], rewards: Sequence[Reward]) -> Iterator[Json]:
    """A sample for each call."""
    spec = _spec(records)
    for call in model_calls(records):
        yield {**_head(records, spec, rewards), **_sample(call)}


def trajectory_samples(records: Sequence[e.Record], rewards: Sequence[Reward]) -> Iterator[Json]:
    """A sample for each trajectory of each branch: `messages`, or of a raw job `text`, and in `spans` what the model
    wrote of it; all else is to be masked."""
    spec = _spec(records)
    for trajectory in trajectories(model_calls(records)):
        told = [{"role": role, "content": content} for role, content in trajectory.messages]
        yield {
            **_head(records, spec, rewards),
            "branch": trajectory.branch,
            "used": any(call.used for call in trajectory.calls),
            **({"text": told[0]["content"]} if trajectory.raw else {"messages": told}),
            "spans": [
                {"message": place.message, "start": place.start, "end": place.end, **_decoded(call)}
                for call, place in zip(trajectory.calls, trajectory.places(), strict=True)
            ],
        }


def rl_sample(records: Sequence[e.Record], rewards: Sequence[Reward]) -> Json:
    """The job as one rollout. Jobs with the same `group` were asked the same; `parent` makes a tree of the calls'
    branches, whose prompts begin alike."""
    spec, measured = _spec(records), measure(records)
    answer = next(
        (record.event.text for record in records if isinstance(record.event, e.AnswerCommitted)), None
    )
    asked = [[message.role, list(map(str, message.parts))] for message in spec.messages]
    return {
        **_head(records, spec, rewards),
        "data_source": DATA_SOURCE,
        "prompt": _asked(spec),
        "reward_model": {"style": "rule", "ground_truth": _ground_truth(rewards)},
        "extra_info": {"index": records[0].job},
        "group": hashlib.sha256(canonical(asked).encode()).hexdigest()[:16],
        "answer": answer,
        "critical_path_tokens": measured.critical_path_tokens,
        "total_tokens": measured.total_tokens,
        "parallelism": measured.parallelism,
        "calls": [{**_sample(call), "parent": parent_of(call.branch)} for call in model_calls(records)],
    }


def _spec(records: Sequence[e.Record]) -> JobSpec:
    first = records[0].event
    assert isinstance(first, e.JobSubmitted)
    return first.spec


def _head(records: Sequence[e.Record], spec: JobSpec, rewards: Sequence[Reward]) -> Json:
    return {
        "job": records[0].job,
        "question": spec.question,
        "policy": spec.policy,
        "seed": spec.seed,
        "reward": fmean(reward.score for reward in rewards) if rewards else None,
        "rewards": [{"by": reward.by, "score": reward.score} for reward in rewards],
    }


def _sample(call: ModelCall) -> Json:
    return {
        "branch": call.branch,
        "prompt": _prompt(call.context),
        "completion": call.text if call.context.raw else [{"role": "assistant", "content": call.text}],
        **_decoded(call),
    }


def _decoded(call: ModelCall) -> Json:
    return {
        "segment": call.segment,
        "attempt": call.attempt,
        "model": call.model or None,
        "thought": call.thought,
        "finish": call.finish.value,
        "structured": call.structured,
        "used": call.used,
        "token_ids": None if call.token_ids is None else list(call.token_ids),
        "logprobs": None if call.logprobs is None else list(call.logprobs),
    }


def _asked(spec: JobSpec) -> str | list[Json]:
    """The job's own prompt, as its owner sent it."""
    if spec.raw:
        return spec.question
    return [
        {"role": message.role, "content": "".join(part for part in message.parts if isinstance(part, str))}
        for message in spec.messages
    ]


def _ground_truth(rewards: Sequence[Reward]) -> str:
    """What is right, where a grader knew it; of several, the first one's."""
    return next((reward.truth for reward in rewards if reward.truth is not None), "")


def _prompt(context: Context) -> str | list[Json]:
    if context.raw:
        return context.continuation
    begun = [{"role": "assistant", "content": context.continuation}] if context.continuation else []
    return [{"role": role, "content": content} for role, content in context.messages] + begun
