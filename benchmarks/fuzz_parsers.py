"""Runs random and mutated texts through every tag grammar, lenient and strict, and prints how many went through.

Each text is fed whole and again in random chunks: both must tell the same, every cut must lie in the chunk that told it
and after the one before, a malformed tag must carry its raw span, and nothing may be told after a stop. The same text,
escaped, must yield no cut at all. A failure prints the seed and the text that shows it. The seed is the whole state:

    python benchmarks/fuzz_parsers.py --texts 1000000 --seed 7
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator

from anabranch.dag.decoding import Tag
from anabranch.dag.grammars import GRAMMARS
from anabranch.dag.grammars.escape import escape
from anabranch.dag.grammars.grammar import Cut, Grammar
from anabranch.dag.grammars.marks import NAMES
from anabranch.dag.grammars.outline import outlines


class Misread(Exception):
    """A parser broke one of its promises."""


READ = [grammar for name, grammar in GRAMMARS.items() if not name.endswith(":lenient")]
MARKS = [f"<{slash}{name.replace('#', str(n))}>" for name in NAMES for slash in ("", "/") for n in (1, 2)]
SEEDS = [
    "so <FORK-1>one</FORK-1> and <FORK-2>two</FORK-2> then <JOIN-2> <ANSWER>59.76</ANSWER>",
    "17x2=34 <RETURN>39.95</RETURN>",
    "<Parallel><Outlines><Outline>1: a</Outline><Outline>2: b</Outline></Outlines>",
    " 84 = 2^2 * 3 * 7.</Thread><Thread>",
    "<Goal><Outline>1.1: a</Outline><Outline>1.2: b</Outline></Goal> 9</Conclusion></Parallel></Path>",
    "<Calling Sub Searches>\n<Start Sub Search 0 at level 1> Moving to Node #0,0\n<End Calling Sub Searches>",
    "<Sub Searches>\n<No Solution in Sub Search 0 at level 1 at Node #0,0>\n<End Sub Searches>",
    "quoted `<JOIN-1>` and\n```\n<FORK-3>fenced</FORK-3>\n```",
]
BITS = [
    *MARKS,
    *SEEDS,
    "<",
    ">",
    "</",
    "-",
    "`",
    "\n",
    " ",
    "\t",
    "1:",
    "<" + " " * 63,
    "é\u212aſ\U0001f600",
    "x" * 70,
]
LETTERS = "<>/-`# \n\t.,:012FORKJINASWEROUTLPH" + "forkjinaswe" + "é\u212aſ\U0001f600\ud800\0"


def texts(draw: random.Random, count: int) -> Iterator[str]:
    """Half of them mutations of well-formed texts, the rest bits and letters thrown together."""
    for n in range(count):
        if n % 2:
            yield mutated(draw, draw.choice(SEEDS))
        elif n % 4:
            yield "".join(draw.choices(BITS, k=draw.randrange(8)))
        else:
            yield "".join(draw.choices(LETTERS, k=draw.randrange(60)))


def mutated(draw: random.Random, text: str) -> str:
    """The text after a few cuts, insertions, doublings and changes of case."""
    for _ in range(draw.randrange(1, 5)):
        begin, end = sorted((draw.randrange(len(text) + 1), draw.randrange(len(text) + 1)))
        end = min(end, begin + 12)
        piece = text[begin:end]
        change = draw.choice(["", piece * 2, piece.swapcase(), draw.choice(LETTERS), draw.choice(BITS)])
        text = text[:begin] + change + text[end:]
    return text


def chunks(draw: random.Random, text: str) -> Iterator[str]:
    """The text in chunks of random length."""
    at = 0
    while at < len(text):
        size = draw.choice((1, 1, 2, 3, 7, 19))
        yield text[at : at + size]
        at += size


def told(grammar: Grammar, parts: Iterator[str]) -> tuple[list[Cut], Tag | None]:
    """What a fresh parser tells of these chunks; fails if a cut lies where none may."""
    parser, cuts, fed = grammar.parser(), list[Cut](), 0
    for part in parts:
        for cut in parser.feed(part):
            last = cuts[-1].offset if cuts else 0
            require(max(fed, last) < cut.offset <= fed + len(part), "a cut out of place")
            require(not (cuts and cuts[-1].stops), "a cut after a stop")
            cuts.append(cut)
        fed += len(part)
    return cuts, parser.close()


def require(kept: bool, promise: str) -> None:
    """Raises Misread where a promise is not kept."""
    if not kept:
        raise Misread(promise)


def check(draw: random.Random, grammar: Grammar, text: str, seen: Counter[str]) -> None:
    """Reads the text by this grammar; raises Misread."""
    cuts, left = told(grammar, iter([text]))
    require(told(grammar, chunks(draw, text)) == (cuts, left), "chunks matter")
    for cut in cuts:
        require(not cut.tag.problem or text[: cut.offset].endswith(cut.tag.body), "not the raw span")
        outlines(cut.tag.body)
        seen[cut.tag.problem or "well formed"] += 1
    require(left is None or text.endswith(left.body), "not the raw span of what is unclosed")
    seen["unclosed"] += left is not None


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--texts", type=int, default=1_000_000)
    arguments.add_argument("--seed", type=int, default=7)
    asked = arguments.parse_args()
    draw, seen = random.Random(asked.seed), Counter[str]()
    for n, text in enumerate(texts(draw, asked.texts), start=1):
        safe = escape(text)
        for grammar in READ:
            try:
                check(draw, grammar, text, seen)
                require(not grammar.parser().feed(safe), "escaped text controls")
            except Exception as error:
                print(f"seed {asked.seed}, text {n}, {grammar.name}: {error!r} on {text!r}")
                raise
        if n % 100_000 == 0:
            print(f"{n:,} texts …", file=sys.stderr, flush=True)
    print(f"{asked.texts:,} texts through each of {len(READ)} parsers, twice: none misread. Tags:")
    for problem, count in seen.most_common():
        print(f"  {count:>12,}  {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
