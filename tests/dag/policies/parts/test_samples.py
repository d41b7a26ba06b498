"""What samples are counted as."""

import pytest

from anabranch.dag.actions import Result
from anabranch.dag.ids import TRUNK
from anabranch.dag.policies.parts.lists import TRUNCATED
from anabranch.dag.policies.parts.samples import whole_answer
from anabranch.dag.status import BranchStatus


def sample(text: str, *flags: str) -> Result:
    return Result(branch=TRUNK, ended=BranchStatus.RETURNED, value=text, text=text, tokens=1, flags=flags)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ('{"a":1.0}', '{"a": 1}'),
        ('{"b": [1e2, 0.5], "a": true}', '{"a": true, "b": [100, 0.5]}'),
        (" no JSON ", "no JSON"),
        ("[" * 100_000, "[" * 100_000),
        ("", None),
    ],
)
def test_the_same_json_is_counted_as_the_same(text: str, counted: str | None) -> None:
    assert whole_answer(sample(text)) == counted


def test_what_was_cut_off_counts_for_nothing() -> None:
    assert whole_answer(sample('{"a": 1}', TRUNCATED)) is None
