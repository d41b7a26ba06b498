"""Writes what an upstream is asked: the bodies of chat completions and, for vLLM, of completions of tokens.

How long a model thinks has no name that all know. So it is said by each that is in use: the switches of chat templates
(`switches_of`), OpenAI's effort, vLLM's budget. An upstream that refuses one is not told it again (`dialect.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from anabranch.dag.decoding import Decoding, Purpose, Structure, Thinking
from anabranch.dag.decoding.tools import Tool, Tools
from anabranch.dag.text import Turn
from anabranch.workers.engines.openai.faults import refused
from anabranch.workers.engines.openai.tokens import defused
from anabranch.workers.engines.thoughts import Marks, switches_of
from anabranch.workers.messages import DecodeRequest

ALL_THAT_IS_DECODED: Mapping[str, Any] = {
    "skip_special_tokens": False,  # trained models register their tags as special tokens
    "spaces_between_special_tokens": False,
    "include_stop_str_in_output": False,  # with it the token that ends a turn would be text, too
}
"""Of vLLM: its default leaves special tokens out of the text."""
ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
"""The schema that the protocol has a word of its own for, which more upstreams know than schemas."""


def chat_body(request: DecodeRequest, *, model: str, max_model_len: int, vllm: bool) -> dict[str, Any]:
    """A chat completion. A turn that was begun is the last message, which most upstreams continue and some answer."""
    context = request.context
    if not context.messages:
        raise refused("this upstream takes messages, not a raw prompt; this policy needs another engine")
    turns = context.turns or tuple(Turn(role, text) for role, text in context.messages)
    messages = [_message(turn, vllm=vllm) for turn in turns]
    begun, _ = Marks().begun(context, request.decoding, opened=False)
    if begun:
        messages.append({"role": "assistant", "content": begun})
    offered = _tools(request.decoding.tools)
    body = {"model": model, "messages": messages} | _sampling(request, max_model_len) | offered
    body |= _thinking(request.decoding) | _logprobs(request.decoding)
    if vllm:
        goes_on = {"continue_final_message": True, "add_generation_prompt": False}
        return body | _in_vllms_words(request) | (goes_on if begun else {})
    return body | {"stream_options": {"include_usage": True}} | _response_format(request.decoding)


def _message(turn: Turn, *, vllm: bool) -> dict[str, Any]:
    """A turn in the protocol's words. What calls and says nothing has no content."""
    text = defused(turn.text) if vllm and turn.role in ("user", "tool") else turn.text
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.result_of, "name": turn.name, "content": text}
    if not turn.calls:
        return {"role": turn.role, "content": text}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in turn.calls
    ]
    return {"role": turn.role, "content": text or None, "tool_calls": calls}


def _tools(tools: Tools | None) -> dict[str, Any]:
    """What may be called. What is the protocol's default is left out: some servers know no more than `tools`."""
    if tools is None:
        return {}
    offered = [{"type": "function", "function": _function(tool)} for tool in tools.offered]
    choice = {"tool_choice": "required"} if tools.required else {}
    return {"tools": offered} | choice | ({} if tools.several else {"parallel_tool_calls": False})


def _function(tool: Tool) -> dict[str, Any]:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    named = {"name": tool.name, "parameters": parameters}
    about = {"description": tool.description} if tool.description else {}
    return named | about | ({"strict": True} if tool.strict else {})


def completion_body(
    request: DecodeRequest, prompt: Sequence[int], *, model: str, max_model_len: int
) -> dict[str, Any]:
    """A completion of vLLM's from tokens: exactly these are what the model reads."""
    room = max_model_len - len(prompt)
    body = {"model": model, "prompt": list(prompt), "max_tokens": room} | _sampling(request, room)
    told = {} if request.decoding.logprobs is None else {"logprobs": request.decoding.logprobs}
    return body | told | _thinking_budget(request.decoding) | _in_vllms_words(request)


def _logprobs(decoding: Decoding) -> dict[str, Any]:
    """In the words of chat completions."""
    if decoding.logprobs is None:
        return {}
    return {"logprobs": True} | ({"top_logprobs": decoding.logprobs} if decoding.logprobs else {})


def _sampling(request: DecodeRequest, room: int) -> dict[str, Any]:
    decoding = request.decoding
    chosen = {
        # Not max_completion_tokens: some servers ignore that one, and an ignored limit is a budget overrun.
        "max_tokens": None if decoding.max_tokens is None else min(decoding.max_tokens, room),
        "seed": request.seed & 0x7FFF_FFFF_FFFF_FFFF,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        **asdict(decoding.draw),
        "stop": list(decoding.stop) or None,
        "stream": True,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _thinking(decoding: Decoding) -> dict[str, Any]:
    """How long to think, in the words that chat completions have for it; nothing where nobody says."""
    asked: dict[str, Any] = _thinking_budget(decoding)
    if switches := switches_of(decoding):
        asked["chat_template_kwargs"] = switches
    if effort := _effort(decoding):
        asked["reasoning_effort"] = effort
    return asked


def _thinking_budget(decoding: Decoding) -> dict[str, Any]:
    tokens = decoding.thinking_tokens
    return {} if tokens is None or decoding.thinking is Thinking.OFF else {"thinking_token_budget": tokens}


EFFORTS = ((2048, "low"), (8192, "medium"))
"""OpenAI's words for so many tokens of thought; for more it is high."""


def _effort(decoding: Decoding) -> str:
    if decoding.thinking is Thinking.OFF:
        return "none"
    if decoding.thinking_tokens is not None:
        return next((word for most, word in EFFORTS if decoding.thinking_tokens <= most), "high")
    return "medium" if decoding.thinking is Thinking.ON else ""


def form_for(decoding: Decoding, *, vllm: bool) -> Structure | None:
    """The form that the upstream is to keep to. A policy asks in words, too, and reads what comes: only vLLM is told
    its pattern or choice. As a schema the choice would not fit in the tokens that the policy has for it."""
    form = decoding.structure
    if form is None or vllm or form.json_schema is not None:
        return form
    return None if decoding.purpose is Purpose.WORK else form


def _response_format(decoding: Decoding) -> dict[str, Any]:
    """The forms that the protocol has words for."""
    form = form_for(decoding, vllm=False)
    if form is None:
        return {}
    if form.json_schema is None:
        raise refused("this upstream decodes by a JSON schema, not by a regular expression or a choice")
    if form.json_schema == ANY_OBJECT:
        return {"response_format": {"type": "json_object"}}
    schema = {"name": "answer", "schema": dict(form.json_schema)} | ({"strict": True} if form.strict else {})
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _in_vllms_words(request: DecodeRequest) -> dict[str, Any]:
    body = {"stream_options": {"include_usage": True, "continuous_usage_stats": True}, **ALL_THAT_IS_DECODED}
    structure = request.decoding.structure
    if structure is None:
        return body
    forms = {"json": structure.json_schema, "regex": structure.regex, "choice": structure.choice}
    return body | {"structured_outputs": {name: form for name, form in forms.items() if form is not None}}
