"""Reads the turns of a chat client's conversation, the calls of tools and their results included.

Engines and their chat templates differ in what they know of tools, so calls and results are put into words: a call
becomes part of the assistant's turn, a result a turn that the engine reads as the user's.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from anabranch.service.api.views.requests import SentMessage


class _Read(BaseModel):
    """Base of what is read of a conversation: what clients add for others (cache marks, names) is left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)


def _check_part(kind: Any) -> Any:
    if kind not in ("text", "refusal"):
        raise ValueError(f"only text is read here; say in words what a part of type {str(kind)[:50]!r} shows")
    return kind


class Part(_Read):
    type: Annotated[Literal["text", "refusal"], BeforeValidator(_check_part)]
    text: str | None = None
    refusal: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Part":
        if self.said is None:
            raise ValueError(f"a part of type {self.type!r} has its words in the field {self.type!r}")
        return self

    @property
    def said(self) -> str | None:
        return self.text if self.type == "text" else self.refusal


def _form(content: Any) -> str:
    return "parts" if isinstance(content, list) else "text"


Content = Annotated[Annotated[str, Tag("text")] | Annotated[list[Part], Tag("parts")], Discriminator(_form)]
"""Named apart, so that a fault tells its place in the words of the protocol."""


class Function(_Read):
    name: str
    arguments: str | None = None

    def in_words(self) -> str:
        return f"[Called the tool {self.name} with {self.arguments or '{}'}]"


class Call(_Read):
    id: str | None = None
    function: Function


class ChatMessage(_Read):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content | None = Field(default=None, description="Null in a turn of the assistant only.")
    name: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    function_call: Function | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ChatMessage":
        if self.content is None and self.role != "assistant":
            raise ValueError(f"a turn of the {self.role} has content")
        return self

    @property
    def said(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.said or "" for part in self.content or ())

    @property
    def calls(self) -> tuple[Function, ...]:
        """The functions that a turn of the assistant calls."""
        if self.role != "assistant":
            return ()
        earlier = (self.function_call,) if self.function_call else ()
        return (*earlier, *(call.function for call in self.tool_calls or ()))


def read_conversation(messages: Sequence[ChatMessage]) -> Iterator[SentMessage]:
    """Yields the turns in our words."""
    names: dict[str, str] = {}
    for message in messages:
        names |= {call.id: call.function.name for call in message.tool_calls or () if call.id}
        match message.role:
            case "system" | "developer":
                yield SentMessage(role="system", content=message.said)
            case "user":
                yield SentMessage(role="user", content=message.said)
            case "assistant":
                told = (message.said, *(call.in_words() for call in message.calls))
                yield SentMessage(role="assistant", content="\n".join(line for line in told if line))
            case "tool" | "function":
                name = names.get(message.tool_call_id or "") or message.name or message.tool_call_id or ""
                yield SentMessage(role="tool", content=f"[Result of the tool {name}]\n{message.said}")
