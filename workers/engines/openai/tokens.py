"""Tokenizes prompts by a vLLM upstream, so that the model reads to the letter what the branch has read and written.

A chat endpoint passes a turn that is to go on through the chat template, which trims it, rewrites it, or (Qwen3) puts
an empty thought before it. Here the template writes the messages and the beginning of the turn; the continuation
follows to the letter.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from anabranch.dag.decoding import Decoding
from anabranch.dag.text import Context
from anabranch.workers.engines.openai.connections import Connections
from anabranch.workers.engines.openai.faults import denied, fault_of, refused
from anabranch.workers.engines.openai.refusals import read_body
from anabranch.workers.engines.thoughts import Begin, Marks, switches_of
from anabranch.workers.errors import DecodeError

REMEMBERED = 256
"""Prompts whose tokens are kept: children of one fork share theirs."""
LAST = 16
"""Tokens at a prompt's end in which its last mark is found."""
CONTROL_TOKEN = re.compile(r"<\|(?=[^<>|\s]{1,64}\|>)")

Tokens = tuple[int, ...]
Messages = tuple[tuple[str, str], ...]
Switches = tuple[tuple[str, bool], ...]
"""Of the chat template."""


@dataclass(slots=True)
class UpstreamTokenizer:
    """The tokenizer of the model that an upstream serves."""

    connections: Connections
    root: str
    """The server's URL without the API's version."""
    _known: dict[tuple[str, Switches, Messages], Tokens] = field(default_factory=dict)
    _opens: dict[tuple[str, Switches], bool] = field(default_factory=dict)
    """Whether the template ends prompts inside a thought."""

    async def prompt(self, context: Context, decoding: Decoding, model: str) -> tuple[Tokens, Begin]:
        """The whole prompt, and where the first token comes. Raises DecodeError."""
        if context.messages:
            tokens, begin = await self._turn(context, decoding, model)
        else:
            tokens = await self.tokens(context.continuation, model, add_special_tokens=True)
            begin = Begin.OUTSIDE
        if not tokens:
            raise refused("the prompt is empty")
        return tokens, begin

    async def tokens(self, text: str, model: str, *, add_special_tokens: bool = False) -> Tokens:
        """The tokens of a text by itself."""
        asked = {"model": model, "prompt": text, "add_special_tokens": add_special_tokens}
        return _tokens((await self._ask("tokenize", asked)).get("tokens"))

    async def _turn(self, context: Context, decoding: Decoding, model: str) -> tuple[Tokens, Begin]:
        """The messages, and what of the assistant's turn is there."""
        switches = tuple(switches_of(decoding).items())
        before = await self._chat(context, model, switches)
        opened = await self._opened(before, model, switches)
        begun, begin = Marks().begun(context, decoding, opened=opened)
        return (await self._continued(before, begun, model) if begun else before), begin

    async def _opened(self, prompt: Tokens, model: str, switches: Switches) -> bool:
        if (model, switches) not in self._opens:
            end = await self._ask("detokenize", {"model": model, "tokens": prompt[-LAST:]})
            self._opens[model, switches] = Marks().opened_by(str(end.get("prompt", "")))
        return self._opens[model, switches]

    async def _continued(self, before: Tokens, begun: str, model: str) -> Tokens:
        """As one text, since some tokenizers put a blank before a text's first word; in two, where the tokens of the
        messages would not stay as they are: those are what the model has read before."""
        written = (await self._ask("detokenize", {"model": model, "tokens": before})).get("prompt")
        together = await self.tokens(f"{written}{begun}", model)
        if together[: len(before)] == before:
            return together
        return before + await self.tokens(begun, model)

    async def _chat(self, context: Context, model: str, switches: Switches) -> Tokens:
        """The messages and the beginning of the assistant's turn."""
        key = (model, switches, context.messages)
        if key not in self._known:
            messages = [
                {"role": role, "content": defused(text) if role == "user" else text}
                for role, text in context.messages
            ]
            asked = {"model": model, "messages": messages, "add_generation_prompt": True}
            if switches:
                asked["chat_template_kwargs"] = dict(switches)
            tokens = _tokens((await self._ask("tokenize", asked)).get("tokens"))
            if len(self._known) >= REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = tokens
        return self._known[key]

    async def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self.connections.post(f"{self.root}/{path}", body) as response:
            said = await response.read()
        if response.status != 200:
            raise DecodeError(fault_of(read_body(said, response.status)))
        try:
            told = json.loads(said)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise denied(f"the upstream's /{path} does not answer with a JSON object")
        return told


def _tokens(told: Any) -> Tokens:
    if not isinstance(told, Sequence) or not all(isinstance(token, int) for token in told):
        raise denied("the upstream's /tokenize does not answer with tokens")
    return tuple(told)


def defused(text: str) -> str:
    """What users and workers wrote, without control tokens: an `<|im_end|>` in it would end the turn. An invisible word
    joiner behind its first character makes such a token ordinary text."""
    return CONTROL_TOKEN.sub("<\u2060|", text)
