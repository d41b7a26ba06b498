"""Feeding decoded text to a grammar, in whatever chunks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from anabranch.dag.decoding import Tag
from anabranch.dag.grammars import grammar_named
from anabranch.dag.grammars.grammar import Cut


@dataclass(frozen=True)
class Read:
    """What a parser told of a text."""

    text: str
    cuts: tuple[Cut, ...]
    left: Tag | None
    """The tag that was never closed."""

    @property
    def tags(self) -> list[Tag]:
        return [cut.tag for cut in self.cuts]

    @property
    def segments(self) -> list[str]:
        """The text up to each cut, from the one before."""
        begins = [0, *(cut.offset for cut in self.cuts)]
        return [self.text[begin : cut.offset] for begin, cut in zip(begins, self.cuts, strict=False)]

    @property
    def stopped(self) -> bool:
        return bool(self.cuts) and self.cuts[-1].stops


Reader = Callable[..., Read]


@pytest.fixture(scope="session")
def read() -> Reader:
    def reading(name: str, *chunks: str) -> Read:
        parser = grammar_named(name).parser()
        cuts: Sequence[Cut] = [cut for chunk in chunks for cut in parser.feed(chunk)]
        return Read("".join(chunks), tuple(cuts), parser.close())

    return reading
