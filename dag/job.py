"""Describes what a user asked for: the question, the policy, the budget. All that a replay needs besides the journal's
facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from anabranch.dag.decoding import AS_THE_MODEL_HAS_IT, Decoding, Draw, Purpose, Structure, Thinking
from anabranch.dag.decoding.tools import Tools
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.text import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn. None leaves the choice to the model's own defaults."""

    temperature: float | None = None
    top_p: float | None = None
    draw: Draw = AS_THE_MODEL_HAS_IT
    max_tokens: int | None = 512
    """Tokens one segment may decode. None: what the model's context and the budget leave; so it is where nobody says
    anything. (The default stands for journals of the first release, which leave it out.)"""
    thinking: Thinking = Thinking.AUTO
    thinking_tokens: int | None = None
    """Tokens after which each decode's thinking is brought to an end, where the engine can. None: no such limit."""

    keep_tokens: bool = False
    """The journal keeps the tokens of all decodes, by their ids and logprobs, where the engine tells them."""

    def complete(self, decoding: Decoding) -> Decoding:
        """What the policy asked of a decode; what it left open, as the job asks. The one rule of precedence: the
        policy, then the job, then (for what is still None) the model's own defaults."""
        return replace(
            decoding,
            temperature=self.temperature if decoding.temperature is None else decoding.temperature,
            top_p=self.top_p if decoding.top_p is None else decoding.top_p,
            draw=self._draw(decoding.draw),
            max_tokens=decoding.max_tokens or self.max_tokens,
            thinking=self._thinking(decoding),
            keep_tokens=self.keep_tokens,
            thinking_tokens=self.thinking_tokens
            if decoding.thinking_tokens is None
            else decoding.thinking_tokens,
        )

    def _draw(self, of_policy: Draw) -> Draw:
        """The job's; a policy of a trained protocol may name the repetition penalty that goes with it."""
        if self.draw.repetition_penalty is not None or of_policy.repetition_penalty is None:
            return self.draw
        return replace(self.draw, repetition_penalty=of_policy.repetition_penalty)

    def _thinking(self, decoding: Decoding) -> Thinking:
        """Where a policy names a form and its length, such as a mark in eight tokens, no thought would leave room for
        it."""
        if decoding.thinking is not None:
            return decoding.thinking
        of_policy = decoding.purpose is Purpose.WORK and decoding.structure is not None
        return Thinking.OFF if of_policy and decoding.max_tokens else self.thinking


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFormat:
    """What the job's owner asks of the answer's text. It holds for every decode that a policy marks as its answer or as
    a candidate for it (`Purpose`), and for nothing else that the job decodes."""

    structure: Structure | None = None
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these; it ends the decode, too."""
    max_tokens: int | None = None
    """Tokens the answer may have."""
    tools: Tools | None = None
    """What it may call instead of answering."""
    logprobs: int | None = None
    """How likely its tokens were is recorded, with so many of the likeliest at each place. None: it is not."""

    def complete(self, decoding: Decoding) -> Decoding:
        """The decoding, held to this format."""
        return replace(
            decoding,
            structure=self.structure or decoding.structure,
            stop=(*decoding.stop, *self.stop),
            max_tokens=self.max_tokens or decoding.max_tokens,
            tools=self.tools,
            logprobs=self.logprobs,
        )

    def cut(self, text: str) -> str:
        """The text before the first stop string."""
        found = [place for stop in self.stop if (place := text.find(stop)) >= 0]
        return text[: min(found)] if found else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a job may spend. None is no limit."""

    tokens: int | None = None
    """Decoded tokens over all branches."""
    seconds: float | None = None
    """From claim to answer."""
    branch_seconds: float | None = None
    """From the first decode of a branch, or of one below it, to its end. Those of the trunk are the job's."""
    branches: int | None = None
    depth: int | None = None
    cost: float | None = None
    """In the currency of the operator's price table."""


BATCH_PRIORITY = 10
"""From here on priorities are those of batches' jobs: nobody else's job ever waits for one of them."""

GATES = ("plan", "fork", "join", "answer")
"""Where a job's owner may want a person to decide. Those that `JobSpec.approvals` does not name stand open."""


def question_of(messages: tuple[Message, ...]) -> str:
    """The literal text of the last user message."""
    for message in reversed(messages):
        if message.role == "user":
            return "".join(part for part in message.parts if isinstance(part, str))
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where an edited re-run comes from."""

    job: JobId
    branch: BranchId
    """The edited branch."""
    output: str | None = None
    """What it returned instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One reasoning request, as recorded in JobSubmitted."""

    messages: tuple[Message, ...]
    """A conversation; a last message of the assistant is continued."""
    policy: str
    params: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
    sampling: Sampling = Sampling()
    seed: int = 0
    model: str | None = None
    """None is the pool's own model."""
    priority: int = 5
    """0 (first) to 9 (last); of a batch's jobs, which come behind all others, BATCH_PRIORITY more."""
    approvals: tuple[str, ...] = ()
    """Those of GATES at which a person decides."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lineage: Lineage | None = None
    """Set on an edited re-run."""
    raw: bool = False
    """The only message's text is a raw prompt, for models that are trained on completions: see `Context.raw`."""
    answer_format: AnswerFormat = AnswerFormat()

    @property
    def in_batch(self) -> bool:
        return self.priority >= BATCH_PRIORITY

    @property
    def question(self) -> str:
        """The text of the last user message; of a raw job, its prompt."""
        return question_of(self.messages)

    @property
    def problem(self) -> "Problem":
        """What its policy is given."""
        structured = self.answer_format.structure is not None
        posed = Problem.of(self.messages, self.seed, raw=self.raw, structured=structured)
        return replace(posed, budget=self.budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a policy is given: the question and where to start. It never sees clocks, other jobs, or what was spent."""

    messages: tuple[Message, ...]
    """What was said up to the question. An answer that was begun for the assistant (prefill) is not among them: who
    thinks about the problem (`Base.PROBLEM`) goes on with it, and nobody else needs it."""
    question: str
    seed: int = 0
    raw: bool = False
    """The question is a raw prompt, which branches with `Base.PROBLEM` continue: no chat template, no turns."""
    begun: bool = False
    """An answer was begun for the assistant: what is answered goes on from there."""
    structured: bool = False
    """The job's owner gave the answer a form: what is decoded as an answer has it, and stands as it is."""
    budget: Budget = Budget()
    """What the job may spend, as its owner said; a nested job is told no limits."""
    token_price: float = 0.0
    """Money that a decoded token of the job's model costs, as the operator says; 0.0 where nobody does."""

    @classmethod
    def of(
        cls, messages: tuple[Message, ...], seed: int, *, raw: bool = False, structured: bool = False
    ) -> "Problem":
        """The problem that these messages pose."""
        asked = list(messages)
        while asked and asked[-1].role == "assistant":
            asked.pop()
        return cls(
            messages=tuple(asked),
            question=question_of(messages),
            seed=seed,
            raw=raw,
            begun=len(asked) < len(messages),
            structured=structured,
        )

    def trimmed(self, text: str) -> str:
        """An answer's text without blanks around it; of one that was begun, those in front are what joins the two."""
        return text.rstrip() if self.begun else text.strip()
