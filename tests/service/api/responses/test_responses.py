"""OpenAI's own client asks for responses of the whole service."""

import asyncio
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from anabranch.dag.ids import JobId
from anabranch.dag.text import say
from anabranch.service.store.store import Store

SEQUENTIAL = "anabranch/sequential"
VOTE = "anabranch/self-consistency"
pytestmark = pytest.mark.usefixtures("working")


class Person(BaseModel):
    name: str
    born: int


def job_of(response: Response) -> JobId:
    return JobId(response.id.removeprefix("resp_"))


async def ended(client: openai.AsyncOpenAI, response: str) -> Response:
    async with asyncio.timeout(30):
        while (found := await client.responses.retrieve(response)).status in ("queued", "in_progress"):
            await asyncio.sleep(0.02)
    return found


async def test_a_response_is_a_job(openai_client: openai.AsyncOpenAI, store: Store) -> None:
    raw = await openai_client.responses.with_raw_response.create(
        model=VOTE,
        instructions="Be brief.",
        input="What is six times seven?",
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=5000,
        metadata={"who": "me"},
        user="ada",
        safety_identifier="a1",
        prompt_cache_key="k",
        truncation="auto",
        extra_body={"anabranch": {"params": {"n": 2}, "priority": 1}},
    )
    response = raw.parse()
    job = await store.jobs.get(JobId(raw.headers["x-anabranch-job"]))
    assert response.id == f"resp_{job.id}"
    assert (response.status, response.error, response.incomplete_details) == ("completed", None, None)
    assert (response.model, response.instructions) == (VOTE, "Be brief.")
    assert (response.temperature, response.top_p, response.max_output_tokens) == (0.5, 0.9, 5000)
    assert (response.metadata, response.user, response.safety_identifier) == ({"who": "me"}, "ada", "a1")
    assert response.completed_at is not None and response.completed_at >= response.created_at
    spec = job.spec
    assert spec.messages == (say("system", "Be brief."), say("user", "What is six times seven?"))
    assert (spec.policy, dict(spec.params), spec.priority) == ("self-consistency", {"n": 2}, 1)
    assert (spec.budget.tokens, spec.sampling.temperature) == (5000, 0.5)
    reasoning, message = response.output
    assert reasoning.type == "reasoning"
    assert "[0.1] sample\n[0.2] sample\n" in reasoning.summary[0].text
    assert message.type == "message"
    assert job.answer is not None
    assert response.output_text == job.answer["text"]
    usage = response.usage
    assert usage is not None
    assert usage.output_tokens == job.usage.completion_tokens > 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert (
        usage.output_tokens_details.reasoning_tokens == usage.output_tokens
    )  # a vote's answer is found in a text


async def test_a_parsed_response(openai_client: openai.AsyncOpenAI) -> None:
    parsed = await openai_client.responses.parse(model=SEQUENTIAL, input="Who was it?", text_format=Person)
    assert parsed.output_parsed == Person(name="Ada", born=1815)
    assert parsed.text is not None and parsed.text.format is not None
    assert parsed.text.format.type == "json_schema"
    assert parsed.text.format.name == "Person"
    free = await openai_client.responses.create(
        model=SEQUENTIAL, input="Who was it?", text={"format": {"type": "json_object"}}
    )
    assert Person.model_validate_json(free.output_text) == Person(name="Ada", born=1815)


async def test_the_default_policy_answers_whoever_names_none(openai_client: openai.AsyncOpenAI) -> None:
    response = await openai_client.responses.create(input="Who was it?")
    assert response.model.startswith("anabranch/")
    assert response.output_text


