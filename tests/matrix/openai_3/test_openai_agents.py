"""openai-agents: agents on chat completions and on responses."""

import asyncio
from typing import Any

import pytest
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

set_tracing_disabled(True)


class Person(BaseModel):
    name: str
    born: int


@function_tool
def weather(city: str) -> str:
    """Tells the weather."""
    return "18 degrees"


@pytest.fixture(params=[OpenAIChatCompletionsModel, OpenAIResponsesModel])
def model(request: pytest.FixtureRequest, url: str) -> Any:
    client = AsyncOpenAI(base_url=url, api_key="none")
    return request.param(model="anabranch/sequential", openai_client=client)


def run(agent: Agent[Any], asked: Any, *more: Any) -> list[Any]:
    """What comes of each turn; a turn behind the first is told what was said before."""

    async def talk() -> list[Any]:
        told = [await Runner.run(agent, asked)]
        for turn in more:
            said: Any = [*told[-1].to_input_list(), {"role": "user", "content": turn}]
            told.append(await Runner.run(agent, said))
        return [one.final_output for one in told]

    return asyncio.run(talk())


def test_plain(model: Any) -> None:
    assert run(Agent(name="a", model=model), "Who wrote it?") == ["I read: user: Who wrote it?"]


def test_streaming(model: Any) -> None:
    async def ask() -> str:
        streamed = Runner.run_streamed(Agent(name="a", model=model), "Who wrote it?")
        told = [
            event.data.delta
            async for event in streamed.stream_events()
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        ]
        return "".join(told)

    assert asyncio.run(ask()) == "I read: user: Who wrote it?"


def test_structured(model: Any) -> None:
    found = run(Agent(name="a", model=model, output_type=Person), "Who wrote it?")
    assert found == [Person(name="Ada", born=1815)]


def test_a_tool_its_result_and_what_was_said_before(model: Any) -> None:
    agent = Agent[Any](name="a", model=model, tools=[weather])
    assert run(agent, "How is it in Rome?", "And now?") == ["It is 18 degrees in Rome."] * 2
