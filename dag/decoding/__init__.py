"""Describes how one stretch of text is decoded and what comes back: policies, journal and engines share these types."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from anabranch.dag.decoding.confidence import Confidence, ConfidenceRule
from anabranch.dag.decoding.kept import KeptTokens
from anabranch.dag.decoding.logprobs import TokenLogprob
from anabranch.dag.decoding.tools import Call, Tools
from anabranch.dag.ids import JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A form that the decoded text must have, by structured decoding. Exactly one of the first three fields is set."""

    json_schema: Mapping[str, Any] | None = None
    regex: str | None = None
    choice: tuple[str, ...] | None = None
    strict: bool = False
    """Of a schema: an upstream is told the protocol's word for keeping to all of it. Our own engines always do."""


class Purpose(StrEnum):
    """What a decode's text is for. The job's answer format holds for all but work."""

    WORK = "work"
    """Read by the policy, or by other branches."""
    CANDIDATE = "candidate"
    """Becomes the answer, or is made into it, once the policy has chosen, counted votes, or removed marks."""
    ANSWER = "answer"
    """The final thought: its text, as `Problem.trimmed` leaves it, is the answer, and is told as such while it is
    decoded."""


class Thinking(StrEnum):
    """Whether a model that can think before it answers does."""

    AUTO = "auto"
    """As the model does by itself."""
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What shapes the draw of a token beside temperature and top_p. None leaves it to the model's own defaults."""

    top_k: int | None = None
    """Of so many likeliest tokens; 0 or -1: of all."""
    min_p: float | None = None
    """Of tokens that are at least so likely, as a part of the likeliest one."""
    presence_penalty: float | None = None
    """Taken off the logit of each token that was written."""
    frequency_penalty: float | None = None
    """The same, for each time that it was written."""
    repetition_penalty: float | None = None
    """By what the logits of tokens in prompt and text are divided."""


AS_THE_MODEL_HAS_IT = Draw()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """What a policy asks of one decode. None takes the job's own sampling."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    draw: Draw = AS_THE_MODEL_HAS_IT
    """The job's: of a policy no more is heard than a repetition penalty, where the job names none."""
    stop: tuple[str, ...] = ()
    """Decoding ends when one of these is written; the stop string stays in the text."""
    grammar: str | None = None
    """Name of a tag grammar in `dag.grammars`: each of its tags ends a segment."""
    structure: Structure | None = None
    tools: Tools | None = None
    """Of the job's owner; set where the text is the job's answer."""
    purpose: Purpose = Purpose.WORK
    logprobs: int | None = None
    """The job's owner is told how likely each token was, and so many of the likeliest at its place. None: neither."""
    keep_tokens: bool = False
    """The journal keeps the tokens themselves, by their ids."""
    confidence: ConfidenceRule | None = None
    """How sure the model is, is measured; it may end the decode."""
    thinking: Thinking | None = None
    thinking_tokens: int | None = None
    """Tokens after which the thinking is brought to an end, where the engine can."""
    raw_thoughts: bool = False
    """The text is all that was decoded, thoughts and their marks included: a trained protocol has its tags in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One tag that a grammar's parser found in decoded text."""

    kind: str
    """fork, join, answer, return, plan, …: the grammar's module lists its kinds."""
    ident: str = ""
    """The number or name inside the tag, as written."""
    body: str = ""
    """The text between the opening and the closing tag."""
    problem: str = ""
    """Not empty when the tag is malformed; says how."""


class Finish(StrEnum):
    """Why a segment ended."""

    STOP = "stop"
    """A stop string was written."""
    EOS = "eos"
    """The model ended its turn."""
    LENGTH = "length"
    TAG = "tag"
    """A tag of the grammar was closed; whether the stream goes on is in the segment."""
    UNSURE = "unsure"
    """The model was less sure than the decoding's confidence rule demands."""
    ABORT = "abort"
    """Cancelled; the text so far is kept."""
    ERROR = "error"
    """The replica or the engine failed; the text that arrived is kept, and not read again."""
    INTERRUPTED = "interrupted"
    """The organizer was lost, or, in the final thought, the replica (then `fault` says how): decoding goes on from this
    text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as the engine counted them."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt, found in the prefix cache."""
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    """Of the completion, those of thoughts."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When one segment passed each stage: Unix seconds on the replica's clock; 0.0 is 'not reached'."""

    submitted: float = 0.0
    """The organizer handed it to the pool (for a later segment of one stream: the previous one's end)."""
    admitted: float = 0.0
    """The replica took it up."""
    scheduled: float = 0.0
    """The engine began its prefill."""
    first_token: float = 0.0
    finished: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Who decoded, as far as it is known; what is not known is empty."""

    provider: str = ""
    """vllm, openai for OpenAI's own servers, scripted; of another upstream, its host."""
    host: str = ""
    """The upstream's; empty where the engine is in the replica's process."""
    port: int = 0
    model: str = ""
    """The model that answered, as the engine or the upstream itself names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a decode failed and whether trying elsewhere can help."""

    cause: str
    """A `vocabulary.Cause`; of a journal of another release, perhaps a word that this one does not know."""
    detail: str = ""
    retryable: bool = True
    retry_after: float = 0.0
    """Seconds before which another try is in vain; 0.0 where nobody told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One finished segment, as the pool reports it. This is a fact: it is journaled as SegmentFinished."""

    text: str
    """What readers of the branch get."""
    finish: Finish
    thought: str = ""
    """What the model thought before the text, without marks; no other branch reads it."""
    usage: Usage = Usage()
    tag: Tag | None = None
    open: bool = False
    """The stream goes on: the next segment of this branch is already being decoded."""
    calls: tuple[Call, ...] = ()
    """Tools that the model calls, behind the text; on a decode's last segment."""
    fault: Fault | None = None
    timing: Timing = Timing()
    replica: str = ""
    engine: str = ""
    """The engine's name: the journal says who decoded."""
    served: Served = Served()
    logprob: float | None = None
    """Of the decode's whole text, before temperature and truncation; on its last segment, where the engine tells it."""
    token_logprobs: tuple[TokenLogprob, ...] = ()
    """Of the tokens that the text stands in. Empty: they were not asked for, or the engine did not tell all of them."""
    kept: KeptTokens | None = None
    """The tokens, where they were to be kept and the engine tells them."""
    confidence: Confidence | None = None
    """Where it was to be measured, and the engine told likelihoods."""
    usage_estimated: bool = False
    """Nobody counted the tokens of this decode: they are booked by the text's length."""
    usage_at_least: bool = False
    """Who counted its tokens was lost. It has decoded those that are booked, perhaps more, and its prompt is not among
    them."""
    overshoot_tokens: int = 0
    """Decoded past the tag that stopped the decode, and dropped."""
    cost: float = 0.0
    """Money: a fact of the journal, whatever prices are later."""
    recalled_from: JobId | None = None
    """The job that decoded this segment, where an edited re-run took it from there. It cost nothing here."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Only in older journals, which are kept as they are: `cost` and `recalled_from`, before they were fields."""

    def in_fields(self) -> "Decoded":
        """The segment with what older journals keep in `extra` in its fields."""
        if not self.extra:
            return self
        cost, origin = self.extra.get("cost", self.cost), self.extra.get("recalled_from", self.recalled_from)
        return replace(self, cost=cost, recalled_from=origin, extra={})