async def test_items_are_read(openai_client: openai.AsyncOpenAI) -> None:
    items: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": t} for t in ("How warm ", "is it?")]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "secret"}]},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
         "content": [{"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "clock", "arguments": '{"zone": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "18 degrees"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "noon"}]},
    ]  # fmt: skip
    response = await openai_client.responses.create(model=SEQUENTIAL, input=items)
    told = response.output_text
    assert "system: Be brief.\n" in told and "user: How warm is it?\n" in told
    assert "[Called the tool weather with {}]" in told and "[Called the tool clock with" in told
    assert "[Result of the tool weather]\n18 degrees" in told and "[Result of the tool clock]\nnoon" in told
    assert "secret" not in told
    listed = await openai_client.responses.input_items.list(response.id, order="asc", limit=100)
    assert [item.type for item in listed.data] == [
        "message", "message", "reasoning", "message",
        "function_call", "function_call", "function_call_output", "function_call_output",
    ]  # fmt: skip
    pages = [item.id async for item in openai_client.responses.input_items.list(response.id, limit=3)]
    assert pages == [item.id for item in reversed(listed.data)]
    assert len(set(pages)) == len(items)


async def test_a_conversation_goes_on(openai_client: openai.AsyncOpenAI) -> None:
    first = await openai_client.responses.create(
        model=SEQUENTIAL, instructions="Speak like a pirate.", input="My name is Alice."
    )
    second = await openai_client.responses.create(
        model=SEQUENTIAL, input="And what is it?", previous_response_id=first.id, instructions="Be brief."
    )
    assert second.previous_response_id == first.id
    assert second.output_text == (
        f"I read:\nsystem: Be brief.\nuser: My name is Alice.\nassistant: {first.output_text}\n"
        "user: And what is it?\nThe answer is 42."
    )
    third = await openai_client.responses.create(
        model=SEQUENTIAL, input="Sure?", previous_response_id=second.id, store=False
    )
    assert "My name is Alice." in third.output_text and "And what is it?" in third.output_text


async def test_the_answer_that_was_begun_is_one_message_of_the_conversation(
    openai_client: openai.AsyncOpenAI,
) -> None:
    items: Any = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "It was"}]
    begun = await openai_client.responses.create(model=SEQUENTIAL, input=items)
    after = await openai_client.responses.create(
        model=SEQUENTIAL, input="When?", previous_response_id=begun.id
    )
    assert begun.output_text.startswith("  I read:")
    assert after.output_text.count("assistant: ") == 1 + begun.output_text.count("assistant: ")
    assert f"assistant: It was  {begun.output_text.lstrip()}" in after.output_text


async def test_the_background_answers_at_once(openai_client: openai.AsyncOpenAI) -> None:
    begun = await openai_client.responses.create(model=SEQUENTIAL, input="Who was it?", background=True)
    assert (begun.status, begun.output, begun.usage) == ("queued", [], None)
    assert begun.background
    done = await ended(openai_client, begun.id)
    assert (done.status, done.output_text) == ("completed", "I read:\nuser: Who was it?\nThe answer is 42.")
    assert done.created_at == begun.created_at


async def test_a_limit_makes_a_response_incomplete(openai_client: openai.AsyncOpenAI) -> None:
    response = await openai_client.responses.create(
        model=SEQUENTIAL, input="Who was it?", max_output_tokens=7
    )
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output[-1].type == "message"
    assert response.output[-1].status == "incomplete"


async def test_a_limit_that_leaves_no_word_behind_the_thought_does_so_too(
    openai_client: openai.AsyncOpenAI,
) -> None:
    asked: Any = {"model": SEQUENTIAL, "input": "Who was it?", "max_output_tokens": 2}
    response = await openai_client.responses.create(**asked)
    assert (response.status, response.error, response.output_text) == ("incomplete", None, "")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    events = [event async for event in await openai_client.responses.create(**asked, stream=True)]
    assert events[-1].type == "response.incomplete"
    after = await openai_client.responses.create(
        model=SEQUENTIAL, input="And?", previous_response_id=response.id
    )
    assert after.status == "completed"


async def test_a_deleted_response_is_gone(openai_client: openai.AsyncOpenAI, store: Store) -> None:
    response = await openai_client.responses.create(model=SEQUENTIAL, input="Who was it?")
    await openai_client.responses.delete(response.id)
    for gone in (
        openai_client.responses.retrieve(response.id),
        openai_client.responses.delete(response.id),
        openai_client.responses.cancel(response.id),
        openai_client.responses.input_items.list(response.id),
    ):
        with pytest.raises(openai.NotFoundError):
            await gone
    with pytest.raises(openai.BadRequestError) as refused:
        await openai_client.responses.create(input="And?", previous_response_id=response.id)
    assert (refused.value.code, refused.value.param) == (
        "previous_response_not_found",
        "previous_response_id",
    )
    assert (await store.jobs.get(job_of(response))).answer is not None


