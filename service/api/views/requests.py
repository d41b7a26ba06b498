"""Describes what clients send."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from anabranch.dag.decoding import Draw, Structure, Thinking
from anabranch.dag.decoding.tools import Tools
from anabranch.dag.job import AnswerFormat, Budget, Sampling
from anabranch.dag.text import Message, Role, say
from anabranch.service.api.views.fields import (
    MAX_TOKENS,
    EditText,
    JsonObject,
    JsonSchema,
    LikelyTokens,
    MinP,
    Penalty,
    RepetitionPenalty,
    Seconds,
    Seed,
    Sent,
    Stops,
    Temperature,
    Tokens,
    TopK,
    TopP,
    WrittenText,
)
from anabranch.service.api.views.tools import SentCall, SentTools, offer
from anabranch.service.api.views.webhooks import SentWebhook


class PolicyChoice(Sent):
    name: str = Field(examples=["self-consistency"])
    params: JsonObject = Field(default={}, examples=[{"n": 8}], description="See GET /v1/policies.")


class SentMessage(Sent):
    role: Role
    content: str
    tool_calls: list[SentCall] = Field(
        default=[], description="In a turn of the assistant: what it called, behind its text."
    )
    tool_call_id: str | None = Field(
        default=None, description="In a turn of the tool: which call of an earlier turn gave this content."
    )

    @model_validator(mode="after")
    def _calls_where_they_belong(self) -> "SentMessage":
        if self.tool_calls and self.role != "assistant":
            raise ValueError(f"a turn of the {self.role} calls nothing")
        if self.tool_call_id is not None and self.role != "tool":
            raise ValueError(f"a turn of the {self.role} is no result of a call")
        return self

    def as_message(self) -> Message:
        calls = tuple(call.as_call() for call in self.tool_calls)
        return Message(self.role, (self.content,), calls, self.tool_call_id or "")


class SentBudget(Sent):
    """What the job may spend. What is left out is not limited."""

    tokens: Tokens | None = Field(default=None, description="Decoded tokens over all branches.")
    seconds: Seconds | None = Field(default=None, description="From claim to answer.")
    branch_seconds: Seconds | None = Field(
        default=None, description="From a branch's first decode to its end; it is then cancelled."
    )
    branches: int | None = Field(default=None, ge=1, le=MAX_TOKENS)
    depth: int | None = Field(
        default=None, ge=0, le=MAX_TOKENS, description="Forks between the trunk and the deepest branch."
    )
    cost: float | None = Field(
        default=None, ge=0, description="In the currency of the operator's price table."
    )

    def as_budget(self) -> Budget:
        return Budget(**self.model_dump())


class SentSampling(Sent):
    """How tokens are drawn. What is left out is the server's default."""

    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = Field(default=None, description="0 or -1: of all tokens.")
    min_p: MinP | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: RepetitionPenalty | None = None
    max_tokens: Tokens | None = Field(
        default=None,
        description="Tokens that one segment may decode. Left out: what the model's context and the budget leave.",
    )
    thinking: Literal["auto", "on", "off"] | None = Field(
        default=None,
        description="Whether models that can think first do. Left out: auto, as each does by itself.",
    )
    thinking_tokens: Tokens | None = Field(
        default=None,
        description="Tokens after which the thinking of each decode is brought to an end, where its engine can.",
    )

    keep_tokens: bool | None = Field(
        default=None,
        description="The journal keeps the ids and logprobs of all decoded tokens, for training, where the engine "
        "tells them. Left out: as the service is set up.",
    )

    @model_validator(mode="after")
    def _thinks_or_not(self) -> "SentSampling":
        if self.thinking == "off" and self.thinking_tokens is not None:
            raise ValueError("thinking is off: leave thinking_tokens out, or let thinking be on or auto")
        return self

    def over(self, default: Sampling) -> Sampling:
        return Sampling(
            thinking=Thinking(self.thinking or default.thinking),
            thinking_tokens=self.thinking_tokens or default.thinking_tokens,
            keep_tokens=default.keep_tokens if self.keep_tokens is None else self.keep_tokens,
            temperature=default.temperature if self.temperature is None else self.temperature,
            top_p=default.top_p if self.top_p is None else self.top_p,
            draw=Draw(
                top_k=self.top_k,
                min_p=self.min_p,
                presence_penalty=self.presence_penalty,
                frequency_penalty=self.frequency_penalty,
                repetition_penalty=self.repetition_penalty,
            ),
            max_tokens=self.max_tokens or default.max_tokens,
        )


class SentAnswerFormat(Sent):
    """What the answer's text must be like. It holds for the decodes whose text is the answer, or a candidate for it."""

    json_schema: JsonSchema | None = None
    regex: WrittenText | None = None
    choice: Annotated[list[WrittenText], Field(min_length=1, max_length=1000)] | None = None
    strict: bool = Field(default=False, description="Of json_schema: an upstream keeps to all of it.")
    stop: Stops = Field([], description="The answer ends before the first of these.")
    max_tokens: Tokens | None = Field(default=None, description="Tokens the answer may have.")
    logprobs: LikelyTokens | None = Field(
        default=None,
        description="How likely the answer's tokens were is told, by the SegmentFinished events of what decoded them, "
        "with so many of the likeliest at each place. Left out: it is not.",
    )

    @model_validator(mode="after")
    def _one_form(self) -> "SentAnswerFormat":
        if sum(form is not None for form in (self.json_schema, self.regex, self.choice)) > 1:
            raise ValueError("give one of json_schema, regex and choice")
        if self.strict and self.json_schema is None:
            raise ValueError("strict goes with json_schema")
        return self

    def as_format(self) -> AnswerFormat:
        choice = None if self.choice is None else tuple(self.choice)
        form = Structure(json_schema=self.json_schema, regex=self.regex, choice=choice, strict=self.strict)
        return AnswerFormat(
            structure=None if form == Structure() else form,
            stop=tuple(self.stop),
            max_tokens=self.max_tokens,
            logprobs=self.logprobs,
        )


