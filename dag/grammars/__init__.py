"""Registers the tag grammars: how trained models write fork and join. One incremental parser each; fed text, they
yield typed tags.

A name alone, or with `:lenient`, accepts harmless departures from the trained format (case, blanks, quoted marks); with
`:strict` each departure is a malformed tag, as the papers' format rewards count it. `parser.py` tells what both do.
"""

from collections.abc import Mapping
from functools import partial

from anabranch.dag.errors import DagError
from anabranch.dag.grammars.apr import APR, APR_CALLING, APR_CHILD
from anabranch.dag.grammars.async_think import ASYNC_THINK, ASYNC_THINK_WORKER
from anabranch.dag.grammars.grammar import Grammar
from anabranch.dag.grammars.multiverse import MULTIVERSE, MULTIVERSE_PATH
from anabranch.dag.grammars.npr import NPR, NPR_STEP
from anabranch.dag.grammars.parallel_r1 import PARALLEL_R1, PARALLEL_R1_PATH, PARALLEL_R1_SUMMARY
from anabranch.dag.grammars.parser import TagParser
from anabranch.dag.grammars.table import Table
from anabranch.dag.grammars.thread_weaver import THREAD_WEAVER, THREAD_WEAVER_THREAD

_TABLES = (
    *(ASYNC_THINK, ASYNC_THINK_WORKER),
    *(THREAD_WEAVER, THREAD_WEAVER_THREAD),
    *(MULTIVERSE, MULTIVERSE_PATH),
    *(APR, APR_CALLING, APR_CHILD),
    *(PARALLEL_R1, PARALLEL_R1_PATH, PARALLEL_R1_SUMMARY),
    *(NPR, NPR_STEP),
)


class UnknownGrammar(DagError):
    """A policy asked for a tag grammar that there is not."""


def _grammar(name: str, table: Table, *, strict: bool) -> Grammar:
    forks = any(rule.kind == "fork" and not rule.stops for rule in table.rules)
    return Grammar(name, table.source, partial(TagParser, table, strict=strict), table.marks, forks)


_READINGS = {"": False, ":lenient": False, ":strict": True}
GRAMMARS: Mapping[str, Grammar] = {
    table.name + reading: _grammar(table.name + reading, table, strict=strict)
    for table in _TABLES
    for reading, strict in _READINGS.items()
}
"""Every grammar under each of its names."""


def grammar_named(name: str) -> Grammar:
    """The grammar of this name; raises UnknownGrammar, which lists the known ones."""
    if name in GRAMMARS:
        return GRAMMARS[name]
    known = ", ".join(table.name for table in _TABLES)
    raise UnknownGrammar(
        f"no tag grammar is named {name!r}; known: {known}, each also with :lenient or :strict"
    )
