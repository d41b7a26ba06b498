"""Reads how likely the tokens of a chunk were, in the form of chat completions or in that of text completions.

What is broken is left out. Whoever puts the tokens together with the text finds then that some are missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from anabranch.dag.decoding.logprobs import Likelihood, TokenLogprob, rounded


def read_logprobs(told: Any) -> tuple[TokenLogprob, ...]:
    """Of a choice's `logprobs`, in the order in which the tokens were written."""
    if not isinstance(told, dict):
        return ()
    if "tokens" in told:
        return tuple(_of_text_completion(told))
    return tuple(_of_chat(_list(told.get("content"))))


def _of_chat(content: Sequence[Any]) -> Iterator[TokenLogprob]:
    for entry in content:
        if (likely := _likelihood(entry)) is not None:
            others = (_likelihood(other) for other in _list(entry.get("top_logprobs")))
            yield _token(likely, [other for other in others if other is not None])


def _of_text_completion(told: Mapping[str, Any]) -> Iterator[TokenLogprob]:
    """Lists side by side; the likeliest of each place in an object, by token."""
    lists = (_list(told.get(name)) for name in ("tokens", "token_logprobs", "top_logprobs"))
    for token, logprob, likeliest in zip_longest(*lists):
        if (likely := _likelihood({"token": token, "logprob": logprob})) is not None:
            there = likeliest.items() if isinstance(likeliest, dict) else ()
            others = (_likelihood({"token": name, "logprob": each}) for name, each in there)
            yield _token(likely, [other for other in others if other is not None])


def _token(likely: Likelihood, others: list[Likelihood]) -> TokenLogprob:
    top = sorted(others, key=lambda other: -other.logprob)
    return TokenLogprob(token=likely.token, logprob=likely.logprob, raw=likely.raw, top=tuple(top))


def _likelihood(entry: Any) -> Likelihood | None:
    if not isinstance(entry, dict):
        return None
    token, logprob = entry.get("token"), entry.get("logprob")
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    try:
        return Likelihood(token=token, logprob=rounded(logprob), raw=_bytes(entry.get("bytes"), token))
    except (ValueError, OverflowError):
        return None


def _bytes(told: Any, token: str) -> tuple[int, ...]:
    """Where they are not those of the token's name. Raises ValueError for what are no bytes."""
    if not isinstance(told, list) or not told:
        return ()
    if not all(isinstance(each, int) for each in told):
        raise ValueError("bytes are numbers")
    return () if bytes(told) == token.encode(errors="surrogatepass") else tuple(told)


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
