"""Reads the turns of a chat client's conversation, the calls of tools and their results included.

A call and its result are passed on as such where each has the other. What does not fit together is put into words: a
call becomes part of the assistant's turn, a result a turn that the engine reads as the user's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from anabranch.dag.decoding import tools as dag
from anabranch.service.api.views.requests import SentMessage
from anabranch.service.api.views.tools import LONGEST_ID, SentCall


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
    def call_ids(self) -> list[str]:
        """What results of its calls name: their ids, or in the older protocol, which has none, the function."""
        calls = self.tool_calls or () if self.role == "assistant" else ()
        earlier = [self.function_call.name] if self.calls and self.function_call else []
        return [*earlier, *(call.id or "" for call in calls)]

    @property
    def calls(self) -> tuple[Function, ...]:
        """The functions that a turn of the assistant calls."""
        if self.role != "assistant":
            return ()
        earlier = (self.function_call,) if self.function_call else ()
        return (*earlier, *(call.function for call in self.tool_calls or ()))


def read_conversation(messages: Sequence[ChatMessage]) -> Iterator[SentMessage]:
    """Yields the turns in our words."""
    pairs = _pair(messages)
    names: dict[str, str] = {}
    for place, message in enumerate(messages):
        names |= {call.id: call.function.name for call in message.tool_calls or () if call.id}
        match message.role:
            case "system" | "developer":
                yield SentMessage(role="system", content=message.said)
            case "user":
                yield SentMessage(role="user", content=message.said)
            case "assistant" if place in pairs.calls:
                yield SentMessage(role="assistant", content=message.said, tool_calls=pairs.calls[place])
            case "assistant":
                calls = [dag.Call(name=each.name, arguments=each.arguments or "{}") for each in message.calls]
                yield SentMessage(role="assistant", content=dag.in_words(message.said, calls))
            case "tool" | "function" if place in pairs.results:
                yield SentMessage(role="tool", content=message.said, tool_call_id=pairs.results[place])
            case "tool" | "function":
                name = names.get(message.tool_call_id or "") or message.name or message.tool_call_id or ""
                yield SentMessage(role="tool", content=dag.result_in_words(name, message.said))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Calls and results that have each other, by the places of their turns."""

    calls: dict[int, list[SentCall]] = field(default_factory=dict)
    results: dict[int, str] = field(default_factory=dict)


def _pair(messages: Sequence[ChatMessage]) -> _Pairs:
    """Finds the results behind each turn that calls. An id that another turn has, too, or none, is made anew."""
    pairs, taken = _Pairs(), set[str]()
    for place, message in enumerate(messages):
        behind = takewhile(lambda each: each.role in ("tool", "function"), messages[place + 1 :])
        answers = [result.tool_call_id or result.name or "" for result in behind] if message.calls else []
        named = message.call_ids
        if not named or len(set(named)) < len(named) or sorted(named) != sorted(answers):
            continue
        remade = not taken.isdisjoint(named) or not all(0 < len(each) <= LONGEST_ID for each in named)
        ids = {each: f"call_{place}_{number}" if remade else each for number, each in enumerate(named)}
        taken.update(ids.values())
        pairs.calls[place] = [
            SentCall(id=ids[each], name=function.name, arguments=function.arguments or "{}")
            for each, function in zip(named, message.calls, strict=True)
        ]
        pairs.results.update({place + 1 + number: ids[each] for number, each in enumerate(answers)})
    return pairs
