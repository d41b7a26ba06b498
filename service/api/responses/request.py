"""Lists what a client may send to POST /v1/responses: each field of the protocol is one line of `ResponseRequest`.

The three kinds of fields are those of chat completions (`views/chat/request.py`): what a response *does*, what is
*taken* and changes nothing, and what is *neutral*. What it does, it does as the same chat completion would: so a
request is turned into one, and whatever chat completions learn, responses can do.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from anabranch.service.api.responses.items import Item, MessageItem, chat_messages
from anabranch.service.api.views.chat.messages import ChatMessage
from anabranch.service.api.views.chat.request import SAMPLE, ChatRequest, Extra
from anabranch.service.api.views.fields import JsonObject, JsonSchema, Temperature, Tokens, TopP
from anabranch.service.api.views.neutral import Only, Taken
from anabranch.service.api.views.tools import MOST_TOOLS, Parameters, ToolName

LOGPROBS = "chat completions tell them (logprobs, top_logprobs)"
MEANT_BY = {
    "messages": "input",
    "response_format": "text.format",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
}
"""What a field of chat completions is called here."""
HOSTED = "only functions are called here, by whoever asks; offer what this tool does as a function"


class _Part(BaseModel):
    """Base of what stands inside a request: a word that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TextFormat(_Part):
    type: Literal["text"]


class JsonObjectFormat(_Part):
    type: Literal["json_object"]


class JsonSchemaFormat(_Part):
    """Name and description are taken, and change nothing; `strict` is that of chat completions."""

    type: Literal["json_schema"]
    form: JsonSchema = Field(alias="schema")
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Text(_Part):
    format: Annotated[
        TextFormat | JsonObjectFormat | JsonSchemaFormat | None, Field(discriminator="type")
    ] = None
    verbosity: Annotated[Any, Only(("medium",), "ask for it in the instructions")] = None

    def as_chat(self) -> JsonObject | None:
        match self.format:
            case JsonObjectFormat():
                return {"type": "json_object"}
            case JsonSchemaFormat(form=form, name=name, strict=strict):
                named = {"name": name or "answer", "schema": form, "strict": strict}
                return {"type": "json_schema", "json_schema": named}
            case _:
                return None


class Reasoning(_Part):
    effort: str | None = None
    summary: Taken = None
    generate_summary: Taken = None
    context: Taken = None
    mode: Annotated[Any, Only(("standard",), "choose the policy's width in anabranch.params, as n")] = None


