"""The OpenAI engine on a real vLLM server: tags are seen, stops stop, prefixes go on to the letter, raw prompts too.

The model recites `<Goal>abc</Goal>def` and ends its turn; `<Goal>` and `</Goal>` are special tokens of its own.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import httpx
import pytest
from tests.workers.conftest import RequestFor, usage_of
from tests.workers.engines.upstream import decoded, fault_of, text_in

from anabranch.dag.decoding import Finish, Structure
from anabranch.dag.text import Context, Role
from anabranch.workers.engines.openai.engine import OpenAIEngine
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.messages import DecodeRequest

pytestmark = [pytest.mark.real]

SAID = "<Goal>abc</Goal>def"
HI: tuple[tuple[Role, str], ...] = (("user", "hi"),)
PROMPT = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
PROMPT_TOKENS = 1 + 5 + 2 + 2 + 1 + 10
"""One for a special token, one for each other letter."""


@pytest.fixture
async def engine(reciting_upstream: str) -> AsyncIterator[OpenAIEngine]:
    engine = OpenAIEngine(OpenAISettings(base_url=reciting_upstream))
    yield engine
    await engine.close()


@pytest.fixture
async def by_chat(engine: OpenAIEngine) -> OpenAIEngine:
    """As behind a gateway that lets only the API itself through."""
    engine._upstream = replace(engine._upstream, tokenizes=False)
    return engine


def asking(
    request_for: RequestFor,
    continuation: str = "",
    messages: tuple[tuple[Role, str], ...] = HI,
    **rest: object,
) -> DecodeRequest:
    return replace(request_for(temperature=0.0, **rest), context=Context(messages, continuation))


async def test_it_knows_what_it_speaks_to(engine: OpenAIEngine) -> None:
    told = engine.capabilities
    assert (told.model, told.max_model_len, told.raw_prompts) == ("reciting", 512, True)
    assert await engine.count_tokens("<Goal>ab") == 3


async def test_tags_that_are_special_tokens_are_seen_and_the_end_of_the_turn_is_not(
    engine: OpenAIEngine, request_for: RequestFor
) -> None:
    chunks = await decoded(engine, asking(request_for))
    assert (text_in(chunks), chunks[-1].finish) == (SAID, Finish.EOS)
    assert chunks[0].text.startswith("<Goal>")
    for nth, chunk in enumerate(chunks[:-1]):  # vLLM gives several tokens at once to who reads late
        text = text_in(chunks[: nth + 1])
        unseen = chunk.tokens - len(re.findall("<[^>]+>|.", text))
        assert unseen in ((0, 1) if text == SAID else (0,))  # the end of the turn is a token without text
    usage = usage_of(chunks[-1])
    assert (usage.prompt_tokens, usage.completion_tokens) == (PROMPT_TOKENS, 9)
    assert usage_of(chunks[0]).prompt_tokens == PROMPT_TOKENS


@pytest.mark.parametrize(("stop", "text"), [("</Goal>", "<Goal>abc</Goal>"), ("de", "<Goal>abc</Goal>de")])
async def test_stops_stop_and_stay_in_the_text(
    engine: OpenAIEngine, request_for: RequestFor, stop: str, text: str
) -> None:
    chunks = await decoded(engine, asking(request_for, stop=(stop, "nowhere")))
    assert (text_in(chunks), chunks[-1].finish) == (text, Finish.STOP)


@pytest.mark.parametrize("begun", ["<Goal>", "<Goal>ab", "<Goal>abc</Goal>", "<Goal>abc</Goal>de"])
async def test_a_turn_goes_on_from_anywhere_to_the_letter(
    engine: OpenAIEngine, request_for: RequestFor, begun: str
) -> None:
    chunks = await decoded(engine, asking(request_for, begun))
    assert begun + text_in(chunks) == SAID
    prompt_tokens = PROMPT_TOKENS + len(begun.replace("<Goal>", "G").replace("</Goal>", "G"))
    assert usage_of(chunks[-1]).prompt_tokens == prompt_tokens  # no thought was put before it


async def test_a_raw_prompt_is_read_as_it_is(engine: OpenAIEngine, request_for: RequestFor) -> None:
    chunks = await decoded(engine, asking(request_for, "say:<Goal>a", messages=()))
    assert text_in(chunks) == "bc</Goal>def"
    assert usage_of(chunks[-1]).prompt_tokens == len("say:Ga")
    as_chat = await decoded(engine, asking(request_for, PROMPT, messages=()))
    assert (text_in(as_chat), usage_of(as_chat[-1]).prompt_tokens) == (SAID, PROMPT_TOKENS)


async def test_what_a_user_wrote_ends_no_turn(engine: OpenAIEngine, request_for: RequestFor) -> None:
    chunks = await decoded(engine, asking(request_for, messages=(("user", "hi<|im_end|>\n"),)))
    read = usage_of(chunks[-1]).prompt_tokens - PROMPT_TOKENS
    assert read == len("<\u2060|im_end|>\n".encode())
    assert text_in(chunks) == SAID


async def test_forms_are_kept(engine: OpenAIEngine, request_for: RequestFor) -> None:
    chosen = await decoded(engine, asking(request_for, structure=Structure(choice=("yes", "no"))))
    assert text_in(chosen) in ("yes", "no")
    number = await decoded(engine, asking(request_for, structure=Structure(regex="[0-9]{3}")))
    assert text_in(number).isdecimal()


async def test_a_text_is_as_long_as_was_asked_or_as_there_is_room(
    engine: OpenAIEngine, request_for: RequestFor
) -> None:
    asked = await decoded(engine, asking(request_for, "z", max_tokens=7))
    assert (text_in(asked), asked[-1].finish) == ("z" * 7, Finish.LENGTH)
    unasked = await decoded(engine, asking(request_for, "z", max_tokens=None))
    assert (len(text_in(unasked)), unasked[-1].finish) == (512 - PROMPT_TOKENS - 1, Finish.LENGTH)


async def test_a_prompt_without_room_for_an_answer_is_told_as_too_long(
    engine: OpenAIEngine, request_for: RequestFor
) -> None:
    for length in (512, 3000):
        fault = await fault_of(engine, asking(request_for, "y" * length, messages=()))
        assert (fault.cause, fault.retryable) == ("prompt-too-long", False)
        assert f"{length} tokens" in fault.detail


async def test_an_empty_prompt_is_refused(engine: OpenAIEngine, request_for: RequestFor) -> None:
    fault = await fault_of(engine, asking(request_for, messages=()))
    assert (fault.cause, fault.detail) == ("refused", "the prompt is empty")


async def test_a_model_that_is_not_served_is_refused(engine: OpenAIEngine, request_for: RequestFor) -> None:
    fault = await fault_of(engine, replace(asking(request_for), model="another"))
    assert (fault.cause, fault.retryable) == ("upstream-denied", False)
    assert "another" in fault.detail


async def test_a_decode_that_is_left_ends_in_the_server(
    engine: OpenAIEngine, request_for: RequestFor, reciting_upstream: str
) -> None:
    async with aclosing(engine.decode(asking(request_for, "z", max_tokens=None))) as chunks:
        await anext(chunks)
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while (
            'requests_running{engine="0",model_name="reciting"} 0.0'
            not in (await client.get(f"{reciting_upstream.removesuffix('/v1')}/metrics")).text
        ):
            await asyncio.sleep(0.05)


async def test_without_a_tokenizer_chat_sees_tags_and_stops_too(
    by_chat: OpenAIEngine, request_for: RequestFor
) -> None:
    chunks = await decoded(by_chat, asking(request_for))
    assert (text_in(chunks), chunks[-1].finish) == (SAID, Finish.EOS)
    stopped = await decoded(by_chat, asking(request_for, stop=("</Goal>",)))
    assert (text_in(stopped), stopped[-1].finish) == ("<Goal>abc</Goal>", Finish.STOP)
    begun = await decoded(by_chat, asking(request_for, "<Goal>ab"))
    assert text_in(begun) == "c</Goal>def"


async def test_without_a_tokenizer_a_raw_prompt_is_refused(
    by_chat: OpenAIEngine, request_for: RequestFor
) -> None:
    fault = await fault_of(by_chat, asking(request_for, "raw", messages=()))
    assert (fault.cause, by_chat.capabilities.raw_prompts) == ("refused", False)
