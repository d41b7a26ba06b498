"""Cuts what a model writes into segments, as a replica does: at tags, at a stop string, at the limit of tokens."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoded, Decoding, Fault, Finish, Usage
from anabranch.dag.grammars import grammar_named

Piece = tuple[str, int]
"""Text with its number of tokens. A piece ends a segment or not as a whole: a tag is found when its piece is there."""

ENGINE = "simulated"


@dataclass(frozen=True, slots=True)
class Cut:
    """One segment of a decode."""

    tokens: int
    """Of the decode, at the segment's end."""
    decoded: Decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What one decode would give, were it not aborted."""

    cuts: tuple[Cut, ...]
    """At least one; the last is the decode's end."""
    prompt_tokens: int | None = None
    """Of its prompt, where that is known. None: it is taken by its length."""


Write = Callable[[Decode], Output]
"""Stands for the model."""


def write_pieces(decoding: Decoding, pieces: Iterable[Piece]) -> Output:
    """The output of a model that writes these pieces and ends its turn."""
    return Output(cuts=tuple(_cuts(decoding, _within(decoding, pieces))))


def fail(fault: Fault) -> Output:
    """The output of a decode that fails at once."""
    return Output(
        cuts=(Cut(0, Decoded(text="", finish=Finish.ERROR, fault=fault, engine=ENGINE)),), prompt_tokens=0
    )


def _within(decoding: Decoding, pieces: Iterable[Piece]) -> Iterator[tuple[str, int, Finish | None]]:
    """The pieces up to where a stop string or the limit of tokens ends them; the last one says why."""
    left, written = decoding.max_tokens, ""
    longest = max(map(len, decoding.stop), default=0)
    for text, tokens in pieces:
        if left is not None and tokens > left:
            if left:
                yield text[: len(text) * left // tokens], left, Finish.LENGTH
            else:
                yield "", 0, Finish.LENGTH
            return
        before = len(written)
        written = written[max(0, before - longest) :] + text
        begun = min(before, longest)
        ends = [found + len(stop) for stop in decoding.stop if (found := written.find(stop)) >= 0]
        if ends and (end := min(ends) - begun) > 0:
            yield text[:end], _share(tokens, end, len(text)), Finish.STOP
            return
        yield text, tokens, None
        left = None if left is None else left - tokens


def _share(tokens: int, end: int, length: int) -> int:
    """Tokens of a piece that is cut, rounded up."""
    return -(-tokens * end // length)


def _cuts(decoding: Decoding, pieces: Iterable[tuple[str, int, Finish | None]]) -> Iterator[Cut]:
    parser = grammar_named(decoding.grammar).parser() if decoding.grammar else None
    open_text: list[str] = []
    fed = counted = tokens = 0
    ended: Finish | None = None
    for text, count, finish in pieces:
        ended = finish
        tokens += count
        start = 0
        for cut in parser.feed(text) if parser is not None and text else ():
            end = cut.offset - fed
            open_text.append(text[start:end])
            decoded = _decoded("".join(open_text), Finish.TAG, tokens - counted)
            yield Cut(tokens, replace(decoded, tag=cut.tag, open=not cut.stops))
            if cut.stops:
                return
            open_text, counted, start = [], tokens, end
        open_text.append(text[start:])
        fed += len(text)
    unclosed = parser.close() if parser is not None else None
    decoded = _decoded("".join(open_text), ended or Finish.EOS, tokens - counted)
    yield Cut(tokens, replace(decoded, tag=unclosed))


def _decoded(text: str, finish: Finish, tokens: int) -> Decoded:
    return Decoded(text=text, finish=finish, usage=Usage(completion_tokens=tokens), engine=ENGINE)
