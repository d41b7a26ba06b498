"""llama-index: OpenAILike."""

from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel


class Person(BaseModel):
    """Somebody."""

    name: str
    born: int


def weather(city: str) -> str:
    """Tells the weather."""
    return "18 degrees"


@pytest.fixture
def model(url: str) -> OpenAILike:
    return OpenAILike(
        model="anabranch/sequential",
        api_base=url,
        api_key="none",
        is_chat_model=True,
        is_function_calling_model=True,
    )


ASK = [ChatMessage(role="user", content="Who wrote it?")]


def test_plain(model: OpenAILike) -> None:
    assert model.chat(ASK).message.content == "I read: user: Who wrote it?"
    assert model.complete("Who wrote it?").text == "I read: user: Who wrote it?"


def test_streaming(model: OpenAILike) -> None:
    assert "".join(chunk.delta or "" for chunk in model.stream_chat(ASK)) == "I read: user: Who wrote it?"


def test_structured(model: OpenAILike) -> None:
    assert model.as_structured_llm(Person).chat(ASK).raw == Person(name="Ada", born=1815)


def test_a_tool_and_its_result(model: OpenAILike) -> None:
    tool = FunctionTool.from_defaults(fn=weather)
    first = model.chat_with_tools([tool], user_msg="How is it in Rome?")
    (call,) = model.get_tool_calls_from_response(first)
    assert (call.tool_name, call.tool_kwargs) == ("weather", {"city": "Rome"})
    result = ChatMessage(
        role=MessageRole.TOOL, content="18 degrees", additional_kwargs={"tool_call_id": call.tool_id}
    )
    history: Any = [ChatMessage(role="user", content="How is it in Rome?"), first.message, result]
    assert model.chat_with_tools([tool], chat_history=history).message.content == "It is 18 degrees in Rome."
