"""Reads and lists the items of a response's input: messages, calls of functions, their results, earlier reasoning."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    model_validator,
)

from anabranch.service.api.views.chat.messages import Call, ChatMessage, Function

Json = dict[str, Any]

TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text", "refusal")
INSTEAD = {
    "item_reference": "send the item itself, or continue its response by previous_response_id",
    "compaction": "send the items that it stands for",
}


class _Read(BaseModel):
    """Base of what is read of an input: what clients add for others (ids, marks of status) is left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)


def _check_part(kind: Any) -> Any:
    if kind not in TEXTS:
        raise ValueError(f"only text is read here; say in words what a part of type {str(kind)[:50]!r} shows")
    return kind


class ContentPart(_Read):
    type: Annotated[
        Literal["input_text", "output_text", "text", "summary_text", "reasoning_text", "refusal"],
        BeforeValidator(_check_part),
    ]
    text: str | None = None
    refusal: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ContentPart":
        if (self.refusal if self.type == "refusal" else self.text) is None:
            raise ValueError(
                f"a part of type {self.type!r} has its words in {'refusal' if self.type == 'refusal' else 'text'!r}"
            )
        return self

    @property
    def said(self) -> str:
        return (self.refusal if self.type == "refusal" else self.text) or ""


def _form(content: Any) -> str:
    return "parts" if isinstance(content, list) else "text"


Content = Annotated[
    Annotated[str, Tag("text")] | Annotated[list[ContentPart], Tag("parts")], Discriminator(_form)
]


def _say(content: str | list[ContentPart]) -> str:
    return content if isinstance(content, str) else "".join(part.said for part in content)


class MessageItem(_Read):
    type: Literal["message"] | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: Content

    def as_json(self, id_: str) -> Json:
        kind = "output_text" if self.role == "assistant" else "input_text"
        part: Json = {"type": kind, "text": _say(self.content)}
        if self.role == "assistant":
            part |= {"annotations": []}
        return {
            "type": "message", "id": f"msg_{id_}", "status": "completed", "role": self.role, "content": [part]
        }  # fmt: skip


class CallItem(_Read):
    type: Literal["function_call"]
    call_id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    arguments: str

    def as_json(self, id_: str) -> Json:
        told = self.model_dump(include={"type", "call_id", "name", "arguments"})
        return {**told, "id": f"fc_{id_}", "status": "completed"}


class ResultItem(_Read):
    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1)
    output: Content

    def as_json(self, id_: str) -> Json:
        return {
            "type": self.type, "id": f"fco_{id_}", "call_id": self.call_id,
            "output": _say(self.output), "status": "completed",
        }  # fmt: skip


class ReasoningItem(_Read):
    """Earlier reasoning. It is taken, and not read again: what policies think, they think anew."""

    type: Literal["reasoning"]
    summary: list[ContentPart] | None = None
    content: list[ContentPart] | None = None

    def as_json(self, id_: str) -> Json:
        summary = [{"type": "summary_text", "text": part.said} for part in self.summary or ()]
        return {"type": self.type, "id": f"rs_{id_}", "status": "completed", "summary": summary}


def _check_item(item: Any) -> Any:
    kind = _kind(item)
    if kind not in KINDS:
        instead = INSTEAD.get(kind, "tell in messages what it says")
        raise ValueError(f"an item of type {kind[:50]!r} is not read here; {instead}")
    return item


def _kind(item: Any) -> str:
    kind = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)
    return "message" if kind is None else str(kind)


KINDS = {"message", "function_call", "function_call_output", "reasoning"}
Item = Annotated[
    Annotated[
        Annotated[MessageItem, Tag("message")]
        | Annotated[CallItem, Tag("function_call")]
        | Annotated[ResultItem, Tag("function_call_output")]
        | Annotated[ReasoningItem, Tag("reasoning")],
        Discriminator(_kind),
    ],
    BeforeValidator(_check_item),
]
_ITEMS = TypeAdapter[list[Item]](list[Item])


def read_items(sent: Any) -> list[Item]:
    """The items of an `input` that was taken before: a text is one message of the user."""
    if isinstance(sent, str):
        return [MessageItem(role="user", content=sent)]
    return _ITEMS.validate_python(sent)


def list_items(sent: Any, job: str) -> list[Json]:
    """The same as clients read them. Ids are made of the job's and of the place in the input."""
    return [item.as_json(f"{job}_{place}") for place, item in enumerate(read_items(sent))]


def chat_messages(items: Sequence[Item]) -> list[ChatMessage]:
    """The same conversation as chat completions have it: a call is part of the turn of the assistant before it."""
    told: list[ChatMessage] = []
    for item in items:
        match item:
            case MessageItem():
                told.append(ChatMessage(role=item.role, content=_say(item.content)))
            case CallItem():
                if not told or told[-1].role != "assistant":
                    told.append(ChatMessage(role="assistant"))
                call = Call(id=item.call_id, function=Function(name=item.name, arguments=item.arguments))
                calls = [*(told[-1].tool_calls or ()), call]
                told[-1] = told[-1].model_copy(update={"tool_calls": calls})
            case ResultItem():
                told.append(ChatMessage(role="tool", tool_call_id=item.call_id, content=_say(item.output)))
            case ReasoningItem():
                pass
    return told
