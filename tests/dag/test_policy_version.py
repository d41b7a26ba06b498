"""The version of a policy: what its code does counts, its words and its place do not."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag import policies
from anabranch.dag.policy import catalogue
from anabranch.dag.policy_version import digest_of, machinery

SOURCE = '''
"""A policy."""

from anabranch.dag.policies.parts.blocks import Form
from anabranch.dag.policy import Param, policy

LIMIT: int = 3
"""At most so many."""


@policy(title="T", paper="P", use_when="Now.")
def wide(problem, *, n: Annotated[int, Param("how many", ge=1)] = 4):
    """T is what it is."""
    for each in range(n):  # one after another
        yield Form(each, LIMIT)


def helper(x: int) -> int:
    return x + 1
'''

WORDS = {
    "a docstring": ("T is what it is.", "T is something else."),
    "a comment": ("  # one after another", "  # in turn"),
    "a note below a constant": ('"""At most so many."""', '"""No more than these."""'),
    "formatting": ("range(n)", "range(\n        n\n    )"),
    "a moved import": ("parts.blocks", "parts.parallel.block"),
    "the title": ('title="T"', 'title="Wide"'),
    "an annotation": ('Param("how many", ge=1)', 'Param("number", ge=2)'),
    "a number written otherwise": ("LIMIT: int = 3", "LIMIT: int = 0x3"),
}
DEEDS = {
    "a constant": ("LIMIT: int = 3", "LIMIT: int = 4"),
    "a default": ("= 4)", "= 5)"),
    "an operator": ("x + 1", "x - 1"),
    "a name": ("range(n)", "range(LIMIT)"),
    "a preset": ('use_when="Now."', 'use_when="Now.", presets=PRESETS'),
    "a prompt": ("Form(each, LIMIT)", 'Form("Go on.", LIMIT)'),
    "one thing less": ("    return x + 1", "    return None"),
}


@pytest.mark.parametrize(("old", "new"), WORDS.values(), ids=WORDS)
def test_an_edit_of_words_changes_no_version(old: str, new: str) -> None:
    assert old in SOURCE
    assert digest_of([SOURCE.replace(old, new)]) == digest_of([SOURCE])


@pytest.mark.parametrize(("old", "new"), DEEDS.values(), ids=DEEDS)
def test_an_edit_of_what_is_done_changes_it(old: str, new: str) -> None:
    assert old in SOURCE
    assert digest_of([SOURCE.replace(old, new)]) != digest_of([SOURCE])


def test_a_function_moved_to_another_module_changes_no_version() -> None:
    before, mark, after = SOURCE.partition("def helper")
    assert digest_of([before, mark + after]) == digest_of([SOURCE])


@given(st.permutations(range(4)))
def test_the_order_of_modules_does_not_count(order: list[int]) -> None:
    sources = ["a = 1", "b = 2", "c = 3", SOURCE]
    assert digest_of(sources[each] for each in order) == digest_of(sources)


@pytest.mark.parametrize("path", sorted(Path(policies.__path__[0]).rglob("*.py")), ids=lambda path: path.stem)
def test_our_own_sources_written_anew_without_any_word_have_the_same_version(path: Path) -> None:
    """`ast.unparse` drops comments and formatting; the rest of the words are taken out here by another way."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            node.body[0].value.value = "Other words."  # type: ignore[attr-defined]
    assert digest_of([ast.unparse(tree)]) == digest_of([source])


def test_the_machinery_of_a_policy_is_what_it_imports_and_nothing_else() -> None:
    weaver = machinery("anabranch.dag.policies.thread_weaver")
    assert {
        "anabranch.dag.policies.trained.thread_weaver",
        "anabranch.dag.policies.trained.parallel_block",
        "anabranch.dag.grammars.outline",
    } <= set(weaver)
    assert "anabranch.dag.actions" not in weaver
    assert machinery("anabranch.dag.policies.sequential") == ("anabranch.dag.policies.sequential",)


def test_no_two_policies_have_one_version() -> None:
    versions = [info.version for info in catalogue().values()]
    assert len(set(versions)) == len(versions)
