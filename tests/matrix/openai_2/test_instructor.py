"""instructor: typed answers, in each of the ways in which it asks for them."""

from typing import Any

import instructor
import openai
import pytest
from pydantic import BaseModel

MODEL = "anabranch/sequential"
ASK: Any = [{"role": "user", "content": "Who wrote it?"}]
HISTORY: Any = [
    *ASK,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "look_up", "arguments": '{"what": "it"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Ada wrote it."},
    {"role": "user", "content": "Tell me in your form."},
]


class Person(BaseModel):
    name: str
    born: int


@pytest.fixture(params=["TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA", "MD_JSON"])
def client(request: pytest.FixtureRequest, url: str) -> Any:
    return instructor.from_openai(
        openai.OpenAI(base_url=url, api_key="none"), mode=instructor.Mode[request.param]
    )


@pytest.mark.parametrize("messages", [ASK, HISTORY], ids=["plain", "history"])
def test_structured(messages: Any, client: Any) -> None:
    found = client.chat.completions.create(model=MODEL, messages=messages, response_model=Person)
    assert (found.name, found.born) == ("Ada", 1815)


def test_structured_streaming(client: Any) -> None:
    parts = list(client.chat.completions.create_partial(model=MODEL, messages=ASK, response_model=Person))
    assert (parts[-1].name, parts[-1].born) == ("Ada", 1815)
