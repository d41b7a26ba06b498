"""The forms that policies ask for, decoded by a real engine with the smallest model: each one ends by itself."""

import asyncio
import re
from collections import Counter
from dataclasses import replace

import pytest
from tests.workers.conftest import RequestFor

from anabranch.dag.decoding import Decoding, Finish, Structure
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.graphs.plan import Plan, ask_for_plan, plan_schema, read_plan, tokens_for
from anabranch.dag.policies.parts.judge import judge
from anabranch.dag.policies.parts.skeleton import skeleton_form
from anabranch.dag.text import Context, Message, say
from anabranch.workers.engines.protocol import Engine
from anabranch.workers.engines.vllm.engine import VllmEngine
from anabranch.workers.messages import DecodeRequest

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

QUESTIONS = (
    "17 notebooks at 2.35 each, 23 pens at 1.15 each, 10 % off the total. What is due?",
    "Compare Paris and Tokyo as places to live: cost, safety and food.",
    "Who wrote Hamlet?",
    "巴黎和东京哪个更适合居住?",
    'What do "quotes", {braces} and \\ backslashes cost?',
    "Plan a birthday party for 20 children with a budget of 300 euros.",
)


def asking(
    request_for: RequestFor, messages: tuple[Message, ...], decoding: Decoding, seed: int
) -> DecodeRequest:
    context = Context(tuple((message.role, "".join(map(str, message.parts))) for message in messages))
    request = request_for(BranchId(f"0.{seed + 1}"), max_tokens=decoding.max_tokens)
    return replace(request, context=context, decoding=decoding, seed=seed)


async def written(engine: Engine, request: DecodeRequest) -> tuple[str, Finish | None]:
    chunks = [chunk async for chunk in engine.decode(request)]
    return "".join(chunk.text for chunk in chunks), chunks[-1].finish


async def test_whatever_is_asked_the_plan_is_valid_at_the_first_attempt(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    decoding = Decoding(
        structure=Structure(json_schema=plan_schema(4)), max_tokens=tokens_for(4), temperature=1.0
    )
    requests = [
        asking(request_for, (*ask_for_plan(4), say("user", question)), decoding, seed)
        for seed, question in enumerate(QUESTIONS * 2)
    ]
    texts = await asyncio.gather(*(written(vllm_engine, request) for request in requests))

    plans = [read_plan(text, width=4, depth=4) for text, _ in texts]
    assert Counter(finish for _, finish in texts) == {Finish.EOS: len(requests)}
    assert any(plan != Plan() for plan in plans)


async def test_a_skeleton_is_a_list_of_short_points(vllm_engine: VllmEngine, request_for: RequestFor) -> None:
    decoding = Decoding(structure=skeleton_form(5, words=5), max_tokens=200, temperature=1.0)
    ask = say(
        "user", "What are the advantages of a small town? Give only the skeleton of your answer, a list."
    )
    requests = [asking(request_for, (ask,), decoding, seed) for seed in range(4)]
    texts = await asyncio.gather(*(written(vllm_engine, request) for request in requests))
    for text, finish in texts:
        assert finish is Finish.EOS
        points = re.findall(r"(?m)^(\d)\. (.+)$", text)
        assert [number for number, _ in points] == list("12345")[: len(points)]
        assert all(len(point.split()) <= 5 for _, point in points)


async def test_a_judge_gives_a_mark(vllm_engine: VllmEngine, request_for: RequestFor) -> None:
    child = judge("A proposed answer:\n\n7 times 8 is 56.")
    messages = (say("user", "What is 7 times 8?"), *child.messages)
    text, finish = await written(vllm_engine, asking(request_for, messages, child.decoding, 0))
    assert finish is Finish.EOS
    assert 0 <= int(text) <= 10
