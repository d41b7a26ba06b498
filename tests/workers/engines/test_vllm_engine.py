"""vLLM for real: one small model, on whatever this machine has."""

import asyncio
import json
import time
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from prometheus_client import REGISTRY
from tests.workers.conftest import RequestFor, usage_of

from anabranch.dag.decoding import Decoded, Fault, Finish, Structure
from anabranch.dag.decoding.confidence import SUREST, ConfidenceRule
from anabranch.dag.decoding.logprobs import covering
from anabranch.dag.decoding.tools import Tool, Tools
from anabranch.dag.text import Context
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.vllm.engine import VllmEngine
from anabranch.workers.errors import DecodeError
from anabranch.workers.messages import DecodeRequest, Message, SegmentDone
from anabranch.workers.replica.admission import Admission
from anabranch.workers.replica.decode_task import DecodeTask

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

CAPITAL = "What is the capital of France?"
COUNTING = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24"


async def decoded(engine: VllmEngine, request: DecodeRequest) -> list[Chunk]:
    return [chunk async for chunk in engine.decode(request)]


async def text_of(engine: VllmEngine, request: DecodeRequest) -> str:
    return "".join(chunk.text for chunk in await decoded(engine, request))


def raw(request: DecodeRequest, prompt: str) -> DecodeRequest:
    return replace(request, context=Context((), prompt))


def continued(request: DecodeRequest, continuation: str) -> DecodeRequest:
    return replace(request, context=replace(request.context, continuation=continuation))


async def sequences_in_the_engine(engine: VllmEngine, request_for: RequestFor) -> float:
    """What vLLM's scheduler holds when a further decode has ended: it reports at each of its steps."""
    await decoded(engine, request_for(max_tokens=2))
    labels = {"engine": "0", "model_name": engine.model.location}
    told = [
        REGISTRY.get_sample_value(f"vllm:num_requests_{state}", labels) for state in ("running", "waiting")
    ]
    assert None not in told
    return sum(count for count in told if count is not None)


async def fault_of(engine: VllmEngine, request: DecodeRequest) -> Fault:
    with pytest.raises(DecodeError) as error:
        await decoded(engine, request)
    return error.value.fault


async def test_it_answers(vllm_engine: VllmEngine, request_for: RequestFor) -> None:
    before = time.time()
    chunks = await decoded(vllm_engine, request_for(prompt=CAPITAL, temperature=0.0))
    after = time.time()

    assert "Paris" in "".join(chunk.text for chunk in chunks)
    assert [chunk.finish for chunk in chunks] == [None] * (len(chunks) - 1) + [Finish.EOS]
    assert all(before < chunk.scheduled < after for chunk in chunks)
    assert chunks[-1].logprob is not None
    assert chunks[-1].logprob < 0


async def test_it_tells_how_likely_each_token_was(vllm_engine: VllmEngine, request_for: RequestFor) -> None:
    request = request_for(prompt=f"{CAPITAL} Say it with a 🌊.", temperature=0.0, max_tokens=40, logprobs=3)
    chunks = await decoded(vllm_engine, request)
    tokens = [token for chunk in chunks for token in chunk.logprobs]
    text = "".join(chunk.text for chunk in chunks)

    assert covering(tokens, text)
    assert len(tokens) == chunks[-1].tokens
    assert all(len(token.top) == 3 and token.top[0].token == token.token for token in tokens)  # it is greedy
    assert sum(token.logprob for token in tokens) == pytest.approx(chunks[-1].logprob, abs=1e-3)
    assert not any(chunk.logprobs for chunk in await decoded(vllm_engine, request_for(max_tokens=2)))


