"""Any server that speaks OpenAI's chat completions: vLLM, a gateway, a hosted model. A base URL is all it needs."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from openai import APIError, AsyncOpenAI, AsyncStream, NotFoundError, OpenAI, Timeout
from openai.types import CompletionUsage, Model
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import Choice

from anabranch.dag.decoding import Fault, Finish, Structure, Usage
from anabranch.dag.text import Context
from anabranch.workers.engines.openai.faults import fault_of, openai_errors_as_faults
from anabranch.workers.engines.protocol import Capabilities, Chunk
from anabranch.workers.errors import DecodeError, ModelUnavailable
from anabranch.workers.messages import DecodeRequest

UNKNOWN_MODEL_LEN = 8192
"""Tokens, for an upstream that does not tell and where nothing was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAISettings:
    """Where the upstream is. It is asked for all that is left None."""

    base_url: str
    """Ends with the API's version in most cases: http://host:8000/v1."""
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    """None: the first that the upstream lists."""
    max_model_len: int | None = None
    """Tokens of prompt and completion together."""
    silence: float = 120.0
    """Seconds without a byte after which a decode counts as lost."""


class OpenAIEngine:
    """An `Engine` whose tokens come from elsewhere.

    What the protocol lacks is asked of a vLLM upstream by its own parameters: continuing a turn, regex and choice, stop
    strings that stay in the text. Of others: a turn that was begun is sent as a last assistant message, which most
    continue and some answer; regex and choice are refused; and a stop string is put back where the upstream names it
    (`stop_reason`), else the text ends before it and the finish is EOS.
    """

    def __init__(self, settings: OpenAISettings) -> None:
        """Asks the upstream what it serves, which blocks. Raises ModelUnavailable when it is away or serves nothing."""
        options: dict[str, Any] = {
            "base_url": settings.base_url,
            # Never None: the client would then send the key that OPENAI_API_KEY holds for somebody else.
            "api_key": settings.api_key or "none",
            "max_retries": 0,  # retries are the organizer's: it journals and bills each attempt
            "timeout": Timeout(settings.silence, connect=10.0),
        }
        with OpenAI(**options) as client:
            card = _card(client, settings)
        self._client = AsyncOpenAI(**options)
        self._model = card.id
        self._is_vllm = card.owned_by == "vllm"
        self._max_model_len = settings.max_model_len or _told_model_len(card) or UNKNOWN_MODEL_LEN

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name="openai",
            model=self._model,
            max_model_len=self._max_model_len,
            structured_output=True,
            raw_prompts=False,
        )

    async def decode(self, request: DecodeRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.decode`. Until the last chunk, whose usage is the upstream's own count, `tokens` counts the
        upstream's chunks, unless it counts tokens all along as vLLM does. An upstream that counts nothing:
        `extra` has usage_estimated."""
        body = self._body(request)
        with openai_errors_as_faults():
            stream = cast(
                AsyncStream[ChatCompletionChunk],
                await self._client.chat.completions.create(**body, stream=True),
            )
            async with stream:  # leaving it early closes the connection, by which the upstream knows to stop
                reading = _Reading()
                async for part in stream:
                    text = reading.take(part)
                    if text:
                        yield Chunk(text=text, tokens=reading.tokens, usage=reading.usage)
                yield reading.last_chunk(stop_is_in_text=self._is_vllm)

    async def count_tokens(self, text: str) -> int:
        """An estimate: four bytes a token. The tokenizer is the upstream's."""
        return -(-len(text.encode()) // 4)

    async def check_health(self) -> None:
        """Never raises: an upstream that is away is not brought back by replacing this process."""

    async def close(self) -> None:
        await self._client.close()

    def _body(self, request: DecodeRequest) -> dict[str, Any]:
        decoding, sampling = request.decoding, request.sampling
        temperature = sampling.temperature if decoding.temperature is None else decoding.temperature
        top_p = sampling.top_p if decoding.top_p is None else decoding.top_p
        max_tokens = sampling.max_tokens if decoding.max_tokens is None else decoding.max_tokens
        body = {
            "model": request.model or self._model,
            "messages": _messages(request.context),
            # Not max_completion_tokens: some servers ignore that one, and an ignored limit is a budget overrun.
            "max_tokens": min(max_tokens, self._max_model_len),
            "seed": request.seed & 0x7FFF_FFFF_FFFF_FFFF,
            "temperature": temperature,
            "top_p": top_p,
            "stop": list(decoding.stop) or None,
            "response_format": _response_format(decoding.structure),
        }
        said = {name: value for name, value in body.items() if value is not None}
        return said | self._beyond_the_protocol(request)

    def _beyond_the_protocol(self, request: DecodeRequest) -> dict[str, Any]:
        structure = request.decoding.structure
        constraint = _constraint(structure)
        if not self._is_vllm:
            if constraint:
                raise _refused(f"this upstream decodes by a JSON schema, not by {', '.join(constraint)}")
            return {"stream_options": {"include_usage": True}}
        extra: dict[str, Any] = {"include_stop_str_in_output": True}
        if request.context.continuation:
            extra |= {"continue_final_message": True, "add_generation_prompt": False}
        if constraint:
            extra["structured_outputs"] = constraint
        usage = {"include_usage": True, "continuous_usage_stats": True}
        return {"stream_options": usage, "extra_body": extra}


@dataclass
class _Reading:
    """What a stream has told so far."""

    tokens: int = 0
    usage: Usage | None = None
    ending: Choice | None = None

    def take(self, part: ChatCompletionChunk) -> str:
        """The text that this part adds."""
        text = ""
        for choice in part.choices[:1]:
            text = choice.delta.content or ""
            self.tokens += bool(text)
            if choice.finish_reason is not None:
                self.ending = choice
        if part.usage is not None:
            self.usage = _usage(part.usage)
            self.tokens = max(self.tokens, self.usage.completion_tokens)
        return text

    def last_chunk(self, *, stop_is_in_text: bool) -> Chunk:
        if self.ending is None:
            raise DecodeError(
                Fault(cause="upstream-away", detail="the stream ended in the middle of the text")
            )
        finish, stop = _finish(self.ending)
        return Chunk(
            text="" if stop_is_in_text else stop,
            tokens=self.tokens,
            finish=finish,
            usage=self.usage or Usage(completion_tokens=self.tokens),
            extra={} if self.usage else {"usage_estimated": True},
        )


def _card(client: OpenAI, settings: OpenAISettings) -> Model:
    """What the upstream tells of the model; a gateway may serve models that it does not list."""
    wanted = settings.model
    try:
        listed = client.models.list().data
    except NotFoundError as error:
        if wanted is None:
            raise ModelUnavailable(
                f"{settings.base_url} lists no models (does the URL lack /v1?); name the model to use it"
            ) from error
        listed = []
    except APIError as error:
        raise ModelUnavailable(f"{settings.base_url} does not answer: {fault_of(error).detail}") from error
    if wanted is None and not listed:
        raise ModelUnavailable(
            f"{settings.base_url} serves no model at present; name one to use it nevertheless"
        )
    unlisted = Model(id=wanted or "", created=0, object="model", owned_by="")
    return next((card for card in listed if wanted in (None, card.id)), unlisted)


def _told_model_len(card: Model) -> int | None:
    """vLLM and SGLang, OpenRouter, and Groq each have a name for it."""
    told = card.model_extra or {}
    lengths = [told.get(name) for name in ("max_model_len", "context_length", "context_window")]
    return next((length for length in lengths if isinstance(length, int)), None)


def _messages(context: Context) -> list[dict[str, str]]:
    if not context.messages:
        raise _refused("a chat endpoint takes messages, not a raw prompt; this policy needs another engine")
    messages = [{"role": role, "content": text} for role, text in context.messages]
    begun = [{"role": "assistant", "content": context.continuation}] if context.continuation else []
    return messages + begun


def _response_format(structure: Structure | None) -> dict[str, Any] | None:
    if structure is None or structure.json_schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(structure.json_schema)}}


def _constraint(structure: Structure | None) -> Mapping[str, Any]:
    """In vLLM's words, what the protocol has none for."""
    if structure is not None and structure.regex is not None:
        return {"regex": structure.regex}
    if structure is not None and structure.choice is not None:
        return {"choice": list(structure.choice)}
    return {}


def _usage(told: CompletionUsage) -> Usage:
    details = told.prompt_tokens_details
    return Usage(
        prompt_tokens=told.prompt_tokens,
        cached_tokens=(details and details.cached_tokens) or 0,
        completion_tokens=told.completion_tokens,
    )


def _finish(ending: Choice) -> tuple[Finish, str]:
    """Why the text ended, and the stop string where the upstream names it."""
    match ending.finish_reason:
        case "length":
            return Finish.LENGTH, ""
        case "content_filter":
            raise _refused("the upstream's content filter ended the text")
        case _:
            stop = (ending.model_extra or {}).get("stop_reason")
            return (Finish.STOP, stop) if isinstance(stop, str) else (Finish.EOS, "")


def _refused(detail: str) -> DecodeError:
    return DecodeError(Fault(cause="refused", detail=detail, retryable=False))
