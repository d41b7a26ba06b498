"""Lists what a client may send to chat completions: each field of OpenAI's protocol is one line of `ChatRequest`.

Three kinds of fields. What a job *does* has a meaning here. What only describes the caller, or a way of serving, is
*taken* with any value and changes nothing. Of the rest the *neutral* value is taken, which asks for nothing; any other
is refused with a sentence that names the alternative. Null is the same as leaving the field out, everywhere.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from anabranch.dag.policy import PRESET, PolicyInfo, policy_named
from anabranch.service.api.views.chat.format import ResponseFormat, is_strict, schema_of
from anabranch.service.api.views.chat.messages import ChatMessage, read_conversation
from anabranch.service.api.views.chat.tools import (
    ChatChoice,
    ChatFunctions,
    ChatTool,
    ChatTools,
    FunctionChoice,
    choose,
)
from anabranch.service.api.views.fields import (
    MAX_SEED,
    JsonObject,
    LikelyTokens,
    MinP,
    Penalty,
    RepetitionPenalty,
    Sent,
    Stops,
    StopText,
    Temperature,
    Tokens,
    TopK,
    TopP,
)
from anabranch.service.api.views.model_name import read_model
from anabranch.service.api.views.neutral import Only, Taken
from anabranch.service.api.views.requests import (
    JobRequest,
    PolicyChoice,
    SentAnswerFormat,
    SentBudget,
    SentSampling,
)
from anabranch.service.api.views.tools import SentTool, offer

MOST_CHOICES = 16
SAMPLE = "say it with temperature and top_p"


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_LIKE = {"xhigh": "high", "max": "high"}
THINKING: Mapping[str, JsonObject] = {
    "none": {"thinking": "off"},
    "minimal": {"thinking_tokens": 512},
    "low": {"thinking_tokens": 2048},
    "high": {"thinking": "on"},
    "xhigh": {"thinking": "on"},
    "max": {"thinking": "on"},
}
"""What an effort asks of a model that thinks; medium leaves it to the model."""
_Number = TypeVar("_Number", int, float)


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool | None = None
    include_obfuscation: Taken = None
    continuous_usage_stats: bool | None = Field(
        default=None, description="Each chunk tells the usage so far."
    )


class Extra(Sent):
    """What OpenAI has no words for: sent under `anabranch` (the Python client's `extra_body`)."""

    params: JsonObject | None = None
    budget: SentBudget | None = None
    priority: int | None = Field(default=None, ge=0, le=9)
    metadata: JsonObject | None = None


class ChatRequest(BaseModel):
    """POST /v1/chat/completions. `model` is anabranch/POLICY, or anabranch/POLICY@MODEL with a model of the pool. Null
    is the same as leaving a field out."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "model": "anabranch/self-consistency",
                    "messages": [{"role": "user", "content": "What is six times seven?"}],
                    "anabranch": {"params": {"n": 4}},
                }
            ]
        },
    )

    # -- does
    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    min_p: MinP | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: RepetitionPenalty | None = None
    max_tokens: Tokens | None = Field(
        default=None,
        description="Of the answer; where a policy composes its answer of parts: of each of them.",
    )
    max_completion_tokens: Tokens | None = Field(default=None, description="Of all branches together.")
    seed: Annotated[int, Field(ge=-1, le=MAX_SEED)] | None = Field(
        default=None, description="-1, as left out: drawn, and recorded."
    )
    reasoning_effort: Effort | None = Field(
        default=None,
        description="How wide the policy thinks (`efforts` in GET /v1/policies; anabranch.params comes first), and how "
        "long a thinking model does; none: it does not think.",
    )
    stop: StopText | Stops | None = Field(
        default=None, description="The answer ends before the first of these."
    )
    response_format: ResponseFormat | None = Field(
        default=None, description="Of the answer, by structured decoding."
    )
    tools: ChatTools | None = Field(
        default=None,
        description="The answer may call them; a policy that cannot is refused, and says which can.",
    )
    tool_choice: ChatChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: ChatFunctions | None = Field(
        default=None, description="Of the older protocol: the answer is told in its words."
    )
    function_call: FunctionChoice | None = None
    logprobs: bool | None = Field(
        default=None,
        description="How likely each token of the answer was; where the answer was found within a text (a vote's), "
        "of that text. In a stream all come behind the content, in a chunk of their own. Null where they are unknown: "
        "the engine did not tell all of them, the decode was interrupted, or no one decode wrote the answer.",
    )
    top_logprobs: LikelyTokens | None = Field(
        default=None, description="So many of the likeliest tokens at each place, too; with logprobs."
    )
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = Field(
        default=None, description="Choices: each is the answer of a job of its own, with a seed of its own."
    )
    store: bool | None = Field(
        default=None,
        description="The job goes on when its client goes away, to be found by the completion's id.",
    )
    metadata: JsonObject | None = None
    anabranch: Extra | None = None

    # -- taken
    user: Taken = None
    service_tier: Taken = None
    safety_identifier: Taken = None
    prompt_cache_key: Taken = None
    prompt_cache_retention: Taken = None

    # -- neutral
    logit_bias: Annotated[Any, Only(({},), SAMPLE)] = None
    verbosity: Annotated[Any, Only(("medium",), "ask for it in a system message")] = None
    modalities: Annotated[Any, Only((["text"],), "answers are text")] = None
    audio: Annotated[Any, Only((), "answers are text")] = None
    prediction: Annotated[
        Any, Only((), "leave it out; an answer that was begun goes in a last assistant message")
    ] = None
    web_search_options: Annotated[Any, Only((), "put what was found on the web into the messages")] = None

    @field_validator("messages")
    @classmethod
    def _no_call_open(cls, messages: list[ChatMessage]) -> list[ChatMessage]:
        """A call that has the last word lacks its result."""
        if messages[-1].calls:
            raise ValueError("the last turn calls a tool; send what it gave in a turn of the tool behind it")
        return messages

    @field_validator("tools", "functions")
    @classmethod
    def _each_once(cls, tools: ChatTools | ChatFunctions | None) -> ChatTools | ChatFunctions | None:
        offer(_sent(tools), "auto", several=True)
        return tools

    @field_validator("tool_choice", "function_call")
    @classmethod
    def _of_the_offered(cls, choice: ChatChoice | FunctionChoice | None, info: ValidationInfo) -> Any:
        name = "tools" if info.field_name == "tool_choice" else "functions"
        if name in info.data:  # which is missing where it is wrong itself
            offer(*choose(_sent(info.data[name]), choice), several=True)
        return choice

    @model_validator(mode="after")
    def _one_protocol(self) -> "ChatRequest":
        if self.tools and self.functions:
            raise ValueError("give either tools or, of the older protocol, functions")
        return self

    @model_validator(mode="after")
    def _likeliest_of_what_is_told(self) -> "ChatRequest":
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs go with logprobs: true")
        return self

    @model_validator(mode="after")
    def _one_limit(self) -> "ChatRequest":
        if self.max_completion_tokens is not None and self.budget.tokens is not None:
            raise ValueError("give either max_completion_tokens or anabranch.budget.tokens")
        return self

    @property
    def budget(self) -> SentBudget:
        return (self.anabranch and self.anabranch.budget) or SentBudget()

    def as_job(self) -> JobRequest:
        """The same request in our words. Raises UnknownPolicy, and pydantic.ValidationError, e.g. where nobody asks
        anything."""
        extra = self.anabranch or Extra()
        tokens = self.max_completion_tokens or self.budget.tokens
        name, pools_model = read_model(self.model)
        policy = policy_named(name)
        of_answer, of_parts = (self.max_tokens, None) if policy.marks_answer else (None, self.max_tokens)
        tools, choice = choose(
            _sent(self.functions or self.tools), self.function_call if self.functions else self.tool_choice
        )
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return JobRequest(
            messages=list(read_conversation(self.messages)),
            policy=PolicyChoice(
                name=policy.name, params=_params(policy, self.reasoning_effort, extra.params or {})
            ),
            budget=self.budget.model_copy(update={"tokens": tokens}),
            priority=5 if extra.priority is None else extra.priority,
            model=pools_model,
            seed=None if self.seed == -1 else self.seed,
            sampling=SentSampling(
                temperature=self.temperature,
                top_p=self.top_p,
                max_tokens=of_parts,
                top_k=_unless(self.top_k, -1, 0),
                min_p=_unless(self.min_p, 0),
                presence_penalty=_unless(self.presence_penalty, 0),
                frequency_penalty=_unless(self.frequency_penalty, 0),
                repetition_penalty=_unless(self.repetition_penalty, 1),
                **THINKING.get(self.reasoning_effort or "medium", {}),
            ),
            answer_format=SentAnswerFormat(
                json_schema=schema_of(self.response_format),
                strict=is_strict(self.response_format),
                stop=stop,
                max_tokens=of_answer,
                logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            ),
            approvals=[],
            tools=tools,
            tool_choice=choice,
            parallel_tool_calls=self.parallel_tool_calls is not False and not self.functions,
            metadata=(self.metadata or {}) | (extra.metadata or {}),
        )


def _params(policy: PolicyInfo, effort: str | None, sent: JsonObject) -> JsonObject:
    """What was sent comes first; a preset is whole."""
    return (
        sent if PRESET in sent else {**policy.efforts.get(_LIKE.get(effort or "", effort or ""), {}), **sent}
    )


def _unless(value: _Number | None, *neutral: float) -> _Number | None:
    """A value, unless it asks for nothing: clients fill in fields that nobody set."""
    return None if value in neutral else value


def _sent(tools: ChatTools | ChatFunctions | None) -> list[SentTool]:
    return [(tool.function if isinstance(tool, ChatTool) else tool).as_tool() for tool in tools or ()]
