"""Asks an upstream, once, what it serves and what it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from anabranch.dag.decoding import Served
from anabranch.workers.engines.openai.refusals import read_body, start_of
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.openai.unlisted import require_served
from anabranch.workers.errors import ModelUnavailable

UNKNOWN_MODEL_LEN = 8192
"""Tokens, for an upstream that does not tell and where nothing was said."""
PROBE_SECONDS = 10.0
OPENAI = "openai.com"
NO_LIST = (403, 404, 405, 501)
"""Statuses of an upstream that shows no list of models; one may be named nevertheless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What is known of an upstream."""

    model: str
    max_model_len: int
    """Tokens of prompt and completion together."""
    vllm: bool
    tokenizes: bool
    """Whether it is a vLLM that tokenizes, so that prompts can be sent as tokens."""


def look_up(client: httpx.Client, settings: OpenAISettings) -> Upstream:
    """Blocks. Raises ModelUnavailable when the upstream is away, serves nothing, or not this."""
    with _without_secrets(settings):
        try:
            card = _card(client, settings)
            model = str(card["id"])
            told = _tokenizer(client, settings.base_url, model) if _is_vllm(client, settings, card) else None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            detail = str(error) or type(error).__name__
            raise ModelUnavailable(f"{settings.base_url} does not answer: {detail}") from error
    length = settings.max_model_len or _told_length(card) or (told or {}).get("max_model_len")
    return Upstream(
        model=model,
        max_model_len=length or UNKNOWN_MODEL_LEN,
        vllm=told is not None,
        tokenizes=bool(told),
    )


def served_by(base_url: str, *, vllm: bool) -> Served:
    """Who answers at this URL. Only OpenAI's own hosts are OpenAI; a server that is no vLLM is known by its host."""
    url = httpx.URL(base_url)
    host = url.host.lower().rstrip(".")
    is_openai = host == OPENAI or host.endswith(f".{OPENAI}")
    provider = "openai" if is_openai else "vllm" if vllm else host
    return Served(
        provider=provider, host=host, port=url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
    )


def list_models(client: httpx.Client, settings: OpenAISettings) -> list[str]:
    """The models that the upstream lists. Blocks. Raises ModelUnavailable, and httpx's errors."""
    with _without_secrets(settings):
        return [str(card["id"]) for card in _listed(client, settings)]


@contextmanager
def _without_secrets(settings: OpenAISettings) -> Iterator[None]:
    """Hides the key, and the URL's password, in what is told of an upstream: it may repeat them, and whoever starts the
    service reads that."""
    secrets = {settings.api_key: "[key]", urlsplit(settings.base_url).password: "[password]"}
    try:
        yield
    except ModelUnavailable as error:
        told = str(error)
        for secret, name in secrets.items():
            told = told.replace(secret, name) if secret else told
        raise ModelUnavailable(told) from None


def root_of(base_url: str) -> str:
    """The server's URL without the API's version."""
    return base_url.rstrip("/").removesuffix("/v1")


def _card(client: httpx.Client, settings: OpenAISettings) -> dict[str, Any]:
    """What the upstream tells of the model; a gateway may serve models that it does not list."""
    wanted = settings.model
    listed = list(_listed(client, settings))
    named = [model for model in (wanted, *settings.adapters.values()) if model is not None]
    require_served(client, settings.base_url, named, [str(card["id"]) for card in listed])
    if wanted is None and not listed:
        raise ModelUnavailable(
            f"{settings.base_url} serves no model at present; name one to use it nevertheless"
        )
    return next((card for card in listed if wanted in (None, card["id"])), {"id": wanted})


def _listed(client: httpx.Client, settings: OpenAISettings) -> Iterator[dict[str, Any]]:
    url = settings.base_url
    response = client.get(f"{url.rstrip('/')}/models")
    if response.status_code in NO_LIST and settings.model is not None:
        return
    if response.status_code == 404:
        raise ModelUnavailable(
            f"{url} lists no models (does the URL lack /v1?); name the model to use it nevertheless"
        )
    if response.status_code == 401:
        told = read_body(response.content, response.status_code).message
        raise ModelUnavailable(f"{url} does not take the key: {told}; set another in UPSTREAM_KEY")
    if response.status_code != 200:
        raise ModelUnavailable(
            f"{url} does not answer: {read_body(response.content, response.status_code).message}"
        )
    listed = _json(response)
    if listed is None:
        raise ModelUnavailable(
            f"{url}/models answers with no JSON but: {start_of(response.text)} (does the URL lack /v1?)"
        )
    if isinstance(listed, dict):
        listed = listed.get("data") or listed.get("models")
    for card in listed if isinstance(listed, list) else ():
        if isinstance(card, str):
            yield {"id": card}
        elif isinstance(card, dict) and (name := card.get("id") or card.get("name")):
            yield {**card, "id": name}


def _is_vllm(client: httpx.Client, settings: OpenAISettings, card: dict[str, Any]) -> bool:
    """As said, or by its card, or, behind a gateway that writes its own cards, by its version."""
    if settings.vllm is not None:
        return settings.vllm
    if card.get("owned_by") == "vllm":
        return True
    told = _json(client.get(f"{root_of(settings.base_url)}/version", timeout=PROBE_SECONDS))
    told_version = isinstance(told, dict) and isinstance(told.get("version"), str)
    return told_version and bool(_tokenizer(client, settings.base_url, str(card["id"])))


def _tokenizer(client: httpx.Client, base_url: str, model: str) -> dict[str, Any]:
    """What vLLM's tokenizer answers; empty where a gateway does not let it through."""
    asked = {"model": model, "prompt": "a", "add_special_tokens": False}
    told = _json(client.post(f"{root_of(base_url)}/tokenize", json=asked, timeout=PROBE_SECONDS))
    is_vllms = isinstance(told, dict) and isinstance(told.get("tokens"), list)
    return told if is_vllms and isinstance(told.get("max_model_len"), int) else {}


def _json(response: httpx.Response) -> Any:
    try:
        return response.json() if response.status_code == 200 else None
    except (ValueError, RecursionError):
        return None


def _told_length(card: dict[str, Any]) -> int | None:
    """vLLM and SGLang, OpenRouter, and Groq each have a name for it."""
    lengths = [card.get(name) for name in ("max_model_len", "context_length", "context_window")]
    return next((length for length in lengths if type(length) is int and length > 0), None)
