"""OpenAI's own client against the whole service: REST, store, organizer, and an engine that recites."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from anabranch.dag.actions import Verifier
from anabranch.dag.decoding.tools import Call
from anabranch.dag.ids import BranchId
from anabranch.service.api.server import serve_api
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line, rendered
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.local import LocalPool

ASK: Any = [{"role": "user", "content": "Who wrote it?"}]
PONDER: Any = [{"role": "user", "content": "Ponder it."}]
TWO = {"anabranch": {"params": {"n": 2}}}
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
ABLE = ["best-of-n", "para-thinker", "plan", "self-consistency", "sequential"]
PLAN = {
    "subtasks": [
        {"id": "t1", "question": "Who was it?", "after": []},
        {"id": "t2", "question": "When was it?", "after": ["t1"]},
    ],
    "synthesis": "Say both.",
}


class Person(BaseModel):
    name: str
    born: int


class NoChecks:
    """These tests ask for no check."""

    async def compare(self, answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        raise AssertionError(answers)

    async def verify(self, verifier: Verifier, values: Mapping[BranchId, str]) -> Any:
        raise AssertionError(verifier)

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        raise AssertionError(tool)

    async def close(self) -> None: ...


def recite(request: DecodeRequest) -> Line:
    """Keeps to the form that is asked for, as a structured decode does; else tells what it read, and goes on."""
    structure = request.decoding.structure
    if request.decoding.tools is not None:
        return Line(text="I look. ", calls=(Call(name="weather", arguments='{"city": "Rome"}'),))
    if request.context.continuation:
        return Line(text="    if x:\n        return 1\n")
    if structure is None and "Ponder" in rendered(request.context):
        return Line(thought="one two three four five six", text="Well.")
    if structure is None:
        return Line(text=f"I read: {rendered(request.context)}\nQuestion: and then?")
    if structure.choice is not None:
        return Line(text=structure.choice[-1])
    if "anyOf" in (structure.json_schema or {}):  # the planner's own form
        return Line(text=json.dumps(PLAN))
    return Line(text='{"name": "Ada", "born": 1815}')


@pytest.fixture
async def address(settings: Settings, store: Store) -> AsyncIterator[str]:
    pool = LocalPool(ScriptedEngine(recite))
    organizer = Organizer(store, pool, NoChecks(), Traces(store, "scripted"), name="here", lease_seconds=5.0)
    working = asyncio.create_task(organizer.run())
    server = serve_api(settings)
    url = await asyncio.to_thread(server.__enter__)
    yield url
    await asyncio.to_thread(server.__exit__, None, None, None)
    await organizer.drain()
    await working
    await pool.close()


@pytest.fixture
async def client(address: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", timeout=60) as opened:
        yield opened


@pytest.mark.parametrize("policy", ABLE)
async def test_a_parsed_answer(policy: str, client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.parse(
        model=f"anabranch/{policy}", messages=ASK, response_format=Person
    )
    assert completion.choices[0].message.parsed == Person(name="Ada", born=1815)
    assert completion.choices[0].finish_reason == "stop"


async def test_a_json_object(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="anabranch/sequential", messages=ASK, response_format={"type": "json_object"}
    )
    assert json.loads(completion.choices[0].message.content or "") == {"name": "Ada", "born": 1815}


async def test_a_stop_string_is_not_in_the_answer(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="anabranch/sequential", messages=ASK, stop=["Question:", "</s>", "<|im_end|>"]
    )
    assert completion.choices[0].message.content == "I read: user: Who wrote it?"
    assert completion.choices[0].finish_reason == "stop"
    usage = completion.usage
    assert usage is not None
    assert usage.completion_tokens_details is not None
    assert usage.prompt_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 0
    assert usage.prompt_tokens_details.cached_tokens == 0


async def test_an_answer_that_its_limit_cut_ended_by_its_length(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="anabranch/sequential", messages=ASK, max_tokens=3
    )
    assert completion.choices[0].message.content == "I read: user:"
    assert completion.choices[0].finish_reason == "length"
    with pytest.raises(openai.LengthFinishReasonError):
        await client.chat.completions.parse(
            model="anabranch/sequential", messages=ASK, response_format=Person, max_tokens=1
        )


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_that_leaves_no_word_behind_the_thought_ends_an_empty_answer(
    limit: str, client: openai.AsyncOpenAI
) -> None:
    asked: Any = {"model": "anabranch/sequential", "messages": PONDER, limit: 3}
    completion = await client.chat.completions.create(**asked)
    assert completion.choices[0].message.content == ""
    assert completion.choices[0].finish_reason == "length"
    chunks = [chunk async for chunk in await client.chat.completions.create(**asked, stream=True)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ""
    assert chunks[-1].choices[0].finish_reason == "length"


async def test_so_does_the_best_of_samples_without_a_word(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="anabranch/best-of-n", messages=PONDER, max_tokens=3, extra_body=TWO
    )
    assert (completion.choices[0].message.content, completion.choices[0].finish_reason) == ("", "length")


@pytest.mark.parametrize("policy", ["sequential", "best-of-n"])
async def test_an_answer_that_was_begun_goes_on_with_the_blanks_that_join_it(
    policy: str, client: openai.AsyncOpenAI
) -> None:
    messages: Any = [*ASK, {"role": "assistant", "content": "def f(x):\n"}]
    asked: Any = {"model": f"anabranch/{policy}", "messages": messages, "extra_body": TWO}
    asked = asked if policy == "best-of-n" else asked | {"extra_body": {}}
    completion = await client.chat.completions.create(**asked)
    chunks = [chunk async for chunk in await client.chat.completions.create(**asked, stream=True)]
    told = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert told == completion.choices[0].message.content
    assert told.rstrip() == "    if x:\n        return 1"


async def test_a_stream_ends_with_the_answer(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="anabranch/sequential",
        messages=ASK,
        stop="Question:",
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    content = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert content == "I read: user: Who wrote it?"
    assert chunks[-1].usage is not None


async def test_the_client_that_blocks(address: str) -> None:
    def ask() -> str | None:
        with openai.OpenAI(base_url=f"{address}/v1", api_key="none", timeout=60) as client:
            completion = client.chat.completions.create(
                model="anabranch/sequential",
                messages=ASK,
                frequency_penalty=0,
                presence_penalty=0,
                logprobs=False,
                stop=None,
                tools=[TOOL],
                tool_choice="none",
                parallel_tool_calls=False,
            )
            return completion.choices[0].message.content

    assert (await asyncio.to_thread(ask) or "").startswith("I read: user: Who wrote it?")


@pytest.mark.parametrize("policy", ABLE)
async def test_an_answer_calls(policy: str, client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model=f"anabranch/{policy}", messages=ASK, tools=[TOOL], tool_choice="required"
    )
    (choice,) = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert (choice.message.content or "").strip() == "I look."
    assert choice.message.tool_calls
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Rome"}')
    assert call.id.startswith("call_")


async def test_a_streamed_answer_calls_and_its_result_is_sent_back(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model="anabranch/self-consistency", messages=ASK, tools=[TOOL]
    ) as stream:
        completion = await stream.get_final_completion()
    (choice,) = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    (call,) = choice.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Rome"}')
    called: Any = choice.message.model_dump(include={"role", "content", "tool_calls"})
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"}
    again = await client.chat.completions.create(
        model="anabranch/sequential", messages=[*ASK, called, result]
    )
    assert "[Result of the tool weather]\n18 degrees" in (again.choices[0].message.content or "")


async def test_a_function_of_the_older_protocol_is_called(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="anabranch/sequential", messages=ASK, functions=[{"name": "weather"}]
    )
    (choice,) = completion.choices
    assert choice.finish_reason == "function_call"
    assert choice.message.function_call is not None
    assert choice.message.function_call.arguments == '{"city": "Rome"}'
    assert choice.message.tool_calls is None


async def test_the_results_of_tools_are_read(client: openai.AsyncOpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    history: Any = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
    ]
    completion = await client.chat.completions.create(model="anabranch/sequential", messages=history)
    told = completion.choices[0].message.content or ""
    assert "assistant: [Called the tool weather with {}]\n" in told
    assert "user: [Result of the tool weather]\n18 degrees" in told


LM_EVAL = {
    "messages": ASK,
    "model": "anabranch/sequential",
    "max_tokens": 256,
    "temperature": 0,
    "stop": ["Question:", "</s>", "<|im_end|>"],
    "seed": 1234,
}
"""As lm-evaluation-harness writes it: `LocalChatCompletion._create_payload`, task gsm8k."""

LANGCHAIN = {
    "messages": ASK,
    "model": "anabranch/sequential",
    "frequency_penalty": 0.0,
    "n": 1,
    "stop": ["\n"],
    "stream": False,
    "temperature": 0.0,
}
"""As langchain-openai writes it: ChatOpenAI(frequency_penalty=0, n=1, temperature=0).bind(stop=…)."""


@pytest.mark.parametrize("body", [LM_EVAL, LANGCHAIN], ids=["lm-eval", "langchain"])
async def test_bodies_of_other_clients(body: dict[str, Any], address: str) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=60) as sender:
        response = await sender.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"] == "I read: user: Who wrote it?"


CALLED = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
OPEN_WEBUI = {
    "chat": {
        "stream": True,
        "model": "anabranch/sequential",
        "messages": [{"role": "system", "content": "Be brief."}, *ASK],
        "stream_options": {"include_usage": True},
        "temperature": 0.8,
        "top_p": 0.9,
        "min_p": 0.0,
        "max_tokens": 128,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "reasoning_effort": "medium",
        "seed": 42,
        "stop": ["\nQuestion:"],
        "logit_bias": {},
    },
    "title": {
        "model": "anabranch/sequential",
        "messages": [{"role": "user", "content": "Write a title."}],
        "stream": False,
        "max_completion_tokens": 1000,
    },
    "parts": {
        "stream": True,
        "model": "anabranch/sequential",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Who wrote it?"}]}],
    },
    "results of tools": {
        "model": "anabranch/sequential",
        "messages": [
            *ASK,
            {"role": "assistant", "content": "", "tool_calls": [CALLED]},
            {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    },
}
"""As Open WebUI writes them to an OpenAI connection: `routers/openai.py` behind `utils/payload.py`, `routers/tasks.py`,
and the turns of `utils/middleware.py` behind native function calling."""


@pytest.mark.parametrize("name", OPEN_WEBUI)
async def test_bodies_of_open_webui(name: str, address: str) -> None:
    body: dict[str, Any] = OPEN_WEBUI[name]
    async with httpx.AsyncClient(base_url=address, timeout=60) as sender:
        response = await sender.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    if not body["stream"]:
        assert response.json()["choices"][0]["message"]["content"].startswith("I read: ")
        return
    told = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert told[-1] == "[DONE]"
    choices = [choice for line in told[:-1] for choice in json.loads(line)["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices).startswith("I read: ")
