"""Finds out whether an upstream serves a model that it does not list.

A gateway may serve such, and so does Ollama: its `qwen3` is the `qwen3:latest` of its list. Where the list does not
tell, the model is asked for one answer, of which nothing is read.
"""

from collections.abc import Collection, Iterable

import httpx

from anabranch.workers.engines.openai.refusals import Refusal, read_body
from anabranch.workers.errors import ModelUnavailable

PROBE_SECONDS = 10.0
"""A model that is being loaded takes longer: it is there."""
MOST_TOLD = 20
"""Models that a refusal lists."""
_LATEST = ":latest"


def require_served(
    client: httpx.Client, base_url: str, wanted: Iterable[str], listed: Collection[str]
) -> None:
    """Blocks. Raises ModelUnavailable for the first model that is not served, with those that are; and httpx's
    errors."""
    for model in wanted:
        if model in listed or f"{model}{_LATEST}" in listed:
            continue
        refusal = _ask(client, base_url, model)
        if refusal is not None and _is_about(refusal, model):
            raise ModelUnavailable(_tell(base_url, model, listed, refusal))


def _ask(client: httpx.Client, base_url: str, model: str) -> Refusal | None:
    """The refusal, if it is one. An upstream that takes its time refuses nothing."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    url = f"{base_url.rstrip('/')}/chat/completions"
    try:
        with client.stream("POST", url, json=body, timeout=PROBE_SECONDS) as response:
            return read_body(response.read(), response.status_code) if response.is_error else None
    except httpx.ReadTimeout:
        return None


def _is_about(refusal: Refusal, model: str) -> bool:
    """Whether it says that there is no such model, and not that it is busy, or wants a key or another request."""
    if refusal.status == 404:
        return True
    named = model in refusal.message or refusal.parameter == "model"
    return refusal.status in {400, 422} and (named or any("model" in code for code in refusal.codes))


def _tell(base_url: str, model: str, listed: Collection[str], refusal: Refusal) -> str:
    if not listed:
        return f"{base_url} lists no models and refuses {model!r}: {refusal.message} (does the URL lack /v1?)"
    names = sorted(listed)
    told = ", ".join(names[:MOST_TOLD]) + (
        f", and {more} more" if (more := len(names) - MOST_TOLD) > 0 else ""
    )
    return f"{base_url} does not serve {model[:100]!r}; it serves: {told}"
