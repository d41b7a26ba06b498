"""Reads what was said in the responses that a new one goes on from."""

from collections.abc import Mapping, Sequence
from typing import Any

from anabranch.dag.status import JobStatus
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.problems import Fault, Refusal, Refused
from anabranch.service.api.responses.items import chat_messages, read_items
from anabranch.service.api.responses.view import job_of, response_id
from anabranch.service.api.views.chat.messages import Call, ChatMessage, Function
from anabranch.service.api.views.tools import call_views
from anabranch.service.store.jobs.responses import Turn
from anabranch.service.tenants.callers import Caller

MOST_TURNS = 500
"""Responses that a conversation may have. (What it may say is bounded as one request is.)"""
WHERE = "previous_response_id"


async def earlier_messages(deps: Dependencies, caller: Caller, previous: str | None) -> list[ChatMessage]:
    """What the responses up to this one were asked and answered; their instructions are not carried over.

    Raises Refused where one of them was deleted, is another tenant's, or has no answer, and for more than one request
    may say.
    """
    if previous is None:
        return []
    turns = await _read_turns(deps, caller, previous)
    said = [message for turn in turns for message in _messages_of(turn)]
    length = sum(len(message.said) + _called(message) for message in said)
    if length > deps.settings.max_request_bytes:
        detail = (
            f"The conversation up to response {previous} has {length} letters; a request may say "
            f"{deps.settings.max_request_bytes} (ANABRANCH_MAX_REQUEST_BYTES). Send what matters of it as items."
        )
        raise _refused("conversation-too-long", detail)
    return said


async def _read_turns(deps: Dependencies, caller: Caller, previous: str) -> Sequence[Turn]:
    job = job_of(previous)
    turns = (
        await deps.store.responses.read_conversation(job, MOST_TURNS, caller.scope) if job is not None else []
    )
    missing = (turns[0].previous and response_id(turns[0].previous)) if turns else previous
    if missing and len(turns) == MOST_TURNS:
        detail = f"A conversation may have {MOST_TURNS} responses. Send what matters of this one as items."
        raise _refused("conversation-too-long", detail)
    if missing:
        detail = (
            f"There is no response {missing[:100]}: it was not stored, was deleted, or is somebody else's."
        )
        raise _refused("previous-response-not-found", detail)
    for turn in turns:
        if turn.status is not JobStatus.SUCCEEDED:
            detail = (
                f"Response {response_id(turn.job)} has no answer to go on from: its job is {turn.status}."
            )
            raise _refused("previous-response-not-answered", detail)
    return turns


def _messages_of(turn: Turn) -> list[ChatMessage]:
    """A last message of the assistant was the beginning of the answer."""
    asked = chat_messages(read_items(turn.request["input"]))
    answer: Mapping[str, Any] = turn.answer or {}
    text = answer.get("text", "")
    if asked and asked[-1].role == "assistant":
        text = asked.pop().said + text
    calls = [
        Call(id=call.id, function=Function(name=call.name, arguments=call.arguments))
        for call in call_views(turn.job, answer.get("calls", ()))
    ]
    return [*asked, ChatMessage(role="assistant", content=text, tool_calls=calls or None)]


def _called(message: ChatMessage) -> int:
    """Letters of what a turn calls."""
    calls = message.tool_calls or ()
    return sum(len(call.function.name) + len(call.function.arguments or "") for call in calls)


def _refused(name: str, detail: str) -> Refused:
    fault = Fault(path=WHERE, message=detail)
    return Refused(
        Refusal(status=400, name=name, title="No such conversation", detail=detail, errors=[fault])
    )