class JobRequest(Sent):
    """A reasoning request: a question (or messages, or a raw prompt), a policy, limits."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "question": "What is six times seven?",
                    "policy": {"name": "self-consistency", "params": {"n": 4}},
                    "budget": {"tokens": 20000, "seconds": 60},
                }
            ]
        }
    )

    question: WrittenText | None = Field(default=None, description="Either this, `messages` or `prompt`.")
    messages: list[SentMessage] | None = Field(
        None,
        description="A conversation whose last word is the user's, or the beginning of the answer: a last assistant "
        "message is continued.",
    )
    prompt: WrittenText | None = Field(
        default=None,
        description="Raw text that the model goes on with, without a chat template: for models and policies that are "
        "trained on completions.",
    )
    policy: PolicyChoice | None = Field(default=None, description="Left out: the server's default policy.")
    budget: SentBudget = SentBudget()
    priority: int = Field(default=5, ge=0, le=9, description="0 is first, 9 is last.")
    seed: Seed | None = Field(default=None, description="Left out: drawn, and recorded.")
    model: WrittenText | None = Field(default=None, description="Left out: the pool's own model.")
    sampling: SentSampling = SentSampling()
    answer_format: SentAnswerFormat = SentAnswerFormat(stop=[])
    approvals: list[Literal["plan", "fork", "join", "answer"]] = Field(
        [], description="Gates at which a person decides."
    )
    tools: SentTools = Field(
        default=[],
        description="What the answer may call in place of text, or behind it. The client runs what is called, and asks "
        "again with the results in turns of the tool.",
    )
    tool_choice: str = Field(
        default="auto", description="auto, none, required, or the name of the tool that must be called."
    )
    parallel_tool_calls: bool = Field(default=True, description="Several tools may be called at once.")
    metadata: JsonObject = Field(default={})
    webhook: SentWebhook | None = Field(
        default=None, description="Who is called when something becomes of the job."
    )

    @model_validator(mode="after")
    def _one_question(self) -> "JobRequest":
        given = [name for name in ("question", "messages", "prompt") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of question, messages and prompt, not {' and '.join(given) or 'none'}"
            )
        if self.messages is not None and not _asks(self.messages):
            raise ValueError(
                "messages must end with what the user asks, or behind it with the beginning of the answer"
            )
        _check_results(self.messages or [])
        return self

    @model_validator(mode="after")
    def _tools_that_can_be_called(self) -> "JobRequest":
        if self.offered() is not None and self.raw:
            raise ValueError("a raw prompt tells a model of no tools; send messages, or a question")
        return self

    @property
    def raw(self) -> bool:
        return self.prompt is not None

    def offered(self) -> Tools | None:
        """What the answer may call. Raises ValueError."""
        return offer(self.tools, self.tool_choice, several=self.parallel_tool_calls)

    def conversation(self) -> tuple[Message, ...]:
        """The job's messages; of a raw job one, whose text is the prompt."""
        text = self.prompt if self.raw else self.question
        if text is not None:
            return (say("user", text),)
        return tuple(message.as_message() for message in self.messages or ())


class DecisionRequest(Sent):
    """What a person says at a gate."""

    decision: Literal["approve", "edit", "reject"]
    edit: EditText | None = Field(
        None, description="What is approved instead of the subject; with decision edit only."
    )
    reason: str = ""

    @model_validator(mode="after")
    def _edit_where_it_belongs(self) -> "DecisionRequest":
        if (self.decision == "edit") != (self.edit is not None):
            raise ValueError("an edit goes with the decision edit, and only with that")
        if self.edit is not None and not self.edit.strip():
            raise ValueError("an edit says something; to let nothing pass, the decision is reject")
        return self


class ReplayRequest(Sent):
    """An edited re-run: a new job in which this branch returned something else."""

    branch: str = Field(pattern=r"^0(\.[1-9][0-9]*)+$", examples=["0.2"])
    output: EditText


def _asks(messages: list[SentMessage]) -> bool:
    begun = bool(messages) and messages[-1].role == "assistant" and bool(messages[-1].content)
    asked = messages[:-1] if begun else messages
    told = [message for message in asked if message.content.strip() or message.tool_call_id]
    last = told[-1] if told and told[-1] is asked[-1] else None
    return last is not None and last.role in ("user", "tool") and any(each.role == "user" for each in told)


def _check_results(messages: list[SentMessage]) -> None:
    """Each call has its result behind it, and each result its call before it."""
    open_calls: set[str] = set()
    for message in messages:
        if message.role == "tool" and message.tool_call_id is not None:
            if message.tool_call_id not in open_calls:
                raise ValueError(f"no turn before its result makes the call {message.tool_call_id[:200]!r}")
            open_calls.remove(message.tool_call_id)
        open_calls |= {call.id for call in message.tool_calls}
    if open_calls:
        raise ValueError(
            f"the call {min(open_calls)!r} has no result; send it in a turn of the tool behind it"
        )
