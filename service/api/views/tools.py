"""Reads the tools that clients offer and writes the calls that answers make; every surface shares it."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from anabranch.dag.decoding.tools import Call, Tool, Tools
from anabranch.service.api.views.fields import JsonObject, JsonSchema, Sent
from anabranch.service.bounded_json import cut_deep

MOST_TOOLS = 128
"""OpenAI's limit, too."""
LONGEST_ID = 200


def _check_object(schema: JsonObject) -> JsonObject:
    if schema.get("type", "object") != "object":
        raise ValueError(f"arguments are an object; this is the schema of type {str(schema['type'])[:50]!r}")
    return schema


ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["get_weather"])]
Parameters = Annotated[JsonSchema, AfterValidator(_check_object)]


class SentTool(Sent):
    """A function of the client's: the answer may call it, the client runs it."""

    name: ToolName
    description: str = ""
    parameters: Parameters = Field(default={}, description="JSON Schema of its arguments.")
    strict: bool = Field(
        default=False, description="Arguments must keep to the schema, where the engine can see to it."
    )


SentTools = Annotated[list[SentTool], Field(max_length=MOST_TOOLS)]


class SentCall(Sent):
    """A call in a turn of the assistant."""

    id: Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
    name: str
    arguments: str = Field(default="{}", description="JSON, as the model wrote it.")

    def as_call(self) -> Call:
        return Call(id=self.id, name=self.name, arguments=self.arguments)


def offer(tools: Sequence[SentTool], choice: str, *, several: bool) -> Tools | None:
    """What may be called. `choice` is auto, none, required, or a tool's name. Raises ValueError."""
    names = [tool.name for tool in tools]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two tools have the name {twice!r}")
    if choice == "none" or (choice == "auto" and not tools):
        return None
    if choice not in ("auto", "required"):
        return _offered([_named(choice, tools)], required=True, several=several)
    if not tools:
        raise ValueError("a call is required, and no tools are offered")
    return _offered(tools, required=choice == "required", several=several)


def allow(tools: Sequence[SentTool], names: Collection[str]) -> list[SentTool]:
    """Those of the tools that have these names. Raises ValueError."""
    for name in names:
        _named(name, tools)
    return [tool for tool in tools if tool.name in names]


def _named(name: str, tools: Sequence[SentTool]) -> SentTool:
    found = next((tool for tool in tools if tool.name == name), None)
    if found is None:
        there = ", ".join(tool.name for tool in tools) or "none"
        raise ValueError(f"there is no tool {name[:64]!r}; there are: {there}")
    return found


def _offered(tools: Sequence[SentTool], *, required: bool, several: bool) -> Tools:
    offered = (
        Tool(name=tool.name, description=tool.description, parameters=tool.parameters, strict=tool.strict)
        for tool in tools
    )
    return Tools(offered=tuple(offered), required=required, several=several)


class CallView(BaseModel):
    """A call of one of the client's tools."""

    id: str = Field(description="What a turn with its result names as tool_call_id.")
    name: str
    arguments: str = Field(description="JSON of an object, as the model wrote it.")


def call_views(job: str, calls: Sequence[dict[str, str]]) -> list[CallView]:
    """An answer's calls, each with an id of its own: its upstream's, or one by the job and its place."""
    return [
        CallView(id=call["id"] or f"call_{job}_{place}", name=call["name"], arguments=call["arguments"])
        for place, call in enumerate(calls)
    ]


class ToolView(BaseModel):
    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool


class ToolsView(BaseModel):
    """What the job's answer may call."""

    offered: list[ToolView]
    required: bool = Field(description="A call must come.")
    several: bool = Field(description="Several may be called at once.")


def tools_view(tools: Tools | None) -> ToolsView | None:
    if tools is None:
        return None
    offered = [
        ToolView(
            name=tool.name,
            description=tool.description,
            parameters=cut_deep(dict(tool.parameters)),
            strict=tool.strict,
        )
        for tool in tools.offered
    ]
    return ToolsView(offered=offered, required=tools.required, several=tools.several)
