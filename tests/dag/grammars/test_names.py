"""Grammars are asked for by name; the reading, lenient or strict, is part of the name."""

import pytest

from anabranch.dag.errors import DagError
from anabranch.dag.grammars import GRAMMARS, UnknownGrammar, grammar_named

NAMES = (
    "async-think",
    "async-think-worker",
    "thread-weaver",
    "thread-weaver-thread",
    "multiverse",
    "multiverse-path",
    "apr",
    "apr-calling",
    "apr-child",
    "parallel-r1",
    "parallel-r1-path",
    "parallel-r1-summary",
    "npr",
    "npr-step",
)


@pytest.mark.parametrize("name", NAMES)
def test_every_grammar_has_a_source_and_both_readings(name: str) -> None:
    for full in (name, f"{name}:lenient", f"{name}:strict"):
        grammar = grammar_named(full)

        assert grammar.name == full
        assert grammar.source.startswith("arXiv ")


def test_there_is_no_grammar_but_these() -> None:
    assert {name.partition(":")[0] for name in GRAMMARS} == set(NAMES)


def test_a_bare_name_is_the_lenient_reading() -> None:
    assert [cut.tag.problem for cut in grammar_named("async-think").parser().feed("<join-1>")] == [""]
    assert [cut.tag.problem for cut in grammar_named("async-think:strict").parser().feed("<join-1>")] == [
        "spelling"
    ]


@pytest.mark.parametrize("name", ["asyncthink", "", "async-think:", "async-think:loose", ":strict"])
def test_an_unknown_name_is_refused_and_the_known_ones_are_listed(name: str) -> None:
    with pytest.raises(UnknownGrammar, match=r"known: async-think, .*apr.*:lenient or :strict") as refusal:
        grammar_named(name)

    assert repr(name) in str(refusal.value)
    assert isinstance(refusal.value, DagError)


def test_two_branches_never_share_a_parser() -> None:
    grammar = grammar_named("async-think")
    one, other = grammar.parser(), grammar.parser()

    one.feed("<FORK-1>half a query")

    assert other.close() is None
