"""pydantic-ai: agents on chat completions and on responses."""

from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, PromptedOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider


class Person(BaseModel):
    name: str
    born: int


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel])
def model(request: pytest.FixtureRequest, url: str) -> Any:
    return request.param("anabranch/sequential", provider=OpenAIProvider(base_url=url, api_key="none"))


def weather(city: str) -> str:
    """Tells the weather."""
    return "18 degrees"


def test_plain(model: Any) -> None:
    assert Agent(model).run_sync("Who wrote it?").output == "I read: user: Who wrote it?"


def test_streaming(model: Any) -> None:
    result = Agent(model).run_stream_sync("Who wrote it?")
    assert list(result.stream_text())[-1] == "I read: user: Who wrote it?"


@pytest.mark.parametrize(
    "form", [Person, NativeOutput(Person), PromptedOutput(Person)], ids=["tool", "native", "prompt"]
)
def test_structured(form: Any, model: Any) -> None:
    assert Agent(model, output_type=form).run_sync("Who wrote it?").output == Person(name="Ada", born=1815)


def test_a_tool_its_result_and_what_was_said_before(model: Any) -> None:
    agent = Agent(model, tools=[weather])
    first = agent.run_sync("How is it in Rome?")
    assert first.output == "It is 18 degrees in Rome."
    again = agent.run_sync("And now?", message_history=first.all_messages())
    assert again.output == "It is 18 degrees in Rome."
