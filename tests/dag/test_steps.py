"""No text that a model or a user wrote holds the organizer's loop: work grows with its length, and no faster.

Measured in operations, never in time: of patterns the steps of a backtracking search (`regex_steps.py`), of functions
the lines of Python that they run. Both are counted on a degenerate text and on the same twice as long.
"""

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dag.regex_steps import Steps

import anabranch.dag
from anabranch.dag import actions as a
from anabranch.dag.answers.equality import compare, plain_groups
from anabranch.dag.answers.extraction import extract_answer, read_boxed, remove_thoughts
from anabranch.dag.answers.reading import read
from anabranch.dag.answers.voting import count
from anabranch.dag.grammars import GRAMMARS, multiverse, outline
from anabranch.dag.grammars import apr as apr_grammar
from anabranch.dag.grammars.escape import escape, strip_marks
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.interpreter import outside
from anabranch.dag.policies.graphs import drafts
from anabranch.dag.policies.graphs.plan import BadPlan, read_plan
from anabranch.dag.policies.parts import angles, lists, prompts, shared_memory, skeleton
from anabranch.dag.policies.parts.judge import read_mark
from anabranch.dag.policies.trained import parallel_block
from anabranch.dag.policies.trained.splicing import rewrite
from anabranch.dag.status import BranchStatus
from anabranch.dag.text import say

# -- patterns ----------------------------------------------------------------------------------------------------------


BOUNDED = ("dates", "expressions", "latex", "lists", "numbers", "quantities", "reading", "units")
"""Modules of dag/answers/ that see no more than reading.LENGTH characters."""


def patterns() -> dict[str, re.Pattern[str]]:
    """Every pattern that a module of dag/ keeps, by its place."""
    found: dict[str, re.Pattern[str]] = {}
    for module in pkgutil.walk_packages(anabranch.dag.__path__, "anabranch.dag."):
        if module.name.startswith("anabranch.dag.answers.") and module.name.endswith(BOUNDED):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                found[f"{module.name.removeprefix('anabranch.dag.')}.{name}"] = value
    return found


PATTERNS = patterns()
PIECES = (
    "<", ">", "< ", "<FORK-", "<JOIN - 1", "</", "<Start Sub Search 1 at level 1> Moving to Node #", "<think>",
    "</think", "{", "}", "(", ")", "[", "]", "\\{", "\\", "\\boxed{", "\\boxed ", "\\frac{1}{", "\\text{", "$",
    "$$", "**", "*", "`", "```\n", "1", "1,", "1,000", "1 ", "1.", ".", "1/", "1e9", "9^", "1 1/2 ", "-", "--",
    "10:", "March 1, ", "%", "€1", "10 km ", " ", "\n", "\n\n", "\n \n", "\t", "\u2009", "a", "ab ", "a.",
    "a.\n\n", "}\n\n", "é", "٣", "#", "#### ", "answer is ", "answer: ", "Final Answer\n", "**a [1]:** ",
    "**a ", "### ", "<...>", "1. a:", "1) ", ". . ", "Goal Reached", "Generated Node #0: 1:[", "'",
    "Moving to Node #0\nCurrent State: 1:[", "Moving to Node #0 ", "<Outline>1: ", "<Goal>", "<Parallel>",
    '{"a":', "[1,", ", and ", "\u221a1", "\u03c0", "2 ** ", "Dr. ", "!",
)  # fmt: skip
SIZE, TIMES = 80, 3
"""Characters of the shorter text, and how many times as long the other one is."""
ANCHORED = (
    *(
        "answers.clauses._WORKING",
        "answers.clauses._OPTION_TEXT",
        "answers.clauses._ITEM",
        "answers.clauses._BEGINS",
    ),
    "answers.extraction._BEFORE",
    *(
        "answers.values._UNIT",
        "answers.values._ENDS",
        "grammars.outline._NUMBERED",
        "policies.parts.lists._NUMBERED",
    ),
)
"""Patterns that are only ever tried at one place."""


def steps(pattern: re.Pattern[str], text: str, *, anchored: bool = False) -> int:
    search = Steps(pattern, text)
    return search.match_first() if anchored else search.search_all()


def grows_too_fast(once: int, more: int) -> bool:
    """Of a linear count on the longer text: at most TIMES, and something for the ends. A square has TIMES squared."""
    return more > 1.5 * TIMES * once + 1500


