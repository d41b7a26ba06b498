"""Packs the tokens of a segment for the journal: four bytes for each id, four for each logprob, in base64.

Training needs what was decoded token by token: text that is tokenised again may fall into other tokens.
"""

import struct
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTokens:
    """The tokens that a segment's decoding brought, those of thoughts, marks and the turn's end included, without those
    past a tag that stopped it."""

    ids: str
    """Unsigned, little-endian, of four bytes each, in base64."""
    logprobs: str = ""
    """IEEE 754, little-endian, of four bytes each, in base64: natural, before temperature and truncation. Empty where
    the engine does not tell all of them."""

    @property
    def token_ids(self) -> tuple[int, ...]:
        return tuple(each for (each,) in struct.iter_unpack("<I", b64decode(self.ids)))

    @property
    def token_logprobs(self) -> tuple[float, ...] | None:
        if not self.logprobs:
            return None
        return tuple(each for (each,) in struct.iter_unpack("<f", b64decode(self.logprobs)))


def pack(ids: Sequence[int], logprobs: Sequence[float]) -> KeptTokens:
    """The tokens as they are kept. Logprobs that are not as many as the ids are left out."""
    told = logprobs if len(logprobs) == len(ids) else ()
    return KeptTokens(
        ids=b64encode(struct.pack(f"<{len(ids)}I", *ids)).decode(),
        logprobs=b64encode(struct.pack(f"<{len(told)}f", *told)).decode(),
    )
