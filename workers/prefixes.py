"""Remembers which replica has read or written which text: what its engine can be expected to have in its prefix cache.

The book is by text and not by tokens: no tokenizer is here, and it holds for every engine. A text is cut into blocks; a
block's key covers the text before it, so the keys that two texts share are their common prefix, as in an engine's
cache. Keys are the same in all processes: replicas tell theirs (`replica/prefix_news.py`). Of each replica the blocks
that were used last are remembered.

What engines evict is not asked of them (vLLM's KV events would tell): where a cache is too small for what is read, the
book is wrong about all replicas alike, and knowing better finds nothing more (docs/performance.md, "Prefixes").
"""

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Sequence
from zlib import crc32

from anabranch.dag.text import Context
from anabranch.workers.messages import Key, Message, SegmentDone

BLOCK = 64
"""Bytes of text, in UTF-8; about the 16 tokens of an engine's block."""
REMEMBERED = 50_000
"""Blocks of one replica: some 800,000 tokens, more than most engines have room for."""

Keys = Sequence[int]
"""Of a text's blocks, in order."""


def text_of(context: Context) -> str:
    """All that an engine reads, in order."""
    said = "".join(f"\0{role}\n{text}" for role, text in context.messages)
    return f"{said}\0\n{context.thought}{context.continuation}"


def keys_of(text: str) -> Keys:
    """One key for each whole block of the text. Two texts in four billion share one by chance: one place is guessed
    wrong."""
    data = text.encode("utf-8", "surrogatepass")
    keys: list[int] = []
    before = 0
    for start in range(0, len(data) - BLOCK + 1, BLOCK):
        before = crc32(data[start : start + BLOCK], before)
        keys.append(before)
    return keys


class Prefixes:
    """What one replica has read and written."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def held(self, keys: Keys) -> int:
        """Blocks at the beginning of this text that it has."""
        return next((at for at, key in enumerate(keys) if key not in self._blocks), len(keys))

    def add(self, keys: Keys) -> list[int]:
        """It reads this text, or has written the end of it. Returns the keys that are new, in order."""
        new = [key for key in dict.fromkeys(keys) if key not in self._blocks]
        for key in reversed(keys):  # so that ends are forgotten before what stands in front of them
            self._blocks[key] = None
            self._blocks.move_to_end(key)
        while len(self._blocks) > self._remembered:
            self._blocks.popitem(last=False)
        return new


class PrefixBook:
    """What each replica has read and written."""

    def __init__(self) -> None:
        self._of: dict[str, Prefixes] = {}

    def held(self, keys: Keys, replica: str) -> int:
        """Blocks at the beginning of this text that the replica has."""
        prefixes = self._of.get(replica)
        return prefixes.held(keys) if prefixes is not None else 0

    def add(self, keys: Keys, replica: str) -> None:
        """The replica reads this text, or has written the end of it."""
        self._of.setdefault(replica, Prefixes()).add(keys)

    def keep_only(self, replicas: Collection[str]) -> None:
        """Forgets what replicas held that are gone."""
        for gone in self._of.keys() - set(replicas):
            del self._of[gone]


class Transcripts:
    """Puts together what decodes of several segments write."""

    def __init__(self) -> None:
        self._written: defaultdict[Key, str] = defaultdict(str)

    def end(self, message: Message) -> str | None:
        """All that its decode has written, if this message is the decode's last."""
        if not isinstance(message, SegmentDone):
            return None
        self._written[message.key] += message.decoded.thought + message.decoded.text
        return None if message.decoded.open else self._written.pop(message.key)

    def forget(self, key: Key) -> None:
        """No last message will come of this decode."""
        self._written.pop(key, None)
