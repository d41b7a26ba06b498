"""Tells how likely a model held the tokens that it wrote, and which of them a text stands in.

An engine tells of all tokens that it decoded: of thoughts and their marks, of stop strings, of the token that ends the
turn. A reader wants those of the text. They are found by their bytes: the text is the end of what was written, or
stands in it further ahead. Where it does not, tokens are missing, and none are told: a part would pass for the whole.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST = -9999.0
"""What is told of a token that cannot come: JSON has no infinity."""
DIGITS = 6
"""Behind the point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """A token, and how likely the model held it."""

    token: str
    logprob: float
    """Natural, before temperature and truncation where the engine tells it so."""
    raw: tuple[int, ...] = ()
    """What it adds to a text, where that is not `token` in UTF-8: a part of a letter."""

    @property
    def written(self) -> bytes:
        return bytes(self.raw) if self.raw else self.token.encode(errors="surrogatepass")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob(Likelihood):
    """A token that was written."""

    top: tuple[Likelihood, ...] = ()
    """The likeliest at its place, likeliest first; it may be among them."""


def rounded(logprob: float) -> float:
    """As it is kept. Raises ValueError for one that is no number."""
    if math.isnan(logprob):
        raise ValueError("a logprob is a number")
    return round(min(max(logprob, LEAST), 0.0), DIGITS)


def covering(
    tokens: Sequence[TokenLogprob], text: str, begin: int = 0, end: int | None = None
) -> tuple[TokenLogprob, ...]:
    """The tokens that `text[begin:end]` stands in; the first and the last may reach beyond it. Empty where these tokens
    did not write the text."""
    written = b"".join(token.written for token in tokens)
    place = _place_of(_encoded(text), written, tokens[-1:])
    if place < 0:
        return ()
    first, last = place + len(_encoded(text[:begin])), place + len(_encoded(text[:end]))
    kept, at = list[TokenLogprob](), 0
    for token in tokens:
        before, at = at, at + len(token.written)
        if before < last and at > first:
            kept.append(token)
    return tuple(kept)


def _place_of(text: bytes, written: bytes, last: Sequence[TokenLogprob]) -> int:
    """Where the text begins; -1 where it does not stand there. The token that ends a turn has a name, in which a short
    text could be found."""
    for ending in (b"", *(token.written for token in last)):
        if written.endswith(text + ending):
            return len(written) - len(text) - len(ending)
    behind = written[::-1].find(text[::-1])  # the last place; rfind is not linear
    return len(written) - behind - len(text) if behind >= 0 else -1


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