class FunctionTool(BaseModel):
    """What clients add for others (who may call it, when it is loaded) is left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)

    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: Parameters | None = None
    strict: bool | None = None

    def as_chat(self) -> JsonObject:
        function = self.model_dump(exclude={"type"}, exclude_none=True)
        return {"type": "function", "function": function}


def _kind_of_tool(tool: Any) -> str:
    kind = tool.get("type") if isinstance(tool, dict) else getattr(tool, "type", None)
    return "function" if kind == "function" else "hosted"


def _refuse_hosted(tool: JsonObject) -> JsonObject:
    raise ValueError(f"a tool of type {str(tool.get('type'))[:50]!r} is not run here; {HOSTED}")


Tool = Annotated[
    Annotated[FunctionTool, Tag("function")]
    | Annotated[JsonObject, AfterValidator(_refuse_hosted), Tag("hosted")],
    Discriminator(_kind_of_tool),
]


class NamedTool(_Part):
    type: Literal["function"]
    name: str


class AllowedTools(_Part):
    type: Literal["allowed_tools"]
    mode: Literal["none", "auto", "required"] | None = None
    tools: list[NamedTool] = Field(min_length=1, max_length=MOST_TOOLS)


ChosenTool = Annotated[NamedTool | AllowedTools, Field(discriminator="type")]
ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("word")] | Annotated[ChosenTool, Tag("tool")],
    Discriminator(lambda choice: "word" if isinstance(choice, str) else "tool"),
]


def _choice_as_chat(choice: Any) -> Any:
    match choice:
        case NamedTool():
            return {"type": "function", "function": {"name": choice.name}}
        case AllowedTools():
            allowed = [{"type": "function", "function": {"name": tool.name}} for tool in choice.tools]
            return {
                "type": "allowed_tools",
                "allowed_tools": {"mode": choice.mode or "auto", "tools": allowed},
            }
        case _:
            return choice


def _check_include(include: list[str] | None) -> list[str] | None:
    if "message.output_text.logprobs" in (include or ()):
        raise ValueError(f"message.output_text.logprobs cannot be had here; {LOGPROBS}")
    return include


class StreamOptions(_Part):
    include_obfuscation: Taken = None


Input = Annotated[
    Annotated[str, Tag("text")] | Annotated[list[Item], Tag("items")],
    Discriminator(lambda sent: "items" if isinstance(sent, list) else "text"),
]


class ResponseRequest(_Part):
    """POST /v1/responses. `model` is anabranch/POLICY. Null is the same as leaving a field out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "anabranch/self-consistency",
                    "input": "What is six times seven?",
                    "background": True,
                    "anabranch": {"params": {"n": 4}},
                }
            ]
        },
    )

    # -- does
    model: str | None = Field(default=None, description="Left out: the server's default policy.")
    input: Input
    instructions: str | None = Field(
        default=None, description="A system message in front; a response that goes on has its own."
    )
    previous_response_id: str | None = Field(
        default=None, description="The response whose conversation goes on; it is stored and has an answer."
    )
    background: bool | None = Field(default=None, description="Answer at once, and run on by itself.")
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = Field(
        default=None,
        description="False: the response cannot be found again by its id. Its job is journaled all the same.",
    )
    text: Text | None = None
    tools: Annotated[list[Tool], Field(max_length=MOST_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: Tokens | None = Field(default=None, description="Of all branches together.")
    temperature: Temperature | None = None
    top_p: TopP | None = None
    metadata: JsonObject | None = None
    anabranch: Extra | None = None

    # -- taken
    background_options: Taken = None
    user: Taken = None
    service_tier: Taken = None
    safety_identifier: Taken = None
    prompt_cache_key: Taken = None
    prompt_cache_retention: Taken = None
    prompt_cache_options: Taken = None
    truncation: Literal["auto", "disabled"] | None = Field(
        default=None, description="Taken, and changes nothing: no input is cut."
    )
    include: Annotated[list[str] | None, AfterValidator(_check_include)] = None

    # -- neutral
    conversation: Annotated[Any, Only((), "go on from a response by previous_response_id")] = None
    prompt: Annotated[Any, Only((), "write its text into instructions and input")] = None
    context_management: Annotated[Any, Only(([],), "send the items that are to be read")] = None
    max_tool_calls: Annotated[Any, Only((), "no tool runs here; end the conversation when it is enough")] = (
        None
    )
    moderation: Annotated[Any, Only((), "moderate what you send and what you get")] = None
    top_logprobs: Annotated[Any, Only((0,), LOGPROBS)] = None
    presence_penalty: Annotated[Any, Only((0,), SAMPLE)] = None
    frequency_penalty: Annotated[Any, Only((0,), SAMPLE)] = None

    @model_validator(mode="after")
    def _can_be_found(self) -> "ResponseRequest":
        if self.background and self.store is False:
            raise ValueError(
                "a response in the background is asked for by its id; leave out store, or background"
            )
        return self

    @property
    def stored(self) -> bool:
        return self.store is not False

    def as_chat(self, model: str, earlier: Sequence[ChatMessage]) -> ChatRequest:
        """The chat completion that does the same, behind what was said earlier. Raises pydantic.ValidationError."""
        items = [MessageItem(role="user", content=self.input)] if isinstance(self.input, str) else self.input
        instructions = (
            [] if self.instructions is None else [ChatMessage(role="system", content=self.instructions)]
        )
        asked = {
            "model": model,
            "messages": [*instructions, *earlier, *chat_messages(items)],
            "response_format": self.text and self.text.as_chat(),
            "tool_choice": _choice_as_chat(self.tool_choice),
            "tools": [tool.as_chat() for tool in self.tools or () if isinstance(tool, FunctionTool)] or None,
            "parallel_tool_calls": self.parallel_tool_calls,
            "reasoning_effort": self.reasoning and self.reasoning.effort,
            "max_completion_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "metadata": self.metadata,
            "anabranch": self.anabranch,
        }
        return ChatRequest.model_validate({name: value for name, value in asked.items() if value is not None})
