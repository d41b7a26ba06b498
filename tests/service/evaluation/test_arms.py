"""Policies are read as they are written on the command line."""

import pytest

from anabranch.dag.evaluation.design import Arm
from anabranch.service.evaluation.arms import read_arms
from anabranch.service.evaluation.errors import BadTasks


@pytest.mark.parametrize(
    ("text", "arms"),
    [
        ("sequential", [Arm(label="sequential", policy="sequential")]),
        (
            "a, b:n=8 ,c",
            [
                Arm(label="a", policy="a"),
                Arm(label="b:n=8", policy="b", params={"n": 8}),
                Arm(label="c", policy="c"),
            ],
        ),
        (
            "b:n=8,quorum=0.5,c",
            [
                Arm(label="b:n=8,quorum=0.5", policy="b", params={"n": 8, "quorum": 0.5}),
                Arm(label="c", policy="c"),
            ],
        ),
        ("b@small:n=8", [Arm(label="b@small:n=8", policy="b", params={"n": 8}, model="small")]),
        (
            'b:spec={"x": [1, 2]},word=so',
            [
                Arm(
                    label='b:spec={"x": [1, 2]},word=so',
                    policy="b",
                    params={"spec": {"x": [1, 2]}, "word": "so"},
                )
            ],
        ),
        ('b:text="a,b"', [Arm(label='b:text="a,b"', policy="b", params={"text": "a,b"})]),
    ],
)
def test_policies_with_their_parameters(text: str, arms: list[Arm]) -> None:
    assert list(read_arms(text)) == arms


def test_a_model_is_asked_where_none_is_named() -> None:
    assert [arm.model for arm in read_arms("a,b@small", "big")] == ["big", "small"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no policy is named"),
        ("n=8", "stands behind no policy"),
        ("a,a", "a is named twice"),
        ("b:n", "write b:name=value"),
        ("b:n=", "write b:name=value"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, why: str) -> None:
    with pytest.raises(BadTasks, match=why):
        read_arms(text)
