"""Graphs of operations: what is refused before anything is forked."""

from typing import Any

import pytest

from anabranch.dag.policies.graphs.operations import USUAL, BadGraph, read_operations


def op(name: str, kind: str = "improve", *after: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "op": kind, "after": list(after), **more}


def test_operations_come_behind_all_they_need() -> None:
    raw = [op("end", "aggregate", "b", "a"), op("b", "improve", "a"), op("a", "generate")]
    assert [each.id for each in read_operations(raw)] == ["a", "b", "end"]


def test_the_usual_graph_is_a_graph() -> None:
    assert [each.op for each in read_operations(USUAL)] == [
        "generate", "score", "keep-best", "improve", "aggregate",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ([], "it has no operation"),
        ([op("a", "generate"), op("a", "generate")], "two of its operations have the same id"),
        ([op("a", "slice")], "an operation needs an id and an op, one of generate, improve, aggregate"),
        (
            [op("a", "generate", width=3)],
            "operation 'a' is a generate, which has prompt, count, but not width",
        ),
        (
            [op("a", "generate", least=0.5)],
            "operation 'a' is a generate, which has prompt, count, but not least",
        ),
        (
            [op("a", "generate", count=0)],
            "operation 'a' needs a count that is of the type integer from 1 to 64",
        ),
        (
            [op("a", "generate"), op("b", "select", "a")],
            "operation 'b' selects nothing: it needs parts or places",
        ),
        (
            [op("a", "generate"), op("b", "score", "a", verifier="oracle")],
            "operation 'b' needs a verifier that is one of rule, math",
        ),
        (
            [op("a", "generate"), op("b", "score", "a", spec={"pattern": "x"})],
            "operation 'b' has a spec, but no verifier that reads it",
        ),
        (
            [op("a", "generate"), op("b", "split", "a", form="csv")],
            "operation 'b' needs a form that is one of json, list, lines, paragraphs",
        ),
        (
            [
                op("a", "generate"),
                op("b", "split", "a"),
                op("c", "select", "b", parts=["1"]),
                op("d", "score", "c"),
            ],
            "operation 'd' looks at scores of the parts that c gives, and parts have none",
        ),
        ([op("a", "generate", "a")], "these operations wait for each other: a"),
        ([{"op": "generate"}], "an operation needs an id and an op"),
        ([op("a", "improve")], "operation 'a' comes after nothing, so it has nothing to improve"),
        (
            [op("a", "generate"), op("b", "improve", "c")],
            "operation 'b' comes after 'c', which does not exist",
        ),
        (
            [op("a", "generate"), op("b", "improve", "c"), op("c", "improve", "b")],
            "these operations wait for each other: b, c",
        ),
        (
            [op("a", "generate"), op("b", "improve", "a"), op("c", "improve", "a")],
            "only one operation may give the answer, but nothing comes after b, c",
        ),
    ],
)
def test_a_bad_graph_is_refused(raw: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(BadGraph) as refused:
        read_operations(raw)
    assert str(refused.value).startswith(why)