async def test_what_is_not_stored_cannot_be_found(openai_client: openai.AsyncOpenAI, store: Store) -> None:
    response = await openai_client.responses.create(model=SEQUENTIAL, input="Who was it?", store=False)
    assert response.output_text
    with pytest.raises(openai.NotFoundError):
        await openai_client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError):
        await openai_client.responses.create(input="And?", previous_response_id=response.id)
    assert (await store.jobs.get(job_of(response))).answer is not None


WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "How warm it is.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}
CLOCK: Any = {"type": "function", "name": "clock", "parameters": {"type": "object"}, "strict": None}


@pytest.mark.parametrize("model", [SEQUENTIAL, VOTE])
async def test_a_response_calls_and_its_result_is_sent_back(
    model: str, openai_client: openai.AsyncOpenAI, store: Store
) -> None:
    called = await openai_client.responses.create(
        model=model, input="How warm is it?", tools=[WEATHER, CLOCK], tool_choice="required"
    )
    assert called.status == "completed"
    assert called.tool_choice == "required"
    assert [tool.to_dict() for tool in called.tools] == [WEATHER, CLOCK | {"description": None}]
    first, second = [item for item in called.output if item.type == "function_call"]
    assert called.output_text.strip() == "I look."
    assert (first.name, first.arguments, second.name) == ("weather", '{"city": "Rome"}', "clock")
    offered = (await store.jobs.get(job_of(called))).spec.answer_format.tools
    assert offered is not None and offered.required
    results: Any = [
        {"type": "function_call_output", "call_id": first.call_id, "output": "18 degrees"},
        {"type": "function_call_output", "call_id": second.call_id, "output": "noon"},
    ]
    answered = await openai_client.responses.create(
        model=SEQUENTIAL, input=results, tools=[WEATHER, CLOCK], previous_response_id=called.id
    )
    assert answered.output[-1].type == "message"
    told = answered.output_text
    assert "18 degrees" in told and "noon" in told
    turns = (await store.jobs.get(job_of(answered))).spec.messages
    assert [message.role for message in turns] == ["user", "assistant", "tool", "tool"]
    assert [call.id for call in turns[1].calls] == [first.call_id, second.call_id]
    resent: Any = [{"role": "user", "content": "How warm is it?"}, *called.output, *results]
    again = await openai_client.responses.create(model=SEQUENTIAL, input=resent)
    assert (await store.jobs.get(job_of(again))).spec.messages == turns


async def test_a_call_is_streamed(openai_client: openai.AsyncOpenAI) -> None:
    async with openai_client.responses.stream(
        model=SEQUENTIAL,
        input="How warm is it?",
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "weather"},
    ) as stream:
        kinds = [event.type.removeprefix("response.") async for event in stream]
        final = await stream.get_final_response()
    assert kinds[-5:] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    call = final.output[-1]
    assert call.type == "function_call"
    assert call.parsed_arguments == {"city": "Rome"}


async def test_only_allowed_tools_are_offered(openai_client: openai.AsyncOpenAI) -> None:
    allowed: Any = {"type": "allowed_tools", "tools": [{"type": "function", "name": "clock"}]}
    response = await openai_client.responses.create(
        model=SEQUENTIAL, input="When?", tools=[WEATHER, CLOCK], tool_choice=allowed
    )
    assert [item.name for item in response.output if item.type == "function_call"] == ["clock"]
    assert response.to_dict()["tool_choice"] == allowed | {"mode": "auto"}


async def test_thoughts_of_the_final_thought_are_reasoning(openai_client: openai.AsyncOpenAI) -> None:
    stream = await openai_client.responses.create(model=SEQUENTIAL, input="Who was it?", stream=True)
    events = [event async for event in stream]
    told = [event.delta for event in events if event.type == "response.reasoning_summary_text.delta"]
    assert told == ["Let", " me", "  see."]
    last = events[-1]
    assert last.type == "response.completed"
    reasoning, message = last.response.output
    assert reasoning.type == "reasoning" and reasoning.summary[0].text == "Let me  see."
    assert message.type == "message"
    again = await openai_client.responses.retrieve(last.response.id, stream=True)
    assert [event async for event in again] == events