@pytest.fixture(autouse=True, scope="module")
def _room_to_recurse() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_takes_steps_in_proportion_to_its_text(name: str) -> None:
    pattern, anchored = PATTERNS[name], name in ANCHORED
    for piece in PIECES:
        copies = max(2, SIZE // len(piece))
        once = steps(pattern, piece * copies + "x", anchored=anchored)
        more = steps(pattern, piece * (TIMES * copies) + "x", anchored=anchored)
        assert not grows_too_fast(once, more), (piece, once, more)


TEXTS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@settings(max_examples=30, deadline=None)
@given(TEXTS)
def test_the_count_is_of_what_python_finds(text: str) -> None:
    for name, pattern in PATTERNS.items():
        counted = Steps(pattern, text)
        counted.search_all()
        assert counted.ends == [match.span() for match in pattern.finditer(text)], name


@pytest.mark.parametrize(
    ("pattern", "piece"),
    [
        (r"(?m)^\s*\d+[.)]\s*(.+?)[\s:.]*$", "\n"),
        (r"\\boxed\{.*\}$", "\\boxed{}"),
        (r"Node #0: \[[^\]]*\]", "Node #0: ["),
        (r"(?:a|aa)+b", "a"),
    ],
)
def test_the_count_sees_patterns_that_grow_too_fast(pattern: str, piece: str) -> None:
    copies = 5 if pattern.startswith("(?:a") else max(2, SIZE // len(piece))
    once, more = (steps(re.compile(pattern), piece * (times * copies) + "x") for times in (1, TIMES))
    assert grows_too_fast(once, more)


# -- functions ---------------------------------------------------------------------------------------------------------


def feed(name: str) -> Callable[[str], Any]:
    def parse(text: str) -> None:
        parser = GRAMMARS[name].parser()
        for at in range(0, len(text), 64):
            parser.feed(text[at : at + 64])
        parser.close()

    return parse


def plan_of(text: str) -> None:
    try:
        read_plan(text, width=8, depth=8)
    except BadPlan:
        return


def hear(text: str) -> None:
    memory = shared_memory.Memory(names=("A", "B"), me=0)
    memory.repeats(memory.hear(0, text))
    memory.page(shared_memory.Layout.COMBINED)


def draft_in_pieces(text: str) -> None:
    draft, length = shared_memory.Draft(), max(8, len(text) // 150)
    for at in range(0, len(text), length):
        draft.add(text[at : at + length])


def edit(text: str) -> None:
    lines = text.splitlines()[:400] or [text]
    children = tuple(a.Thought(messages=(say("user", line),), label=line[:80]) for line in lines)
    outside.edited_children(a.Fork(children=children), text)


def tally(text: str) -> None:
    answers = text.split()[:400] or [text]
    ballots = tuple(a.Ballot(branch=BranchId(f"0.{i}"), answer=each) for i, each in enumerate(answers))
    count(TRUNK, a.Vote(ballots=ballots, outstanding=3), plain_groups(answers) or ((0,),))


def likeness(text: str) -> None:
    """A line that says what each of four elder ones said, in pieces."""
    line = angles.Likeness()
    for start in range(0, len(text), 64):
        for number in range(4):
            line.hear(BranchId(f"0.{number}"), text[start : start + 64])
        line.write(text[start : start + 64])
    line.closest()


FUNCTIONS: dict[str, Callable[[str], Any]] = {
    "extract_answer": extract_answer,
    "read_boxed": read_boxed,
    "remove_thoughts": remove_thoughts,
    "read": read,
    "compare": lambda text: compare(text, text[::-1]),
    "plain_groups": lambda text: plain_groups((text, text + "1", text[1:])),
    "tally": tally,
    "escape": escape,
    "unmarked": strip_marks,
    "outlines": outline.outlines,
    "departure": lambda text: outline.departure(f"<Outline>1: a</Outline>{text}", dotted=True, most=None),
    "sub_searches": apr_grammar.sub_searches,
    "nodes": apr_grammar.nodes,
    "optimal_path": apr_grammar.optimal_path,
    "call_span": apr_grammar.call_span,
    "whole_blocks": multiverse.whole_blocks,
    "plan": plan_of,
    "own_words": lambda text: shared_memory.own_words(text, len(text)),
    "written_by": lambda text: shared_memory.written_by("a", text),
    "draft": lambda text: shared_memory.Draft().add(text),
    "draft-in-pieces": draft_in_pieces,
    "rewrite": lambda text: rewrite(text, f"{text}{text}"),
    "memory": hear,
    "skeleton": lambda text: skeleton.read_skeleton(text, 20),
    "numbered": lists.numbered,
    "fill": lambda text: prompts.fill(text, {"a": ("b",)}),
    "blocks": parallel_block._ends("thread-weaver").split,
    "likeness": likeness,
    "mark": lambda text: read_mark(
        a.Result(branch=TRUNK, ended=BranchStatus.RETURNED, value=text, text=text, tokens=1)
    ),
    "edited_children": edit,
    **{f"split-{form}": lambda text, form=form: drafts.split(text, form) for form in drafts.FORMS},  # type: ignore[misc]
    **{f"parser-{name}": feed(name) for name in GRAMMARS if ":" not in name},
}


def lines_run(function: Callable[[str], Any], text: str) -> int:
    """Lines of Python that a call runs."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_runs_lines_in_proportion_to_its_text(name: str) -> None:
    for piece in PIECES:
        copies = max(2, 400 // len(piece))
        once, more = (lines_run(FUNCTIONS[name], piece * (times * copies) + "x") for times in (1, TIMES))
        assert not grows_too_fast(once, more), (piece, once, more)


HOSTILE = ("9", "[", "{", "\\boxed{", "<", "1e9", "a.\n\n", "}\n\n", " ", '{"a":')


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_million_characters_raise_nothing_and_grow_nothing(name: str) -> None:
    """Among them numbers of more digits than `int` takes, and brackets deeper than any recursion."""
    for piece in HOSTILE:
        found = FUNCTIONS[name](piece * (1_000_000 // len(piece)))
        assert found is None or len(str(found)) < 12_000_000


@pytest.mark.parametrize(
    "text", ["1e200000000", "9^9999999", "10**999999999", "9" * 5000, "1/" + "9" * 5000, "1e-99999999"]
)
def test_a_number_beyond_all_bounds_is_never_computed(text: str) -> None:
    assert plain_groups((f"{text}", "5", "5")) in (None, ((0,), (1, 2)))
