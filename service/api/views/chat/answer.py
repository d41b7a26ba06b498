"""Writes OpenAI's shapes, as far as a job has something to put into them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.decoding import Finish, Usage
from anabranch.dag.decoding.logprobs import TokenLogprob
from anabranch.dag.decoding.tools import Call, in_words
from anabranch.dag.events import Record
from anabranch.dag.ids import TRUNK, JobId
from anabranch.service.api.views.chat.logprobs import answer_logprobs, logprobs_json
from anabranch.service.api.views.chat.request import MOST_CHOICES
from anabranch.service.api.views.job import JobView, UsageView
from anabranch.service.api.views.tools import CallView
from anabranch.service.store.rows import BranchRow

ID_PREFIX = "chatcmpl-"
CHUNK = "chat.completion.chunk"

Json = dict[str, Any]
Counts = Usage | UsageView


def model_json(name: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": "anabranch"}


def completion_id(jobs: Sequence[str]) -> str:
    """A completion is named by the jobs of its choices."""
    return ID_PREFIX + ",".join(jobs)


def jobs_of(completion: str) -> list[JobId]:
    """The jobs of a completion; a job's own id is one, too."""
    return [JobId(job) for job in completion.removeprefix(ID_PREFIX).split(",")[:MOST_CHOICES]]


@dataclass(frozen=True, slots=True)
class Beside:
    """What a completion tells of an answer that its job does not."""

    thought: str = ""
    """What was thought before it."""
    logprobs: Sequence[TokenLogprob] = ()

    @classmethod
    def of(cls, records: Sequence[Record], job: JobView) -> "Beside":
        """What the journal of this job tells."""
        asked = job.answer_format is not None and job.answer_format.logprobs is not None
        told = answer_logprobs(record.event for record in records) if asked else ()
        return cls(answer_thought(records), told)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all parts of one completion say alike."""

    completion: str
    model: str
    created: int
    """Unix seconds: when the job was."""
    choice: int = 0
    """Of which choice a part is told."""
    older: bool = False
    """The client speaks of functions, as the protocol did before there were tools."""

    def around(self, kind: str, content: Json) -> Json:
        told = {"id": self.completion, "object": kind, "created": self.created, "model": self.model}
        return told | content


def completion_json(
    envelope: Envelope, jobs: Sequence[JobView], of_answers: int, beside: Sequence[Beside]
) -> Json:
    """The answers of succeeded jobs as the choices of a chat completion."""
    told = zip(jobs, beside, strict=True)
    choices = [
        _choice_json(envelope, job, more) | {"index": number} for number, (job, more) in enumerate(told)
    ]
    usage = usage_json(sum_usage(jobs), of_answers)
    return envelope.around("chat.completion", {"choices": choices, "usage": usage})


def _choice_json(envelope: Envelope, job: JobView, beside: Beside) -> Json:
    assert job.answer is not None
    called = calls_json(envelope, job.answer.calls)
    content = None if called and not job.answer.text else job.answer.text
    message = {"role": "assistant", "content": content, "refusal": None} | called
    if beside.thought:
        message |= {"reasoning": beside.thought, "reasoning_content": beside.thought}
    logprobs = logprobs_json(beside.logprobs)
    return {"message": message, "finish_reason": finish_reason(envelope, job), "logprobs": logprobs}


def sum_usage(jobs: Sequence[JobView]) -> Usage:
    """What all choices cost."""
    names = ("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens")
    return Usage(**{name: sum(getattr(job.usage, name) for job in jobs) for name in names})


def chunk_json(
    envelope: Envelope, delta: Json, finish: str | None = None, usage: Counts | None = None
) -> Json:
    """A part of a completion; `usage` is what the job cost so far, where each chunk is to tell it."""
    choice = {"index": envelope.choice, "delta": delta, "finish_reason": finish, "logprobs": None}
    told = {} if usage is None else {"usage": usage_json(usage)}
    return envelope.around(CHUNK, {"choices": [choice]} | told)


def logprobs_chunk_json(envelope: Envelope, beside: Beside, usage: Counts | None = None) -> Json:
    """How likely the answer's tokens were: behind its content, because only then is it known which it is."""
    told = chunk_json(envelope, {"content": ""}, usage=usage)
    told["choices"][0]["logprobs"] = logprobs_json(beside.logprobs)
    return told


def usage_chunk_json(envelope: Envelope, jobs: Sequence[JobView], of_answers: int) -> Json:
    return envelope.around(CHUNK, {"choices": [], "usage": usage_json(sum_usage(jobs), of_answers)})


def calls_json(envelope: Envelope, calls: Sequence[CallView]) -> Json:
    """What a message calls; empty where it calls nothing. The older protocol knows one call."""
    functions = [{"name": call.name, "arguments": call.arguments} for call in calls]
    if not calls:
        return {}
    if envelope.older:
        return {"function_call": functions[0]}
    named = zip(calls, functions, strict=True)
    return {"tool_calls": [{"id": call.id, "type": "function", "function": each} for call, each in named]}


def calls_delta(envelope: Envelope, calls: Sequence[CallView]) -> Json:
    """The same in a stream, where each call has a number."""
    told = calls_json(envelope, calls)
    numbered = [{"index": number} | call for number, call in enumerate(told.get("tool_calls", ()))]
    return {"tool_calls": numbered} if numbered else told


def finish_reason(envelope: Envelope, job: JobView) -> str:
    """An answer that calls waits for results. One whose text a limit cut, or that was given because one was near, ended
    by its length."""
    answer = job.answer
    if answer is not None and answer.calls:
        return "function_call" if envelope.older else "tool_calls"
    return "length" if answer is not None and (answer.truncated or answer.forced) else "stop"


def answer_tokens(job: JobView, branches: Iterable[BranchRow]) -> int:
    """Tokens of the branches whose whole text stands in the answer, each text once. Of an answer that was found within
    a text (a vote's) nothing is its own; the trunk's tokens are, where it alone is the source."""
    if job.answer is None:
        return 0
    calls = [Call(name=call.name, arguments=call.arguments) for call in job.answer.calls]
    sources, whole = set(job.answer.sources), in_words(job.answer.text, calls)
    own: dict[str, int] = {}
    for row in branches:
        value = (row.value or "").strip()
        alone = row.branch != TRUNK or sources == {TRUNK}
        if row.branch in sources and alone and value and value in whole:
            own.setdefault(value, row.usage.completion_tokens - row.usage.reasoning_tokens)
    return sum(own.values())


def answer_thought(records: Iterable[Record]) -> str:
    """What was thought in the branches that the answer was made from, branch by branch."""
    thoughts: dict[str, str] = {}
    sources: Sequence[str] = ()
    for record in records:
        match record.event:
            case e.SegmentFinished(branch=branch, decoded=decoded) if decoded.finish is not Finish.ERROR:
                thoughts[branch] = thoughts.get(branch, "") + decoded.thought
            case e.AnswerCommitted() as answer:
                sources = answer.sources or (TRUNK,)
            case _:
                pass
    return "\n\n".join(thoughts[source] for source in sources if thoughts.get(source))


def usage_json(usage: Counts, of_answer: int | None = None) -> Json:
    """What all branches cost; with `of_answer`, how much of it is not the answer's own text."""
    details = {} if of_answer is None else {"reasoning_tokens": usage.completion_tokens - of_answer}
    return {
        "completion_tokens_details": details,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
