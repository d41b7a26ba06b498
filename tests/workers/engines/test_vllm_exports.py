"""What is exported of a job on a real vLLM is, token by token, what that engine read and drew."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.policy import policy_named
from anabranch.dag.text import say
from anabranch.service.exports.registry import ExportedJob, export_formats
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.rows import NewJob
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.workers.checks.local import LocalChecks
from anabranch.workers.engines.vllm.engine import VllmEngine
from anabranch.workers.pool.local import LocalPool

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

POLICIES: dict[str, dict[str, Any]] = {
    "self-consistency": {"n": 2},
    "dynasor": {"interval": 8, "tokens": 32, "probe_tokens": 4},
    "best-of-n": {"n": 2},
}


@dataclass
class Seen:
    """One decode, as vLLM had it."""

    read: list[int] = field(default_factory=list)
    drew: list[int] = field(default_factory=list)


@pytest.fixture
def seen(vllm_engine: VllmEngine, monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """All decodes that vLLM ended, told from within."""
    told: list[Seen] = []
    generate = vllm_engine._llm.generate

    async def watched(*args: Any, **options: Any) -> AsyncGenerator[Any, None]:
        one = Seen()
        told.append(one)
        async with aclosing(generate(*args, **options)) as outputs:
            async for output in outputs:
                one.read = list(output.prompt_token_ids)
                one.drew += output.outputs[0].token_ids
                yield output

    monkeypatch.setattr(vllm_engine._llm, "generate", watched)
    return told


async def run_jobs(engine: VllmEngine, folder: Path) -> list[ExportedJob]:
    """A job of each policy, from its submission to its journal."""
    url = f"sqlite:///{folder}/anabranch.db"
    await schema.upgrade(url)
    async with Store(url) as store:
        pool = LocalPool(engine, max_decodes=4)
        organizer = Organizer(
            store, pool, LocalChecks({}), Traces(store, "vllm"), name="one", lease_seconds=60.0
        )
        working = asyncio.create_task(organizer.run())
        ids = [(await store.jobs.submit(job(policy, params))).job.id for policy, params in POLICIES.items()]
        organizer.nudge()
        while any([(await store.jobs.get(JobId(each))).finished_at is None for each in ids]):
            await asyncio.sleep(0.02)
        await organizer.drain()
        await working
        return [
            ExportedJob(
                records=await store.journal.read(JobId(each)), origin=TraceOrigin("a" * 32), pool_model="m"
            )
            for each in ids
        ]


def job(policy: str, params: dict[str, Any]) -> NewJob:
    spec = JobSpec(
        messages=(say("system", "Be short — très court."), say("user", "What is 6 × 7? Say why.")),
        policy=policy,
        params=params,
        sampling=Sampling(max_tokens=24, temperature=0.9, keep_tokens=True),
        seed=5,
    )
    return NewJob(spec=spec, policy_version=policy_named(policy).version, trace_id="a" * 32)


def tokens_of_prompt(tokenizer: Any, prompt: list[dict[str, str]]) -> list[int]:
    """As whoever trains makes them: by the template, and what the assistant's turn begins with behind it."""
    begun = prompt[-1]["content"] if prompt[-1]["role"] == "assistant" else ""
    messages = prompt[:-1] if begun else prompt
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) + begun
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


async def test_an_export_tokenised_again_is_what_the_engine_read_and_drew(
    vllm_engine: VllmEngine, seen: list[Seen], tmp_path: Path
) -> None:
    jobs = await run_jobs(vllm_engine, tmp_path)
    tokenizer = vllm_engine._llm.get_tokenizer()
    samples = [json.loads(line) for each in jobs for line in export_formats()["sft"].write(each)]
    trained = [(tokens_of_prompt(tokenizer, sample["prompt"]), sample["token_ids"]) for sample in samples]
    assert sorted(trained) == sorted((one.read, one.drew) for one in seen)
    assert any(sample["prompt"][-1]["role"] == "assistant" for sample in samples)
    for sample in samples:
        assert len(sample["logprobs"]) == len(sample["token_ids"])
        written = tokenizer.decode(sample["token_ids"], skip_special_tokens=True)
        assert written.startswith(sample["completion"][0]["content"])
    spans = [
        (sample["messages"][span["message"]]["content"][span["start"] : span["end"]], span["token_ids"])
        for each in jobs
        for sample in map(json.loads, export_formats()["trajectory"].write(each))
        for span in sample["spans"]
    ]
    assert sorted(ids for _, ids in spans) == sorted(one.drew for one in seen)
    for text, ids in spans:
        assert tokenizer.decode(ids, skip_special_tokens=True).startswith(text)
