"""What many read at once, or what is long, vLLM reads in parts; on a CPU, too, with seeds."""

import asyncio
from dataclasses import replace

import pytest
from tests.workers.conftest import RequestFor

from anabranch.dag.decoding import Finish
from anabranch.workers.engines.vllm.engine import VllmEngine

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

WORDS = 1_400
"""Of each prompt, a token or more each: six of them are more than a step reads."""


async def test_seeded_decodes_whose_prefills_are_cut_come_to_their_ends(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    async def finish(seed: int) -> Finish | None:
        asked = request_for(prompt=f"{seed} and" + " so" * WORDS, max_tokens=2, temperature=1.0)
        return [chunk.finish async for chunk in vllm_engine.decode(replace(asked, seed=seed))][-1]

    ends = await asyncio.gather(*(finish(seed) for seed in range(1, 7)))
    assert set(ends) <= {Finish.LENGTH, Finish.EOS}
