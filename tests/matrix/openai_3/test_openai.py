"""openai: chat completions and responses, blocking and not."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

MODEL = "anabranch/sequential"
ASK: Any = [{"role": "user", "content": "Who wrote it?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
RESPONSES_WEATHER: Any = {"type": "function", "strict": False, **WEATHER["function"]}


class Person(BaseModel):
    name: str
    born: int


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="none") as opened:
        yield opened


class TestChat:
    def test_plain(self, client: openai.OpenAI) -> None:
        completion = client.chat.completions.create(model=MODEL, messages=ASK)
        assert completion.choices[0].message.content == "I read: user: Who wrote it?"
        assert completion.choices[0].finish_reason == "stop"
        assert completion.usage is not None
        assert completion.usage.total_tokens > 0

    def test_streaming(self, client: openai.OpenAI) -> None:
        chunks = list(
            client.chat.completions.create(
                model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
            )
        )
        told = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert told == "I read: user: Who wrote it?"
        assert chunks[-1].usage is not None
        assert len({chunk.created for chunk in chunks}) == 1

    def test_structured(self, client: openai.OpenAI) -> None:
        parsed = client.chat.completions.parse(model=MODEL, messages=ASK, response_format=Person)
        assert parsed.choices[0].message.parsed == Person(name="Ada", born=1815)

    def test_structured_streaming(self, client: openai.OpenAI) -> None:
        with client.chat.completions.stream(model=MODEL, messages=ASK, response_format=Person) as stream:
            final = stream.get_final_completion()
        assert final.choices[0].message.parsed == Person(name="Ada", born=1815)

    def test_a_tool_and_its_result(self, client: openai.OpenAI) -> None:
        first = client.chat.completions.create(model=MODEL, messages=ASK, tools=[WEATHER])
        message = first.choices[0].message
        assert first.choices[0].finish_reason == "tool_calls"
        assert message.tool_calls is not None
        (call,) = message.tool_calls
        assert call.type == "function"
        assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Rome"})
        result = {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"}
        history: Any = [*ASK, message.model_dump(), result]
        second = client.chat.completions.create(model=MODEL, messages=history, tools=[WEATHER])
        assert second.choices[0].message.content == "It is 18 degrees in Rome."

    def test_a_tool_while_streaming(self, client: openai.OpenAI) -> None:
        with client.chat.completions.stream(model=MODEL, messages=ASK, tools=[WEATHER]) as stream:
            final = stream.get_final_completion()
        assert final.choices[0].message.tool_calls is not None
        assert final.choices[0].message.tool_calls[0].function.name == "weather"

    def test_a_mistake_is_the_clients(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.UnprocessableEntityError):
            client.chat.completions.create(model=MODEL, messages=[])
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="anabranch/none", messages=ASK)

    def test_not_blocking(self, url: str) -> None:
        async def ask() -> list[str]:
            async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:
                stream = await client.chat.completions.create(model=MODEL, messages=ASK, stream=True)
                return [choice.delta.content or "" async for chunk in stream for choice in chunk.choices]

        assert "".join(asyncio.run(ask())) == "I read: user: Who wrote it?"


class TestResponses:
    def test_plain(self, client: openai.OpenAI) -> None:
        response = client.responses.create(model=MODEL, input="Who wrote it?")
        assert response.output_text == "I read: user: Who wrote it?"
        assert response.status == "completed"

    def test_streaming(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model=MODEL, input="Who wrote it?") as stream:
            kinds = [event.type for event in stream]
            assert stream.get_final_response().output_text == "I read: user: Who wrote it?"
        assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")

    def test_structured(self, client: openai.OpenAI) -> None:
        response = client.responses.parse(model=MODEL, input="Who wrote it?", text_format=Person)
        assert response.output_parsed == Person(name="Ada", born=1815)

    def test_a_tool_and_its_result(self, client: openai.OpenAI) -> None:
        first = client.responses.create(model=MODEL, input="How is it?", tools=[RESPONSES_WEATHER])
        (call,) = [item for item in first.output if item.type == "function_call"]
        assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Rome"})
        result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}
        second = client.responses.create(
            model=MODEL, input=[result], tools=[RESPONSES_WEATHER], previous_response_id=first.id
        )
        assert second.output_text == "It is 18 degrees in Rome."

    def test_in_the_background(self, client: openai.OpenAI) -> None:
        begun = client.responses.create(model=MODEL, input="Who wrote it?", background=True)
        with client.responses.retrieve(begun.id, stream=True) as stream:
            assert [event.type for event in stream][-1] == "response.completed"
        assert client.responses.retrieve(begun.id).output_text == "I read: user: Who wrote it?"
        client.responses.delete(begun.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(begun.id)
