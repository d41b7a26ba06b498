"""Decodes on vLLM's AsyncLLM in this process. vllm is imported only when an engine is made."""

import itertools
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import asdict, replace
from typing import Any

from anabranch.dag.decoding import Decoding, Fault, Finish, Served, Structure, Usage
from anabranch.dag.decoding.logprobs import Likelihood, TokenLogprob, rounded
from anabranch.dag.text import Context
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.protocol import Capabilities, Chunk
from anabranch.workers.engines.thoughts import Begin, switches_of
from anabranch.workers.engines.vllm.adapters import Adapters
from anabranch.workers.engines.vllm.calling import Caller
from anabranch.workers.engines.vllm.reasoning import reasoning_of
from anabranch.workers.engines.vllm.settings import VllmSettings
from anabranch.workers.engines.vllm.start import said, start
from anabranch.workers.errors import DecodeError, EngineDead, ModelUnavailable
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.models import resolve


class VllmEngine:
    """An `Engine` on vLLM's AsyncLLM: continuous batching, prefix caching, scheduling by priority.

    Making one blocks for 10 to 60 s (the first use of an embedded model: longer, see `models.resolve`). vLLM runs in a
    process of its own that ends with this one. Raises ModelUnavailable.
    """

    def __init__(self, settings: VllmSettings) -> None:
        self.model = resolve.resolve(settings.model)
        self._names = {None, settings.model, self.model.name, self.model.location}
        self._reasoning = reasoning_of(settings.reasoning_parser, self.model.location, settings.extra)
        self._switches = settings.chat_template_kwargs
        self._adapters = Adapters(settings.adapters)
        told = self._reasoning.arguments() | self._adapters.arguments()
        self._llm = start(settings, self.model.location, told)
        self._max_model_len: int = self._llm.model_config.max_model_len
        self._sampling_defaults: dict[str, Any] = self._llm.model_config.get_diff_sampling_param()
        self._sampling_defaults.pop(
            "max_tokens", None
        )  # where a request does not say, the context is the limit
        self._numbers = itertools.count()
        self._caller = _caller(self._llm.get_tokenizer(), settings)
        self._control_tokens = _control_tokens(self._llm.get_tokenizer())

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name="vllm",
            model=self.model.name,
            max_model_len=self._max_model_len,
            structured_output=True,
            raw_prompts=True,
            served=Served(provider="vllm", model=self.model.name),
        )

    async def decode(self, request: DecodeRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.decode`. The last chunk's `logprob` is the model's own, before temperature and truncation."""
        with _vllm_errors_as_faults():
            prompt, begin = await self._prompt(request)
            thoughts = self._reasoning.reading(begin, request.decoding)
            calls = self._caller.reading(request.decoding)
            params = self._sampling_params(
                request,
                self._room_after(prompt),
                stop=[] if thoughts.watches else list(request.decoding.stop),
                thinking_token_budget=self._reasoning.budget(begin, request.decoding),
            )
            tokens, adapter = 0, await self._adapters.request(self._llm, request.model)
            async with aclosing(self._generate(request, prompt, params, begin, adapter)) as outputs:
                async for output in outputs:
                    tokens += len(output.outputs[0].token_ids)
                    chunk = thoughts.read(_chunk(output, tokens, request.decoding))
                    chunk = chunk if adapter is None else replace(chunk, model=adapter.lora_name)
                    yield chunk if calls is None else await calls.read(chunk)
                    if chunk.finish is not None:
                        return

    async def count_tokens(self, text: str) -> int:
        return len((await self._tokenized(text, add_special_tokens=False))["prompt_token_ids"])

    async def check_health(self) -> None:
        if self._llm.errored:
            raise EngineDead(f"the vLLM process of {self.model.name} has ended; its log says why")

    async def close(self) -> None:
        """Ends the vLLM process. Decodes must have been closed before."""
        self._llm.shutdown()

    def _generate(self, request: DecodeRequest, prompt: Any, params: Any, begin: Begin, adapter: Any) -> Any:
        """vLLM's stream of this decode; closing it early is what aborts there."""
        key = request.key
        return self._llm.generate(
            prompt,
            params,
            f"{key.job}/{key.branch}/{key.segment}#{next(self._numbers)}",
            lora_request=adapter,
            priority=request.priority,
            session_id=request.affinity or None,
            reasoning_ended=self._reasoning.ended(begin) if params.structured_outputs else None,
        )

    async def _prompt(self, request: DecodeRequest) -> tuple[Any, Begin]:
        if request.model not in self._names and request.model not in self._adapters:
            raise _refused(f"this pool serves {self.model.name}, not {request.model}")
        context = request.context
        written, begin = self._written(context, request.decoding)
        prompt = await self._tokenized(written, add_special_tokens=not context.messages)
        if not prompt["prompt_token_ids"]:
            raise _refused("the prompt is empty")
        return prompt, begin

    def _written(self, context: Context, decoding: Decoding) -> tuple[str, Begin]:
        """The whole prompt as text, and where the first token comes. The continuation follows the generation prompt to
        the letter, so that a branch that goes on finds the tokens it wrote itself in the prefix cache; templates may
        trim or rewrite a message."""
        if not context.messages:
            return context.continuation, Begin.OUTSIDE
        messages = self._caller.messages(context, decoding)
        for message in messages:
            if message["role"] in ("user", "tool"):
                message["content"] = self._defused(message["content"])
        written: str = self._llm.get_tokenizer().apply_chat_template(
            messages,
            tools=self._caller.template_tools(decoding),
            tokenize=False,
            add_generation_prompt=True,
            **(dict(self._switches) | switches_of(decoding)),
        )
        held = replace(decoding, structure=self._caller.structure(decoding))
        begun, begin = self._reasoning.begun(context, held, written)
        return written + begun, begin

    def _defused(self, text: str) -> str:
        """What users and workers wrote, without the model's control tokens: an `<|im_end|>` in it would end the turn.
        An invisible word joiner behind its first character makes such a token ordinary text."""
        for token in self._control_tokens:
            text = text.replace(token, f"{token[0]}\u2060{token[1:]}")
        return text

    async def _tokenized(self, text: str, *, add_special_tokens: bool) -> Any:
        from vllm.renderers.params import TokenizeParams

        how = TokenizeParams(max_total_tokens=None, add_special_tokens=add_special_tokens)
        (prompt,) = await self._llm.renderer.render_cmpl_async([{"prompt": text}], how)
        return prompt

    def _room_after(self, prompt: Mapping[str, Any]) -> int:
        """Tokens that fit after the prompt; at least one."""
        length = len(prompt["prompt_token_ids"])
        if length >= self._max_model_len:
            detail = f"the prompt has {length} tokens; {self._max_model_len} fit, the answer included"
            raise DecodeError(Fault(cause=Cause.PROMPT_TOO_LONG, detail=detail, retryable=False))
        return self._max_model_len - length

    def _sampling_params(self, request: DecodeRequest, room: int, **more: Any) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        decoding = request.decoding
        chosen = self._sampling_defaults.copy()
        chosen |= said(temperature=decoding.temperature, top_p=decoding.top_p, **asdict(decoding.draw))
        named = (decoding.max_tokens, self.model.max_tokens)
        max_tokens = next((number for number in named if number is not None), room)
        return SamplingParams(
            **chosen,
            seed=request.seed & 0x7FFF_FFFF_FFFF_FFFF,  # vLLM takes -1 for "no seed"
            max_tokens=min(max_tokens, room),
            **more,
            include_stop_str_in_output=False,  # with it the token that ends a turn would be text, too
            structured_outputs=_structured(self._caller.structure(decoding)),
            # Trained models register their tags as special tokens; and what is left out of the text is missing from the
            # prefix when the branch goes on.
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            logprobs=decoding.logprobs or 0,  # the sampled token's own: measured to cost nothing
            output_kind=RequestOutputKind.DELTA,
        )


def _caller(tokenizer: Any, settings: VllmSettings) -> Caller:
    try:
        return Caller.of(tokenizer, settings.tool_parser)
    except ValueError as error:
        raise ModelUnavailable(str(error)) from error


def _control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """The special tokens by which a conversation is built. A trained model's tags are special tokens, too, but text for
    us: a published prompt speaks of them, and whose tags count is told elsewhere (`dag.grammars.escape`)."""
    template = str(tokenizer.chat_template or "")
    named = {token for token in tokenizer.special_tokens_map.values() if isinstance(token, str)}
    return tuple(
        token
        for token in tokenizer.all_special_tokens
        if len(token) > 1 and (token in named or token in template or token.startswith("<|"))
    )


def _structured(structure: Structure | None) -> Any:
    from vllm.sampling_params import StructuredOutputsParams

    if structure is None:
        return None
    return StructuredOutputsParams(
        json=None if structure.json_schema is None else dict(structure.json_schema),
        regex=structure.regex,
        choice=None if structure.choice is None else list(structure.choice),
    )


def _chunk(output: Any, tokens: int, decoding: Decoding) -> Chunk:
    completion, most_likely = output.outputs[0], decoding.logprobs
    finish = _finish(completion)
    usage = Usage(
        prompt_tokens=len(output.prompt_token_ids),
        cached_tokens=output.num_cached_tokens or 0,
        completion_tokens=tokens,
    )
    return Chunk(
        text=completion.text + (completion.stop_reason if finish is Finish.STOP else ""),
        tokens=tokens,
        finish=finish,
        usage=usage,
        scheduled=_unix_seconds(output.metrics.scheduled_ts),
        logprob=completion.cumulative_logprob if finish else None,
        logprobs=() if most_likely is None else _logprobs(completion, most_likely),
        token_ids=tuple(completion.token_ids) if decoding.keep_tokens else (),
        token_logprobs=_own_logprobs(completion) if decoding.keep_tokens else (),
    )


def _own_logprobs(completion: Any) -> tuple[float, ...]:
    """Of the tokens that were drawn."""
    told = zip(completion.token_ids, completion.logprobs or (), strict=False)
    return tuple(rounded(places[token].logprob) for token, places in told)


def _logprobs(completion: Any, most_likely: int) -> tuple[TokenLogprob, ...]:
    """Of a chunk's tokens. vLLM tells at each place the token that was drawn, and so many of the likeliest."""
    told = []
    for token, places in zip(completion.token_ids, completion.logprobs or (), strict=False):
        likely = sorted(
            (each for each in places.values() if each.rank <= most_likely), key=lambda it: it.rank
        )
        told.append(
            TokenLogprob(
                **_likelihood(places[token]), top=tuple(Likelihood(**_likelihood(each)) for each in likely)
            )
        )
    return tuple(told)


def _likelihood(told: Any) -> dict[str, Any]:
    return {"token": told.decoded_token or "", "logprob": rounded(told.logprob)}


def _finish(completion: Any) -> Finish | None:
    match completion.finish_reason:
        case None:
            return None
        case "stop":
            return Finish.STOP if isinstance(completion.stop_reason, str) else Finish.EOS
        case "length":
            return Finish.LENGTH
        case "abort":
            return Finish.ABORT
        case other:
            raise DecodeError(Fault(cause=Cause.ENGINE_ERROR, detail=f"vLLM ended the sequence: {other}"))


def _unix_seconds(monotonic: float) -> float:
    """vLLM's processes stamp with the machine's monotonic clock; 0.0 is 'not yet'."""
    return time.time() - time.monotonic() + monotonic if monotonic else 0.0


def _refused(detail: str) -> DecodeError:
    return DecodeError(Fault(cause=Cause.REFUSED, detail=detail, retryable=False))


@contextmanager
def _vllm_errors_as_faults() -> Iterator[None]:
    from jinja2 import TemplateError
    from vllm.exceptions import VLLMClientError
    from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

    try:
        yield
    except (VLLMClientError, TemplateError, ValueError) as error:
        raise _refused(str(error)) from error
    except EngineGenerateError as error:
        raise DecodeError(Fault(cause=Cause.ENGINE_ERROR, detail=str(error.__cause__ or error))) from error
    except EngineDeadError as error:
        raise DecodeError(Fault(cause=Cause.REPLICA_DIED, detail="the vLLM process has ended")) from error
