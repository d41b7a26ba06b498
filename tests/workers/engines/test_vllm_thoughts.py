"""vLLM for real, with a template whose prompts end inside a thought."""

from dataclasses import replace

import pytest
from tests.workers.conftest import RequestFor, usage_of

from anabranch.dag.decoding import Finish, Structure
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.thoughts import Marks
from anabranch.workers.engines.vllm.engine import VllmEngine
from anabranch.workers.engines.vllm.reasoning import Reasoning
from anabranch.workers.messages import DecodeRequest

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

CAPITAL = "What is the capital of France?"


async def decoded(engine: VllmEngine, request: DecodeRequest) -> list[Chunk]:
    return [chunk async for chunk in engine.decode(request)]


@pytest.fixture
def thinking_template(vllm_engine: VllmEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """SmolLM2 with a template whose prompts end inside a thought; its tokenizer knows no such mark."""
    template = (
        vllm_engine._llm.get_tokenizer().chat_template + "{% if add_generation_prompt %}<think>\n{% endif %}"
    )
    monkeypatch.setattr(vllm_engine, "_switches", {"chat_template": template})
    monkeypatch.setattr(vllm_engine, "_reasoning", Reasoning(marks=Marks(), known=True))


@pytest.mark.usefixtures("thinking_template")
async def test_a_thought_that_the_template_begins_is_closed_by_a_pattern(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    pattern = Structure(regex=r"Let me see\. [a-z ]{5,20}\n</think>\n\n(Paris|Rome)")
    request = request_for(prompt=CAPITAL, temperature=0.0, structure=pattern, stop=("see",))
    chunks = await decoded(vllm_engine, request)
    thought, text = ("".join(getattr(chunk, side) for chunk in chunks) for side in ("thought", "text"))
    assert thought.startswith("Let me see. ")
    assert text in ("Paris", "Rome")
    usage = usage_of(chunks[-1])
    assert 5 < usage.reasoning_tokens < usage.completion_tokens

    begun = replace(request, context=replace(request.context, thought="Let me see. It is"))
    tokens = (await vllm_engine._prompt(begun))[0]["prompt_token_ids"]
    written = vllm_engine._llm.get_tokenizer().decode(tokens)
    assert written.endswith("assistant\n<think>\nLet me see. It is")
    behind = replace(begun, context=replace(begun.context, continuation="Par"))
    tokens = (await vllm_engine._prompt(behind))[0]["prompt_token_ids"]
    written = vllm_engine._llm.get_tokenizer().decode(tokens)
    assert written.endswith("<think>\nLet me see. It is\n</think>\n\nPar")


@pytest.mark.usefixtures("thinking_template")
async def test_a_form_that_leaves_no_room_for_a_thought_begins_behind_it(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    request = request_for(prompt=CAPITAL, temperature=0.0, structure=Structure(choice=("Paris", "Rome")))
    chunks = await decoded(vllm_engine, request)
    assert "".join(chunk.text for chunk in chunks) in ("Paris", "Rome")
    assert not any(chunk.thought for chunk in chunks)


@pytest.mark.usefixtures("thinking_template")
async def test_a_thought_that_a_limit_cut_leaves_no_text(
    vllm_engine: VllmEngine, request_for: RequestFor
) -> None:
    chunks = await decoded(vllm_engine, request_for(prompt=CAPITAL, temperature=0.0, max_tokens=6))
    assert "".join(chunk.thought for chunk in chunks)
    assert not any(chunk.text for chunk in chunks)
    assert (chunks[-1].finish, chunks[-1].reasoning_tokens) == (Finish.LENGTH, 6)
