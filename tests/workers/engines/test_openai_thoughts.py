"""Thoughts of upstreams, in each form in which they are told, and how an upstream is told to think, or not to."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.chaos.virtual import run_virtually
from tests.workers.conftest import Connect, RequestFor
from tests.workers.engines.misbehaviours import STOP, refuses, said, stream
from tests.workers.engines.upstream import Answer, Upstream, chunk, decoded, spent

from anabranch.dag.decoding import Finish, Structure, Thinking
from anabranch.dag.text import Context
from anabranch.workers.engines.openai.connections import Connections
from anabranch.workers.engines.openai.engine import OpenAIEngine
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.errors import DecodeError
from anabranch.workers.messages import Message, SegmentDone
from anabranch.workers.replica.admission import Admission
from anabranch.workers.replica.decode_task import DecodeTask
from anabranch.workers.replica.segmenter import Segmenter

CUT = said(finish="length")


def thought(text: str, name: str = "reasoning") -> dict[str, Any]:
    return chunk({"index": 0, "delta": {name: text}, "finish_reason": None})


def mistral(*parts: dict[str, Any]) -> dict[str, Any]:
    return chunk({"index": 0, "delta": {"content": list(parts)}, "finish_reason": None})


def segment(chunks: list[Chunk], request_for: RequestFor) -> SegmentDone:
    segmenter = Segmenter(request=request_for(), replica="r", engine="openai")
    for each in chunks:
        segmenter.feed(each, 1.0)
    return segmenter.end(chunks[-1].finish or Finish.ABORT, 2.0)


FORMS = {
    "reasoning": stream(thought("two "), thought("and two"), said("\n\nFour."), STOP),
    "reasoning_content": stream(thought("two and two", "reasoning_content"), said("Four."), STOP),
    "both names": stream(
        chunk({"index": 0, "delta": {"reasoning": "two and two", "reasoning_content": "two and two"}}),
        said("Four."),
        STOP,
    ),
    "an empty text beside it": stream(
        chunk({"index": 0, "delta": {"content": "", "reasoning": "two and two"}}), said("Four."), STOP
    ),
    "marks": stream(said("<think>\ntwo and"), said(" two\n</think>\n\nFour."), STOP),
    "marks in pieces": stream(
        *map(said, ("<th", "ink>", "two and two", "</", "thi", "nk", ">Fo", "ur.")), STOP
    ),
    "begun inside": stream(said("two and"), said(" two\n</th"), said("ink>\n\nFour."), STOP),
    "parts": stream(
        mistral({"type": "thinking", "thinking": [{"type": "text", "text": "two and two"}]}),
        mistral({"type": "text", "text": "Four."}),
        STOP,
    ),
    "all at once": stream(
        chunk(
            {
                "index": 0,
                "message": {"content": "Four.", "reasoning": "two and two"},
                "finish_reason": "stop",
            }
        )
    ),
}


@pytest.mark.parametrize("answer", FORMS.values(), ids=FORMS)
async def test_a_thought_is_told_apart_and_counted(
    answer: Answer, upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = answer
    end = segment(await decoded(connect(), request_for()), request_for).decoded
    assert (end.thought, end.text, end.finish) == ("two and two", "Four.", Finish.EOS)
    assert 0 < end.usage.reasoning_tokens < end.usage.completion_tokens


async def test_an_upstreams_own_count_of_thoughts_is_taken(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    counts = spent(completion=50) | {"completion_tokens_details": {"reasoning_tokens": 44}}
    upstream.answer = stream(thought("hm"), said("Four."), STOP, chunk() | {"usage": counts})
    usage = segment(await decoded(connect(), request_for()), request_for).decoded.usage
    assert (usage.completion_tokens, usage.reasoning_tokens) == (50, 44)


async def test_thoughts_that_an_upstream_counts_beside_the_completion_are_a_part_of_it(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 44}}
    counts = spent(prompt=11, completion=6) | details | {"total_tokens": 11 + 6 + 44}
    upstream.answer = stream(thought("hm"), said("Four."), STOP, chunk() | {"usage": counts})
    usage = segment(await decoded(connect(), request_for()), request_for).decoded.usage
    assert (usage.completion_tokens, usage.reasoning_tokens) == (50, 44)


async def test_a_model_that_begins_inside_its_thought_is_known_from_then_on(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = FORMS["begun inside"]
    engine = connect()
    first, second = [await decoded(engine, request_for()) for _ in range(2)]
    assert any(each.recast for each in first)
    assert not any(each.recast for each in second)
    assert "".join(each.text for each in second) == "Four."
    assert "".join(each.thought for each in second) == "two and two"


@pytest.mark.parametrize("goes_on", [True, False])
async def test_an_answer_that_was_taken_for_a_thought_is_read_as_text_when_it_is_tried_again(
    goes_on: bool, upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    engine, request = connect(), request_for()
    if goes_on:  # and the upstream answers instead of thinking on
        request = replace(request, context=replace(request.context, thought="two and"))
    else:
        upstream.answer = FORMS["begun inside"]
        await decoded(engine, request)
    upstream.answer = stream(said("Four."), STOP)
    with pytest.raises(DecodeError) as error:
        await decoded(engine, request)
    assert error.value.fault.retryable
    end = segment(await decoded(engine, request), request_for).decoded
    assert (end.thought, end.text) == ("", "Four.")
    assert upstream.asked[-1]["messages"][-1]["role"] == "user"


STOPPED = said(finish="stop", stop_reason="END")


@pytest.mark.parametrize(
    ("last", "finish", "text"),
    [(STOP, Finish.EOS, "Four."), (STOPPED, Finish.STOP, "Four.END"), (CUT, Finish.LENGTH, "Four.")],
)
async def test_a_model_that_was_once_taken_for_a_thinker_is_read_as_text_again_however_it_ends(
    last: dict[str, Any],
    finish: Finish,
    text: str,
    upstream: Upstream,
    connect: Connect,
    request_for: RequestFor,
) -> None:
    engine, request = connect(), request_for(stop=("END",))
    upstream.answer = stream(said("My favourite mark:\n</think>\nThat is all."), STOP)
    await decoded(engine, request)
    upstream.answer = stream(said("Four."), last)
    with pytest.raises(DecodeError) as error:
        await decoded(engine, request)
    assert error.value.fault.retryable
    for _ in range(2):
        end = segment(await decoded(engine, request), request_for).decoded
        assert (end.thought, end.text, end.finish) == ("", text, finish)


async def test_a_thought_that_a_limit_cuts_stays_one_where_the_model_is_known_to_end_them(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    engine = connect()
    upstream.answer = FORMS["begun inside"]
    for _ in range(2):
        await decoded(engine, request_for())
    upstream.answer = stream(said("two and"), CUT)
    end = segment(await decoded(engine, request_for()), request_for).decoded
    assert (end.thought, end.text, end.finish) == ("two and", "", Finish.LENGTH)


@pytest.mark.parametrize("answer", ["Use </think> here.", "```\nt.split('</think>')[-1]\n```\nThat is all."])
async def test_an_answer_that_speaks_of_the_mark_is_text_and_teaches_nothing(
    answer: str, upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    engine = connect()
    for text in (answer, "Four."):
        upstream.answer = stream(said(text), STOP)
        end = segment(await decoded(engine, request_for()), request_for).decoded
        assert (end.thought, end.text) == ("", text)


async def test_a_model_that_is_told_not_to_think_writes_text(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    engine, written = connect(), "My favourite mark:\n</think>\nThat is all."
    upstream.answer = stream(said(written), STOP)
    end = segment(await decoded(engine, request_for(thinking=Thinking.OFF)), request_for).decoded
    assert (end.thought, end.text) == ("", written)


async def test_a_model_that_is_known_to_think_may_do_so_though_it_is_told_not_to(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    engine = connect()
    upstream.answer = FORMS["begun inside"]
    for thinking in (None, Thinking.OFF):
        end = segment(await decoded(engine, request_for(thinking=thinking)), request_for).decoded
        assert (end.thought, end.text) == ("two and two", "Four.")


@pytest.mark.parametrize("form", ["reasoning", "marks"])
async def test_a_trained_protocol_reads_all_that_was_decoded(
    form: str, upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = FORMS[form]
    chunks = await decoded(connect(), request_for(raw_thoughts=True))
    assert "".join(each.text for each in chunks) == "<think>\ntwo and two\n</think>\n\nFour."
    assert not any(each.thought for each in chunks)


async def test_marks_inside_a_form_are_text(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.pieces = ('{"about": "a </think> mark"}',)
    request = request_for(structure=Structure(json_schema={"type": "object"}))
    chunks = await decoded(connect(), request)
    assert "".join(each.text for each in chunks) == upstream.pieces[0]


@pytest.mark.parametrize(
    ("thought", "text", "sent"),
    [
        ("two and", "", "<think>\ntwo and"),
        ("two and two", "Fo", "<think>\ntwo and two\n</think>\n\nFo"),
        ("", "Fo", "Fo"),
    ],
)
async def test_a_decode_that_goes_on_gives_its_thought_back(
    thought: str, text: str, sent: str, upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    context = Context((("user", "2+2?"),), text, thought)
    upstream.pieces = (" two\n</think>\n\nFour.",) if not text else ("ur.",)
    end = segment(await decoded(connect(), replace(request_for(), context=context)), request_for).decoded
    assert upstream.asked[-1]["messages"][-1] == {"role": "assistant", "content": sent}
    assert (end.thought, end.text) == ((" two", "Four.") if not text else ("", "ur."))


@pytest.mark.parametrize(
    ("decoding", "sent"),
    [
        ({}, {}),
        ({"thinking": Thinking.AUTO}, {}),
        (
            {"thinking": Thinking.OFF, "thinking_tokens": 9},
            {
                "chat_template_kwargs": {"enable_thinking": False, "thinking": False},
                "reasoning_effort": "none",
            },
        ),
        (
            {"thinking": Thinking.ON},
            {
                "chat_template_kwargs": {"enable_thinking": True, "thinking": True},
                "reasoning_effort": "medium",
            },
        ),
        ({"thinking_tokens": 2000}, {"thinking_token_budget": 2000, "reasoning_effort": "low"}),
        ({"thinking_tokens": 20000}, {"thinking_token_budget": 20000, "reasoning_effort": "high"}),
    ],
)
async def test_an_upstream_is_told_how_to_think_in_all_words_that_are_in_use(
    decoding: dict[str, Any],
    sent: dict[str, Any],
    upstream: Upstream,
    connect: Connect,
    request_for: RequestFor,
) -> None:
    await decoded(connect(), request_for(**decoding))
    words = ("chat_template_kwargs", "reasoning_effort", "thinking_token_budget")
    assert {name: value for name, value in upstream.asked[-1].items() if name in words} == sent


async def test_an_upstream_that_knows_no_such_word_is_not_told_it_again(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    def strict(body: dict[str, Any]) -> Answer | None:
        for name in ("chat_template_kwargs", "reasoning_effort"):
            if name in body:
                told = {"error": {"message": f"Unrecognized request argument supplied: {name}"}}
                return refuses(400, told)
        return None

    upstream.answer = strict
    engine = connect()
    for _ in range(2):
        await decoded(engine, request_for(thinking=Thinking.OFF))
    assert len(upstream.asked) == 4


class _Slow:
    """An upstream that thinks for six minutes, a word every twenty seconds."""

    status = 200

    @property
    def content(self) -> "_Slow":
        return self

    @asynccontextmanager
    async def post(self, _url: str, _body: object, _headers: object = None) -> AsyncIterator["_Slow"]:
        yield self

    async def iter_any(self) -> AsyncIterator[bytes]:
        for event in (*(thought("hm ") for _ in range(18)), said("Four."), STOP):
            await asyncio.sleep(20.0)
            yield f"data: {json.dumps(event)}\n\n".encode()


@pytest.mark.parametrize(("stall", "finish"), [(300.0, Finish.EOS), (10.0, Finish.ERROR)])
def test_six_minutes_of_thinking_are_no_silence(
    stall: float, finish: Finish, upstream: Upstream, request_for: RequestFor
) -> None:
    engine = OpenAIEngine(OpenAISettings(base_url=upstream.url))
    heard: list[Message] = []

    async def think() -> float:
        engine._connections = cast("Connections", _Slow())
        task = DecodeTask(
            request_for(),
            heard.append,
            engine=engine,
            admission=Admission(1),
            replica="r",
            stall_seconds=stall,
        )
        await task.run()
        return asyncio.get_running_loop().time()

    seconds = run_virtually(think())
    end = heard[-1]
    assert isinstance(end, SegmentDone)
    assert end.decoded.finish is finish, end.decoded.fault
    if finish is Finish.EOS:
        assert seconds > 360
        assert (end.decoded.thought, end.decoded.text) == ("hm " * 18, "Four.")
        assert len([message for message in heard if not isinstance(message, SegmentDone)]) == 19
