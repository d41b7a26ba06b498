"""Reads tools as chat completions offer them, and what may or must be called; the older protocol's functions, too."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from anabranch.service.api.views.fields import JsonObject
from anabranch.service.api.views.tools import MOST_TOOLS, Parameters, SentTool, ToolName, allow


class _Offered(BaseModel):
    """What clients add for others (cache marks) is left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)


class ChatFunction(_Offered):
    name: ToolName
    description: str | None = None
    parameters: Parameters | None = None
    strict: bool | None = None

    def as_tool(self) -> SentTool:
        return SentTool(
            name=self.name,
            description=self.description or "",
            parameters=self.parameters or {},
            strict=bool(self.strict),
        )


def _check_kind(kind: Any) -> Any:
    if kind != "function":
        raise ValueError(
            f"only functions can be called; offer the tool of type {str(kind)[:50]!r} as a function"
        )
    return kind


Kind = Annotated[Literal["function"], BeforeValidator(_check_kind)]


class ChatTool(_Offered):
    type: Kind
    function: ChatFunction


ChatTools = Annotated[list[ChatTool], Field(max_length=MOST_TOOLS)]
ChatFunctions = Annotated[list[ChatFunction], Field(max_length=MOST_TOOLS)]


class Named(_Offered):
    name: str


class NamedChoice(_Offered):
    """This function must be called."""

    type: Literal["function"]
    function: Named


class AllowedTools(_Offered):
    mode: Literal["auto", "required"]
    tools: list[JsonObject] = Field(max_length=MOST_TOOLS)

    def names(self) -> list[str]:
        """Raises ValueError."""
        named = [tool.get("function") for tool in self.tools]
        if not all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in named):
            raise ValueError("each of the allowed tools is {'type': 'function', 'function': {'name': …}}")
        return [each["name"] for each in named if each]


class AllowedChoice(_Offered):
    """Only these of the functions may be called."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


ChatChoice = (
    Literal["none", "auto", "required"] | Annotated[NamedChoice | AllowedChoice, Field(discriminator="type")]
)
FunctionChoice = Literal["none", "auto"] | Named


def choose(
    tools: Sequence[SentTool], choice: ChatChoice | FunctionChoice | None
) -> tuple[list[SentTool], str]:
    """The tools that may be called, and the choice in our words: see `tools.offer`. Raises ValueError."""
    match choice:
        case NamedChoice(function=named) | (Named() as named):
            return allow(tools, [named.name]), named.name
        case AllowedChoice(allowed_tools=allowed):
            return allow(tools, allowed.names()), allowed.mode
        case "none":
            return [], "auto"
        case str():
            return list(tools), choice
        case _:
            return list(tools), "auto"
