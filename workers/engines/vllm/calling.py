"""Offers tools to a model in this process, and reads what it calls.

Where the chat template knows tools, and a parser of vLLM's reads what such a model writes, the model is told of them in
its own way. In all other cases (no such template or parser, a call that must come, an answer that must have a form) it
writes JSON in a form of ours, by structured decoding: see `call_form`.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from anabranch.dag.decoding import Decoding, Finish, Structure
from anabranch.dag.decoding.tools import Call, Tool, Tools
from anabranch.dag.text import Context, Turn
from anabranch.workers.engines import call_form
from anabranch.workers.engines.protocol import Chunk

BY_TEMPLATE = (
    ("<function=", "qwen3_coder"),
    ("<tool_call>", "hermes"),
    ("[TOOL_CALLS]", "mistral"),
    ("<|python_tag|>", "llama3_json"),
)
"""What a chat template has in it, and the parser that reads what its model writes; the first that holds."""
OPENINGS = {"qwen3_coder": "<tool_call>", "hermes": "<tool_call>", "mistral": "[TOOL_CALLS]"}
"""With what calls begin, by parser. Of another parser's text nothing is told before its end."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """What one model knows of tools."""

    tokenizer: Any
    template: str
    parser: str | None
    """vLLM's name of it; None: nothing reads this model's own calls."""

    @classmethod
    def of(cls, tokenizer: Any, named: str | None) -> "Caller":
        """`named` is the operator's choice of a parser. Raises ValueError for one that vLLM does not have, or not for
        such a model."""
        from vllm.tool_parsers.abstract_tool_parser import ToolParserManager

        template = str(tokenizer.chat_template or "")
        known = ToolParserManager.list_registered()
        if named is not None and named not in known:
            raise ValueError(f"vLLM has no tool parser {named!r}; it has: {', '.join(known)}")
        if named is not None:
            try:
                ToolParserManager.get_tool_parser(named)(tokenizer)
            except (RuntimeError, ValueError) as error:
                raise ValueError(f"tool parser {named!r} is not for this model: {error}") from error
            return cls(tokenizer, template, named)
        told = next((parser for mark, parser in BY_TEMPLATE if mark in template), None)
        return cls(tokenizer, template, told)

    @property
    def knows_tools(self) -> bool:
        return "tools" in self.template

    def messages(self, context: Context, decoding: Decoding) -> list[Json]:
        """The conversation for the chat template: calls and results as such, where it knows them."""
        if context.turns and self.knows_tools and "tool_calls" in self.template:
            messages = [_message(turn) for turn in context.turns]
        else:
            messages = [{"role": role, "content": text} for role, text in context.messages]
        tools = decoding.tools
        if tools is None or self._natively(decoding):
            return messages
        words = call_form.words_for(tools, decoding.structure)
        if messages and messages[0]["role"] == "system":
            return [{"role": "system", "content": f"{messages[0]['content']}\n\n{words}"}, *messages[1:]]
        return [{"role": "system", "content": words}, *messages]

    def template_tools(self, decoding: Decoding) -> list[Json] | None:
        """What the chat template is told of tools."""
        if decoding.tools is None or not self._natively(decoding):
            return None
        return [_function(tool) for tool in decoding.tools.offered]

    def structure(self, decoding: Decoding) -> Structure | None:
        """The form that is decoded under."""
        if decoding.tools is None or self._natively(decoding):
            return decoding.structure
        return Structure(json_schema=call_form.schema_for(decoding.tools, decoding.structure))

    def reading(self, decoding: Decoding) -> "Reading | None":
        """Of a decode that may call; None of any other."""
        tools, structure = decoding.tools, decoding.structure
        if tools is None:
            return None
        if not self._natively(decoding):
            return Reading(opening="", parse=lambda text: call_form.read(text, structure))
        assert self.parser is not None
        return Reading(opening=OPENINGS.get(self.parser, ""), parse=partial(self._parse, tools))

    def _parse(self, tools: Tools, text: str) -> tuple[str, tuple[Call, ...]]:
        """By vLLM's parser; what it cannot read is text."""
        from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
        from vllm.tool_parsers.abstract_tool_parser import ToolParserManager

        assert self.parser is not None
        offered = [_function(tool) for tool in tools.offered]
        asked = ChatCompletionRequest(messages=[{"role": "user", "content": "?"}], tools=offered)
        parser = ToolParserManager.get_tool_parser(self.parser)(self.tokenizer, asked.tools)
        found = parser.extract_tool_calls(text, asked)
        calls = (
            Call(name=call.function.name, arguments=call.function.arguments or "{}")
            for call in found.tool_calls
        )
        return found.content or "", tuple(calls) if found.tools_called else ()

    def _natively(self, decoding: Decoding) -> bool:
        tools = decoding.tools
        free = tools is not None and not tools.required and decoding.structure is None
        return free and self.knows_tools and self.parser is not None


@dataclass(slots=True)
class Reading:
    """Holds back what may be a call. Fed each chunk, gives what may be told of it; the last one has the calls."""

    opening: str
    """With what calls begin; empty: any text may be one."""
    parse: Callable[[str], tuple[str, tuple[Call, ...]]]
    """What a whole text says and calls."""
    _written: list[str] = field(default_factory=list)
    _held: str = ""
    _calling: bool = False

    async def read(self, chunk: Chunk) -> Chunk:
        self._written.append(chunk.text)
        self._held += chunk.text
        if chunk.finish is None:
            return replace(chunk, text=self._sure())
        whole = "".join(self._written)
        if self.opening and self.opening not in whole:
            return replace(chunk, text=self._held)
        if chunk.finish is not Finish.EOS and self.opening:  # a call that was cut is none
            return replace(chunk, text=self._held.partition(self.opening)[0])
        # A pattern of a parser's may be slow on hostile text: others must have their turn on the loop.
        text, calls = await asyncio.to_thread(self.parse, whole)
        told = len(whole) - len(self._held)
        return replace(chunk, text=text[told:], calls=calls if chunk.finish is Finish.EOS else ())

    def _sure(self) -> str:
        """What is held and begins no call."""
        if self._calling or not self.opening:
            return ""
        place = self._held.find(self.opening)
        self._calling = place >= 0
        end = place if self._calling else len(self._held) - _overlap(self._held, self.opening)
        told, self._held = self._held[:end], self._held[end:]
        return told


def _overlap(text: str, opening: str) -> int:
    """Characters at the end of a text with which an opening begins."""
    return next((n for n in range(min(len(text), len(opening) - 1), 0, -1) if text.endswith(opening[:n])), 0)


def _function(tool: Tool) -> Json:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    about = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": about}


def _message(turn: Turn) -> Json:
    """A turn as chat templates read it: arguments as an object."""
    if turn.role == "tool":
        return {"role": "tool", "name": turn.name, "tool_call_id": turn.result_of, "content": turn.text}
    if not turn.calls:
        return {"role": turn.role, "content": turn.text}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": _read(call.arguments)},
        }
        for call in turn.calls
    ]
    return {"role": turn.role, "content": turn.text, "tool_calls": calls}


def _read(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
