"""The scripted engine obeys what any engine obeys, so that what runs on it also runs on a model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workers.conftest import RequestFor, usage_of

from anabranch.dag.decoding import Fault, Finish, Structure, Thinking
from anabranch.dag.decoding.tools import Call, Tool, Tools
from anabranch.dag.text import Context
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.script import Line, Rule, Rules, reckon, script_from, script_of
from anabranch.workers.engines.scripted import ScriptedEngine, tokens_of
from anabranch.workers.errors import DecodeError
from anabranch.workers.messages import DecodeRequest


async def recite(engine: ScriptedEngine, request: DecodeRequest) -> list[Chunk]:
    return [chunk async for chunk in engine.decode(request)]


def saying(text: str, **line: Any) -> Rules:
    return Rules((Rule(line=Line(text=text, **line)),))


async def test_recites_its_line_token_by_token(request_for: RequestFor) -> None:
    chunks = await recite(ScriptedEngine(saying("one two three")), request_for(prompt="count"))

    assert [chunk.text for chunk in chunks] == ["one ", "two ", "three"]
    assert [chunk.tokens for chunk in chunks] == [1, 2, 3]
    assert [chunk.finish for chunk in chunks] == [None, None, Finish.EOS]
    assert usage_of(chunks[-1]).completion_tokens == 3
    assert usage_of(chunks[0]).prompt_tokens == 2  # "user: ", "count\n"


async def test_chunks_carry_as_many_tokens_as_asked(request_for: RequestFor) -> None:
    chunks = await recite(ScriptedEngine(saying("a b c d e"), chunk_tokens=2), request_for())
    assert [chunk.text for chunk in chunks] == ["a b ", "c d ", "e"]


async def test_stops_at_the_first_stop_string_and_keeps_it(request_for: RequestFor) -> None:
    request = request_for(stop=("</answer>", "END"))
    (*_, last) = chunks = await recite(ScriptedEngine(saying("is 4</answer> or END not")), request)

    assert "".join(chunk.text for chunk in chunks) == "is 4</answer>"
    assert last.finish is Finish.STOP
    assert last.tokens == 2


@pytest.mark.parametrize(("limit", "finish"), [(2, Finish.LENGTH), (3, Finish.EOS)])
async def test_decodes_no_more_than_max_tokens(request_for: RequestFor, limit: int, finish: Finish) -> None:
    chunks = await recite(ScriptedEngine(saying("one two three")), request_for(max_tokens=limit))
    assert (len(chunks), chunks[-1].finish) == (limit, finish)


async def test_an_empty_line_still_ends(request_for: RequestFor) -> None:
    (chunk,) = await recite(ScriptedEngine(saying("")), request_for())
    assert (chunk.text, chunk.tokens, chunk.finish) == ("", 0, Finish.EOS)


async def test_fails_on_command_after_so_many_tokens(request_for: RequestFor) -> None:
    engine = ScriptedEngine(saying("one two three", fault=Fault(cause="engine-error"), after=2))
    chunks = engine.decode(request_for())

    assert [(await anext(chunks)).text, (await anext(chunks)).text] == ["one ", "two "]
    with pytest.raises(DecodeError, match="engine-error"):
        await anext(chunks)


async def test_answers_with_one_of_the_choices(request_for: RequestFor) -> None:
    choice = request_for(structure=Structure(choice=("yes", "no")))
    (chunk,) = await recite(ScriptedEngine(saying("perhaps")), choice)
    assert chunk.text in {"yes", "no"}

    (chunk,) = await recite(ScriptedEngine(saying("no")), choice)
    assert chunk.text == "no"


async def test_calls_what_its_line_calls_where_tools_are_offered(request_for: RequestFor) -> None:
    script = script_of(
        {"rules": [{"text": "I look.", "calls": [{"name": "weather", "arguments": {"city": "Rome"}}]}]}
    )
    tools = Tools(offered=(Tool(name="weather"),))
    *_, last = await recite(ScriptedEngine(script), request_for(tools=tools))
    assert last.calls == (Call(name="weather", arguments='{"city": "Rome"}'),)
    assert (last.finish, last.tokens) == (Finish.EOS, 5)

    for cut in (
        request_for(),
        request_for(tools=tools, max_tokens=1),
        request_for(tools=tools, stop=("look",)),
    ):
        assert not any(chunk.calls for chunk in await recite(ScriptedEngine(script), cut))


async def test_where_no_number_was_named_it_writes_what_its_context_leaves(request_for: RequestFor) -> None:
    engine = ScriptedEngine(saying("one two three four"), max_model_len=4)
    *_, last = await recite(engine, request_for(prompt="well", max_tokens=None))
    assert (last.tokens, last.finish) == (2, Finish.LENGTH)  # the prompt, `user: well`, has two

    *_, last = await recite(ScriptedEngine(saying("word " * 2000)), request_for(max_tokens=None))
    assert (last.tokens, last.finish) == (2000, Finish.EOS)


async def test_refuses_a_prompt_that_is_too_long(request_for: RequestFor) -> None:
    with pytest.raises(DecodeError) as refusal:
        await recite(ScriptedEngine(max_model_len=3), request_for(prompt="far too many words"))
    assert refusal.value.fault.cause == "prompt-too-long"
    assert not refusal.value.fault.retryable


def test_the_first_rule_that_holds_answers(request_for: RequestFor) -> None:
    script = script_of(
        {
            "rules": [
                {"branch": "0.2", "since": 1, "text": "second try"},
                {"branch": "0.2", "fault": {"cause": "timeout"}, "after": 1, "text": "lost"},
                {"branch": "0.*", "matches": "prime", "text": "a prime"},
                {"branch": "0", "text": ["plan", "merge"]},
            ]
        }
    )

    assert script(request_for("0.2")).fault == Fault(cause="timeout")
    assert script(request_for("0.2", segment=1)).text == "second try"
    assert script(request_for("0.3", prompt="is 7 prime?")).text == "a prime"
    assert script(request_for("0.3")) == reckon(request_for("0.3"))
    assert [script(request_for("0", segment=n)).text for n in (0, 1, 5)] == ["plan", "merge", "merge"]


def test_a_script_is_read_from_a_file(tmp_path: Path, request_for: RequestFor) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"rules": [{"text": "from a file"}], "tokens_per_second": 20}))
    script = script_from(path)
    assert script(request_for()).text == "from a file"
    assert script.tokens_per_second == 20


def test_without_a_rule_the_same_prompt_gets_the_same_boxed_number(request_for: RequestFor) -> None:
    script = Rules()
    assert script(request_for("0.1", prompt="a")) == script(request_for("0.2", prompt="a"))
    assert script(request_for(prompt="a")) != script(request_for(prompt="b"))
    assert "\\boxed{" in script(request_for()).text


@given(st.text(alphabet="ab \n<>", max_size=40))
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text


THINKING = Rules((Rule(line=Line(thought="two and two", text="is four")),))


def told(chunks: list[Chunk]) -> tuple[str, str]:
    return "".join(chunk.thought for chunk in chunks), "".join(chunk.text for chunk in chunks)


async def test_a_thought_comes_before_the_text_and_is_counted(request_for: RequestFor) -> None:
    chunks = await recite(ScriptedEngine(THINKING, chunk_tokens=2), request_for())
    assert [(chunk.thought, chunk.text) for chunk in chunks] == [
        ("two and ", ""),
        ("two", "is "),
        ("", "four"),
    ]
    assert (usage_of(chunks[-1]).completion_tokens, usage_of(chunks[-1]).reasoning_tokens) == (5, 3)


@pytest.mark.parametrize(
    ("decoding", "expected"),
    [
        ({"thinking": Thinking.OFF}, ("", "is four")),
        ({"thinking_tokens": 2}, ("two and ", "is four")),
        ({"max_tokens": 2}, ("two and ", "")),
        ({"stop": ("two",)}, ("two and two", "is four")),
        ({"raw_thoughts": True}, ("", "<think>\ntwo and two\n</think>\n\nis four")),
    ],
)
async def test_it_thinks_as_it_is_told(
    decoding: dict[str, Any], expected: tuple[str, str], request_for: RequestFor
) -> None:
    assert told(await recite(ScriptedEngine(THINKING), request_for(**decoding))) == expected


async def test_a_thought_goes_on_where_it_was(request_for: RequestFor) -> None:
    def asked(thought: str, text: str = "") -> DecodeRequest:
        return replace(request_for(), context=Context((("user", "2+2?"),), text, thought))

    engine = ScriptedEngine(THINKING)
    assert told(await recite(engine, asked("two "))) == ("and two", "is four")
    assert told(await recite(engine, asked("two and two"))) == ("", "is four")
    assert told(await recite(engine, asked("two and two", "So"))) == ("", "is four")


def test_a_script_in_json_thinks_too(request_for: RequestFor) -> None:
    script = script_of({"rules": [{"thought": "hm", "text": "four"}]})
    assert script(request_for()) == Line(thought="hm", text="four")


async def test_tells_logprobs_where_its_script_has_them_and_they_are_asked_for(
    request_for: RequestFor,
) -> None:
    with_them, without = saying("is 4", thought="two ", logprob=-0.5), saying("is 4")
    (two, is_, four) = [
        each
        for chunk in await recite(ScriptedEngine(with_them), request_for(logprobs=1))
        for each in chunk.logprobs
    ]
    assert [each.token for each in (two, is_, four)] == ["two ", "is ", "4"]
    assert (four.logprob, [each.token for each in four.top]) == (-0.5, ["4"])
    for script, asked in ((with_them, None), (without, 1)):
        chunks = await recite(ScriptedEngine(script), request_for(logprobs=asked))
        assert not any(chunk.logprobs for chunk in chunks)