async def test_kept_tokens_are_those_that_the_model_drew(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    request = request_for(prompt=CAPITAL, temperature=1.0, max_tokens=24, keep_tokens=True)
    chunks = await decoded(vllm_engine, request)
    ids = [token for chunk in chunks for token in chunk.token_ids]
    logprobs = [logprob for chunk in chunks for logprob in chunk.token_logprobs]
    assert len(ids) == len(logprobs) == chunks[-1].tokens
    assert sum(logprobs) == pytest.approx(chunks[-1].logprob, abs=1e-3)
    tokenizer = vllm_engine._llm.get_tokenizer()
    ending = [tokenizer.eos_token_id] if chunks[-1].finish is Finish.EOS else []
    text = "".join(chunk.text for chunk in chunks)
    assert tokenizer.decode(ids[: len(ids) - len(ending)]) == text
    assert not any(chunk.token_ids for chunk in await decoded(vllm_engine, request_for(max_tokens=2)))


async def test_a_decode_is_stopped_where_the_model_is_too_unsure(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    """By the replica that hosts the engine. Nobody is as sure as SUREST, so the first whole group ends it."""

    async def replica_says(rule: ConfidenceRule) -> Decoded:
        heard: list[Message] = []
        request = request_for(prompt=CAPITAL, temperature=0.0, max_tokens=40, confidence=rule)
        task = DecodeTask(request, heard.append, engine=vllm_engine, admission=Admission(1), replica="r")
        await task.run()
        [done] = [message for message in heard if isinstance(message, SegmentDone)]
        return done.decoded

    whole = await replica_says(ConfidenceRule(group=4))
    assert whole.confidence is not None
    assert 0 < whole.confidence.lowest <= whole.confidence.mean < SUREST
    assert whole.confidence.tokens == whole.usage.completion_tokens
    assert whole.token_logprobs == ()
    stopped = await replica_says(ConfidenceRule(group=4, least=SUREST))
    assert stopped.finish is Finish.UNSURE
    assert stopped.usage.completion_tokens < whole.usage.completion_tokens
    assert whole.text.startswith(stopped.text)
    assert await sequences_in_the_engine(vllm_engine, request_for) == 0


async def test_it_counts_every_token_from_the_first_chunk_to_the_last(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    chunks = await decoded(vllm_engine, request_for(prompt=CAPITAL, temperature=0.0))

    counts = [chunk.tokens for chunk in chunks]
    text = "".join(chunk.text for chunk in chunks)
    assert counts == sorted(counts)
    assert [usage_of(chunk).completion_tokens for chunk in chunks] == counts
    assert counts[-1] == await vllm_engine.count_tokens(text) + 1  # and the one that ends the turn
    assert {usage_of(chunk).prompt_tokens for chunk in chunks} == {37}


async def test_a_stop_string_ends_the_text_and_stays_in_it(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    chunks = await decoded(
        vllm_engine, request_for(prompt=CAPITAL, temperature=0.0, stop=("France", "nowhere"))
    )

    assert "".join(chunk.text for chunk in chunks) == "The capital of France"
    assert chunks[-1].finish is Finish.STOP


async def test_it_decodes_no_more_than_asked(vllm_engine: VllmEngine, request_for: RequestFor) -> None:
    chunks = await decoded(vllm_engine, request_for(prompt=CAPITAL, temperature=0.0, max_tokens=3))

    assert (chunks[-1].tokens, chunks[-1].finish) == (3, Finish.LENGTH)


async def test_a_seed_fixes_what_is_drawn(vllm_engine: VllmEngine, request_for: RequestFor) -> None:
    request = request_for(prompt="Write a poem.", temperature=1.0, max_tokens=24)
    one, again, other = [
        await text_of(vllm_engine, replace(request, seed=seed)) for seed in (2**63 + 5, 2**63 + 5, 6)
    ]
    assert one == again
    assert one != other


async def test_a_begun_turn_is_continued_to_the_letter(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    request = request_for(prompt=CAPITAL, temperature=0.0)
    assert await text_of(vllm_engine, continued(request, "The capital of France")) == " is Paris."
    # Templates trim; a blank at the end is the model's to see nevertheless.
    trimmed, kept = [await decoded(vllm_engine, continued(request, text)) for text in ("Paris", "Paris  ")]
    assert usage_of(kept[0]).prompt_tokens > usage_of(trimmed[0]).prompt_tokens


async def test_a_context_without_messages_is_a_raw_prompt(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    text = await text_of(vllm_engine, raw(request_for(temperature=0.0, max_tokens=4), COUNTING))
    assert text.startswith(" 25")


async def test_a_shared_prefix_is_computed_once(vllm_engine: VllmEngine, request_for: RequestFor) -> None:
    prompt = " ".join(f"Fact {n}: {n * n} is the square of {n}." for n in range(30))
    first = await decoded(vllm_engine, raw(request_for(max_tokens=1), prompt))
    second = await decoded(
        vllm_engine, raw(request_for(max_tokens=1), prompt + " Now what is the square of 7?")
    )

    assert usage_of(first[0]).cached_tokens == 0
    assert usage_of(second[0]).cached_tokens >= usage_of(first[0]).prompt_tokens - 32


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "capital": {"type": "boolean"}},
    "required": ["city", "capital"],
    "additionalProperties": False,
}


async def test_a_structure_is_kept_whatever_the_model_wants(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    def asking(**form: Any) -> DecodeRequest:
        return request_for(prompt=CAPITAL, temperature=0.0, structure=Structure(**form))

    assert await text_of(vllm_engine, asking(choice=("London", "Madrid"))) in ("London", "Madrid")
    assert (await text_of(vllm_engine, asking(regex="[A-C]{5}"))).strip("ABC") == ""
    document = await text_of(vllm_engine, asking(json_schema=SCHEMA))
    jsonschema.validate(json.loads(document), SCHEMA)
    assert "\n" not in document


async def test_a_prompt_that_does_not_fit_is_refused_before_it_is_submitted(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    fault = await fault_of(vllm_engine, raw(request_for(), COUNTING * 100))

    assert fault.cause == "prompt-too-long"
    assert not fault.retryable
    assert "2048 fit" in fault.detail


async def test_what_fits_after_a_long_prompt_is_decoded(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    prompt = COUNTING
    while await vllm_engine.count_tokens(prompt) < 1980:
        prompt += " and " + COUNTING[:20]
    chunks = await decoded(vllm_engine, raw(request_for(max_tokens=5000, temperature=0.0), prompt))

    last = chunks[-1]
    assert last.finish is Finish.LENGTH
    assert usage_of(last).prompt_tokens + usage_of(last).completion_tokens == 2048


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"structure": Structure(regex="([")}, "regex"),
        ({"temperature": -1.0}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ("",)}, "stop"),
    ],
)
async def test_what_cannot_be_decoded_is_refused_and_the_engine_lives_on(
    vllm_engine: VllmEngine, request_for: RequestFor, asked: dict[str, Any], why: str
) -> None:
    request = request_for(prompt=CAPITAL)
    fault = await fault_of(vllm_engine, replace(request, decoding=replace(request.decoding, **asked)))

    assert (fault.cause, fault.retryable) == ("refused", False)
    assert why in fault.detail
    await vllm_engine.check_health()
    assert await text_of(vllm_engine, request_for(max_tokens=1))


async def test_an_empty_prompt_and_another_model_are_refused(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    assert "prompt is empty" in (await fault_of(vllm_engine, raw(request_for(), ""))).detail
    other = await fault_of(vllm_engine, replace(request_for(), model="gpt-oss-120b"))
    assert other.detail == "this pool serves smollm2-135m, not gpt-oss-120b"


async def test_closing_the_stream_frees_the_sequence(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    async with aclosing(vllm_engine.decode(raw(request_for(max_tokens=1500), COUNTING))) as chunks:
        await anext(chunks)

    assert await sequences_in_the_engine(vllm_engine, request_for) == 0


async def test_cancelling_the_consumer_frees_the_sequence(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    begun = asyncio.Event()

    async def consume() -> None:
        async for _ in vllm_engine.decode(raw(request_for(max_tokens=1500), COUNTING)):
            begun.set()

    consumer = asyncio.create_task(consume())
    await begun.wait()
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer

    assert await sequences_in_the_engine(vllm_engine, request_for) == 0


async def test_under_load_the_more_urgent_goes_first(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    at_once = vllm_engine._llm.vllm_config.scheduler_config.max_num_seqs
    ended = []

    async def decode(name: str, *, priority: int, max_tokens: int) -> None:
        request = request_for(prompt=CAPITAL, priority=priority, max_tokens=max_tokens)
        await decoded(vllm_engine, request)
        ended.append(name)

    patient = [asyncio.create_task(decode("patient", priority=9, max_tokens=2)) for _ in range(at_once + 150)]
    submitted = vllm_engine._llm.get_num_unfinished_requests
    while submitted() + len(ended) < len(patient):
        await asyncio.sleep(0.01)
    ended_before = len(ended)
    await decode("urgent", priority=0, max_tokens=1)
    await asyncio.gather(*patient)

    assert ended.index("urgent") <= ended_before + at_once


async def test_control_tokens_in_what_a_user_wrote_are_text(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    """`<|im_end|>` in a question, or in what a worker returned, must not end its turn."""
    token = vllm_engine._control_tokens[0]
    hostile = replace(request_for(), context=Context((("user", f"hello{token}there"),)))
    plain = replace(request_for(), context=Context((("user", "hello there"),)))
    tokenizer = vllm_engine._llm.get_tokenizer()
    [control] = tokenizer.convert_tokens_to_ids([token])

    async def count(request: DecodeRequest) -> int:
        return list((await vllm_engine._prompt(request))[0]["prompt_token_ids"]).count(control)

    assert await count(hostile) == await count(plain)


async def test_a_call_that_must_come_comes_with_its_arguments(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    parameters = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}
    tools = Tools(
        offered=(Tool(name="weather", description="Tells the weather of a city.", parameters=parameters),),
        required=True,
        several=False,
    )
    request = request_for(
        prompt="What is the weather in Rome?", temperature=0.0, tools=tools, max_tokens=None
    )
    chunks = await decoded(vllm_engine, request)
    assert "".join(chunk.text for chunk in chunks) == ""
    (call,) = chunks[-1].calls
    assert call.name == "weather"
    assert json.loads(call.arguments)["city"] in {"Rome", "Oslo"}


async def test_where_a_call_need_not_come_there_is_one_or_an_answer(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    tools = Tools(offered=(Tool(name="time"),))
    chunks = await decoded(vllm_engine, request_for(prompt="Say hello.", temperature=0.0, tools=tools))
    text = "".join(chunk.text for chunk in chunks)
    assert bool(text.strip()) != bool(chunks[-1].calls)
    assert not text.startswith('{"')
