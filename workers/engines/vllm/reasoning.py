"""Finds out how a model thinks: between which marks, and what vLLM is told so that forms and limits heed them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from anabranch.dag.decoding import Decoding, Finish, Usage
from anabranch.dag.text import Context
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.stops import StopWatch
from anabranch.workers.engines.thoughts import Begin, Marks, ThoughtSplitter, Told
from anabranch.workers.errors import ModelUnavailable

AUTO, NONE = "auto", "none"
MARKS_ONLY = "deepseek_r1"
"""The parser of vLLM's that heeds the two marks and nothing else."""
SWITCHES = ("enable_thinking", "thinking is", "thinking)", "thinking %", "not thinking", "if thinking")
"""How chat templates read the switch of thinking: a model that has one thinks unless it is told not to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """How a model thinks."""

    marks: Marks | None = None
    """None: nothing in its text is a thought."""
    known: bool = False
    """Its tokenizer, its template or its operator says that it thinks."""
    parser: str = ""
    """vLLM's, by which a form holds only behind the thought; empty where it would hold from the first token."""
    thinker: bool = False
    """It thinks by itself, though its prompt does not begin a thought."""

    def arguments(self) -> dict[str, Any]:
        """What vLLM's engine is told."""
        if self.parser:
            return {"reasoning_parser": self.parser}
        if self.marks is None or not self.known:
            return {}
        from vllm.config.reasoning import ReasoningConfig

        marks = self.marks
        config = ReasoningConfig(reasoning_start_str=marks.opening, reasoning_end_str=marks.closing)
        return {"reasoning_config": config}

    def begun(self, context: Context, decoding: Decoding, prompt: str) -> tuple[str, Begin]:
        """What stands behind this prompt, and where the first token comes then."""
        if self.marks is None:
            return context.continuation, Begin.BEHIND
        return self.marks.begun(
            context,
            decoding,
            opened=self.marks.opened_by(prompt),
            gated=bool(self.parser),
            thinker=self.thinker,
        )

    def reading(self, begin: Begin, decoding: Decoding) -> "ThoughtReading":
        """Of a decode that begins there. vLLM would find stop strings in thoughts, too."""
        may_think = begin is Begin.INSIDE or (begin is Begin.OUTSIDE and self.known)
        stops = decoding.stop if may_think else ()
        return ThoughtReading(ThoughtSplitter(begin, self.marks or Marks()), StopWatch(stops), bool(stops))

    def budget(self, begin: Begin, decoding: Decoding) -> int | None:
        """Tokens after which vLLM is to end the thought."""
        return decoding.thinking_tokens if self.known and begin is not Begin.BEHIND else None

    def ended(self, begin: Begin) -> bool | None:
        """Whether a form holds from the first token, for vLLM; None where nothing else is possible."""
        return begin is not Begin.INSIDE if self.parser else None


@dataclass(slots=True)
class ThoughtReading:
    """Tells thought from text in the chunks of one decode."""

    splitter: ThoughtSplitter
    watch: StopWatch
    watches: bool
    """Stop strings are looked for here, not by vLLM."""
    _tokens: int = 0
    _thoughts: int = 0
    """Of these tokens, those of thoughts, marks included."""

    def read(self, chunk: Chunk) -> Chunk:
        """The chunk, told apart; the last one where a stop string ends the text."""
        thinking = self.splitter.thinking
        told = self.splitter.feed(chunk.text)
        if chunk.finish is not None:
            left = self.splitter.close()
            told = Told(told.thought + left.thought, told.text + left.text)
        if thinking or told.thought or self.splitter.thinking:
            self._thoughts = chunk.tokens - self._of_text(chunk, told)
        self._tokens = chunk.tokens
        text, stopped = self.watch.feed(told.text)
        return replace(
            chunk,
            text=text,
            thought=told.thought,
            reasoning_tokens=self._thoughts,
            finish=Finish.STOP if stopped else chunk.finish,
            usage=replace(chunk.usage or Usage(), reasoning_tokens=self._thoughts),
        )

    def _of_text(self, chunk: Chunk, told: Told) -> int:
        """Tokens of a chunk that belong to the text behind a thought: by its share of the chunk."""
        new = chunk.tokens - self._tokens
        return new * len(told.text) // len(chunk.text) if told.text else 0


def reasoning_of(name: str, location: str, extra: Mapping[str, Any]) -> Reasoning:
    """How the model at `location` thinks, by vLLM's parser of this name, or as its tokenizer tells. Raises
    ModelUnavailable for a parser that does not exist or does not fit."""
    if name == NONE:
        return Reasoning()
    from vllm.tokenizers import get_tokenizer

    how = {key: extra[key] for key in ("tokenizer_mode", "trust_remote_code", "revision") if key in extra}
    tokenizer: Any = get_tokenizer(extra.get("tokenizer", location), **how)
    template = str(getattr(tokenizer, "chat_template", None) or "")
    thinker = any(switch in template for switch in SWITCHES)
    if name != AUTO:
        return Reasoning(marks=_marks_of(name, tokenizer), known=True, parser=name, thinker=thinker)
    marks = Marks()
    if {marks.opening, marks.closing} <= tokenizer.get_vocab().keys():
        return Reasoning(marks=marks, known=True, parser=MARKS_ONLY, thinker=thinker)
    return Reasoning(marks=marks, known=marks.opening in template)


def _marks_of(name: str, tokenizer: Any) -> Marks:
    from vllm.reasoning import ReasoningParserManager

    known = ReasoningParserManager.list_registered()
    if name not in known:
        choices = f"choose {AUTO}, {NONE} or one of: {', '.join(known)}"
        raise ModelUnavailable(f"vLLM has no reasoning parser {name!r}; {choices}")
    try:
        parser = ReasoningParserManager.get_reasoning_parser(name)(tokenizer)
    except (LookupError, RuntimeError, ValueError) as error:
        raise ModelUnavailable(
            f"vLLM's reasoning parser {name!r} does not fit this model: {error}"
        ) from error
    if not parser.reasoning_start_str or not parser.reasoning_end_str:
        raise ModelUnavailable(
            f"vLLM's reasoning parser {name!r} tells no marks around a thought, and these are what is read here; "
            f"choose {AUTO} or {NONE}, or serve the model with vLLM's own server, as an upstream"
        )
    return Marks(parser.reasoning_start_str, parser.reasoning_end_str)
