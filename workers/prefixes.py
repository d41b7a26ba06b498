"""Remembers which replica has read or written which text: what its engine can be expected to have in its prefix cache.

The pool's own book, by text and not by tokens: no tokenizer is here, and it holds for every engine. A text is cut into
blocks; a block's key covers the text before it, so the keys that two texts share are their common prefix, as in an
engine's cache. Of each replica the blocks that were used last are remembered.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence

from anabranch.dag.text import Context

BLOCK = 64
"""Characters; about the 16 tokens of an engine's block."""
REMEMBERED = 50_000
"""Blocks of one replica: some 800,000 tokens, more than most engines have room for."""

Keys = Sequence[int]
"""Of a text's blocks, in order."""


def text_of(context: Context) -> str:
    """All that an engine reads, in order."""
    said = "".join(f"\0{role}\n{text}" for role, text in context.messages)
    return f"{said}\0\n{context.thought}{context.continuation}"


def keys_of(text: str) -> Keys:
    """One key for each whole block of the text."""
    keys: list[int] = []
    before = 0
    for start in range(0, len(text) - BLOCK + 1, BLOCK):
        before = hash((before, text[start : start + BLOCK]))
        keys.append(before)
    return keys


class PrefixBook:
    """What each replica has read and written."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._blocks: dict[str, OrderedDict[int, None]] = {}

    def held(self, keys: Keys, replica: str) -> int:
        """Blocks at the beginning of this text that the replica has."""
        blocks = self._blocks.get(replica)
        if not blocks:
            return 0
        return next((at for at, key in enumerate(keys) if key not in blocks), len(keys))

    def add(self, keys: Keys, replica: str) -> None:
        """The replica reads this text, or has written the end of it."""
        blocks = self._blocks.setdefault(replica, OrderedDict())
        for key in reversed(keys):  # so that ends are forgotten before what stands in front of them
            blocks[key] = None
            blocks.move_to_end(key)
        while len(blocks) > self._remembered:
            blocks.popitem(last=False)

    def keep_only(self, replicas: Collection[str]) -> None:
        """Forgets what replicas held that are gone."""
        for gone in self._blocks.keys() - set(replicas):
            del self._blocks[gone]
