"""What a model in this process is told of tools, and how its calls are read; by vLLM's own parsers, without a model."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workers.conftest import RequestFor

from anabranch.dag.decoding import Decoding, Finish, Structure
from anabranch.dag.decoding.tools import Call, Tool, Tools
from anabranch.dag.text import Context, Turn
from anabranch.workers.engines.call_form import schema_for
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.vllm.calling import Caller

TOOLS = Tools(offered=(Tool(name="weather", description="Tells it.", parameters={"type": "object"}),))
HERMES = "{% if tools %}<tool_call>{% endif %}{{ m.tool_calls }}"
ROME = Call(name="weather", arguments='{"city": "Rome"}')
CALLED = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'


@dataclass
class Tokenizer:
    """What a caller looks at."""

    chat_template: str | None
    vocab: dict[str, int] = field(default_factory=dict)

    def get_vocab(self) -> dict[str, int]:
        return self.vocab


def caller(template: str | None = HERMES, named: str | None = None) -> Caller:
    return Caller.of(Tokenizer(template), named)


async def read(of: Caller, pieces: list[str], finish: Finish = Finish.EOS, **asked: Any) -> list[Chunk]:
    reading = of.reading(Decoding(**{"tools": TOOLS} | asked))
    assert reading is not None
    chunks = [Chunk(text=piece, tokens=1) for piece in pieces]
    return [await reading.read(each) for each in (*chunks, Chunk(text="", tokens=1, finish=finish))]


def told(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize(
    ("template", "parser"),
    [
        (HERMES, "hermes"),
        ("{{ tools }} <tool_call><function=", "qwen3_coder"),
        ("{{ tools }} [TOOL_CALLS]", "mistral"),
        ("{{ tools }} <|python_tag|>", "llama3_json"),
        ("{{ messages }}", None),
        (None, None),
    ],
)
def test_the_template_tells_the_parser(template: str | None, parser: str | None) -> None:
    assert caller(template).parser == parser


def test_the_operator_may_name_another_and_none_that_is_not_there() -> None:
    assert caller(named="pythonic").parser == "pythonic"
    with pytest.raises(ValueError, match=r"no tool parser 'greek'; it has: .*hermes"):
        caller(named="greek")
    with pytest.raises(ValueError, match="'llama3_json' is not for this model"):
        caller(named="llama3_json")


def test_a_template_that_knows_tools_is_told_of_them() -> None:
    decoding = Decoding(tools=TOOLS)
    (function,) = caller().template_tools(decoding) or []
    assert function["function"] == {
        "name": "weather",
        "description": "Tells it.",
        "parameters": {"type": "object"},
    }
    assert caller().structure(decoding) is None
    assert caller().messages(Context((("user", "Rome?"),)), decoding) == [
        {"role": "user", "content": "Rome?"}
    ]


@pytest.mark.parametrize(
    ("template", "asked"),
    [
        ("{{ messages }}", {}),
        (HERMES, {"tools": Tools(offered=TOOLS.offered, required=True)}),
        (HERMES, {"structure": Structure(json_schema={"type": "integer"})}),
    ],
    ids=["no-tools", "required", "form"],
)
async def test_all_else_is_asked_for_in_plain_json(template: str, asked: dict[str, Any]) -> None:
    of = caller(template)
    decoding = Decoding(**{"tools": TOOLS} | asked)
    assert decoding.tools is not None
    assert of.template_tools(decoding) is None
    assert of.structure(decoding) == Structure(json_schema=schema_for(decoding.tools, decoding.structure))
    (system, _) = of.messages(Context((("user", "Rome?"),)), decoding)
    assert '"weather"' in system["content"]
    (system, _) = of.messages(Context((("system", "Be brief."), ("user", "Rome?"))), decoding)
    assert system["content"].startswith("Be brief.\n\n")
    pieces = ['{"calls": [{"name": "weather", ', '"arguments": {"city": "Rome"}}]}']
    chunks = await read(of, pieces, **asked)
    assert (told(chunks), chunks[-1].calls) == ("", (ROME,))


@given(st.lists(st.integers(0, len("I look. " + CALLED)), max_size=6))
async def test_text_is_told_as_it_comes_and_no_part_of_a_call(cuts: list[int]) -> None:
    whole = "I look. " + CALLED
    places = [0, *sorted(cuts), len(whole)]
    chunks = await read(caller(), [whole[a:b] for a, b in pairwise(places)])
    assert (told(chunks), chunks[-1].calls) == ("I look. ", (ROME,))


async def test_what_only_looks_like_a_call_is_told() -> None:
    for pieces in (["a <tool", "_box>"], ["<", "tool_cal"], ["It is ", "sunny."]):
        chunks = await read(caller(), pieces)
        assert (told(chunks), chunks[-1].calls) == ("".join(pieces), ())


async def test_a_call_that_was_cut_is_none_and_no_text() -> None:
    chunks = await read(caller(), ["Hm. ", CALLED[:30]], Finish.LENGTH)
    assert (told(chunks), chunks[-1].calls) == ("Hm. ", ())


async def test_a_parser_without_a_mark_tells_at_the_end() -> None:
    tokenizer = Tokenizer("{{ tools }} <|python_tag|>", {"<|python_tag|>": 7})
    of = Caller.of(tokenizer, None)
    chunks = await read(of, ['{"name": "weather", ', '"parameters": {"city": "Rome"}}'])
    assert (told(chunks), chunks[-1].calls) == ("", (ROME,))
    chunks = await read(of, ["It is ", "sunny."])
    assert [chunk.text for chunk in chunks] == ["", "", "It is sunny."]


def test_turns_of_tools_are_the_templates_own_where_it_knows_them() -> None:
    turns = (Turn("assistant", "", (ROME,)), Turn("tool", "sunny", result_of="1", name="weather"))
    context = Context((("user", "in words"),), turns=turns)
    assert caller("{{ messages }}").messages(context, Decoding()) == [{"role": "user", "content": "in words"}]
    called, result = caller().messages(context, Decoding())
    assert called["tool_calls"][0]["function"] == {"name": "weather", "arguments": {"city": "Rome"}}
    assert result == {"role": "tool", "name": "weather", "tool_call_id": "1", "content": "sunny"}


def test_a_decode_without_tools_is_read_as_ever(request_for: RequestFor) -> None:
    assert caller().reading(request_for().decoding) is None
