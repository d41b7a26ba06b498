"""langchain-openai: ChatOpenAI."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Person(BaseModel):
    """Somebody."""

    name: str
    born: int


@tool
def weather(city: str) -> str:
    """Tells the weather."""
    return "18 degrees"


@pytest.fixture
def model(url: str) -> ChatOpenAI:
    return ChatOpenAI(model="anabranch/sequential", base_url=url, api_key="none", temperature=0)  # type: ignore[arg-type]


def test_plain(model: ChatOpenAI) -> None:
    assert model.invoke("Who wrote it?").content == "I read: user: Who wrote it?"
    assert (
        model.bind(stop=["wrote"], frequency_penalty=0).invoke("Who wrote it?").content == "I read: user: Who"
    )


def test_streaming(model: ChatOpenAI) -> None:
    assert (
        "".join(str(chunk.content) for chunk in model.stream("Who wrote it?"))
        == "I read: user: Who wrote it?"
    )


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured(method: Any, model: ChatOpenAI) -> None:
    asked = model.with_structured_output(Person, method=method)
    assert asked.invoke("Who wrote it? Answer in JSON.") == Person(name="Ada", born=1815)


def test_a_tool_and_its_result(model: ChatOpenAI) -> None:
    able = model.bind_tools([weather])
    called = able.invoke("How is it in Rome?")
    assert isinstance(called, AIMessage)
    (call,) = called.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Rome"})
    history = [
        HumanMessage("How is it in Rome?"),
        called,
        ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]),
    ]
    assert able.invoke(history).content == "It is 18 degrees in Rome."


def test_a_tool_while_streaming(model: ChatOpenAI) -> None:
    whole: Any = None
    for chunk in model.bind_tools([weather]).stream("How is it in Rome?"):
        whole = chunk if whole is None else whole + chunk
    assert whole.tool_calls[0]["args"] == {"city": "Rome"}


def test_responses(url: str) -> None:
    model = ChatOpenAI(
        model="anabranch/sequential",
        base_url=url,
        api_key="none",
        use_responses_api=True,  # type: ignore[arg-type]
    )
    assert model.invoke("Who wrote it?").text == "I read: user: Who wrote it?"
