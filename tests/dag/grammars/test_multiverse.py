"""Multiverse (arXiv 2506.09991): goals stop trunk and paths, paths may plan again, a conclusion ends the reduction."""

import pytest
from tests.dag.grammars.conftest import Reader

from anabranch.dag.decoding import Tag
from anabranch.dag.grammars.multiverse import whole_blocks
from anabranch.dag.grammars.outline import outlines

GOAL = (
    "<Outline>1: multiples of 4</Outline><Outline>2: multiples of 6</Outline>"
    "<Outline>3: multiples of 12</Outline>"
)
NESTED = "<Outline>2.1: odd multiples</Outline>\n<Outline>2.2: even multiples</Outline>"


def test_the_trunk_stops_at_its_goal(read: Reader) -> None:
    trunk = f"<Think>Let's think in parallel.\n<Parallel><Goal>{GOAL}</Goal>"
    told = read("multiverse:strict", trunk + "\n<Path>1: and on")

    assert told.tags == [Tag(kind="plan", body=GOAL)]
    assert told.segments == [trunk]
    assert [outline.text for outline in outlines(GOAL)] == [
        "multiples of 4",
        "multiples of 6",
        "multiples of 12",
    ]


def test_the_conclusion_ends_the_reduce_step_and_decoding_goes_on(read: Reader) -> None:
    told = read("multiverse:strict", "14, 9 and 4.</Conclusion></Parallel>\n14 + 9 - 4 = 19.</Think>")

    assert told.tags == [Tag(kind="conclusion")]
    assert told.segments == ["14, 9 and 4.</Conclusion>"]
    assert not told.stopped


def test_a_path_stops_at_its_end(read: Reader) -> None:
    told = read("multiverse-path:strict", " 6..54, that is 9</Path>\n<Path>3:")

    assert told.segments == [" 6..54, that is 9</Path>"]
    assert told.stopped


def test_a_path_may_plan_paths_of_its_own(read: Reader) -> None:
    before = read("multiverse-path:strict", f" split: <Parallel><Goal>{NESTED}</Goal>")
    after = read("multiverse-path:strict", "5 and 4.</Conclusion></Parallel> that is 9</Path>")

    assert before.tags == [Tag(kind="plan", body=NESTED)]
    assert [outline.ident for outline in outlines(NESTED)] == ["2.1", "2.2"]
    assert [tag.kind for tag in after.tags] == ["conclusion", "path"]
    assert [cut.stops for cut in after.cuts] == [False, True]


def test_a_path_is_nothing_to_the_trunk(read: Reader) -> None:
    assert read("multiverse", "<Path>1: a</Path>").tags == []


@pytest.mark.parametrize(
    "numbers", [("1", "3"), ("2.1", "2.3"), ("2.1", "3.2"), ("1", "1.1"), ("2.1.1", "2.2"), ("0",)]
)
def test_strict_outlines_count_up_behind_one_prefix(
    read: Reader, numbers: tuple[str, str] | tuple[str]
) -> None:
    body = "".join(f"<Outline>{number}: a</Outline>" for number in numbers)

    (tag,) = read("multiverse-path:strict", f"<Goal>{body}</Goal>").tags
    assert (tag.kind, tag.problem) == ("plan", "numbering")
    assert read("multiverse-path", f"<Goal>{body}</Goal>").tags == [Tag(kind="plan", body=body)]


def test_a_goal_without_an_outline_is_malformed(read: Reader) -> None:
    (tag,) = read("multiverse", "<Goal>be quick</Goal>").tags

    assert tag == Tag(kind="plan", body="<Goal>be quick</Goal>", problem="no-outline")


def test_there_may_be_any_number_of_paths(read: Reader) -> None:
    body = "".join(f"<Outline>{number}: a</Outline>" for number in range(1, 101))

    assert read("multiverse:strict", f"<Goal>{body}</Goal>").tags[0].problem == ""


BLOCK = "<Parallel><Goal><Outline>1: a</Outline></Goal>\n<Path>1: {}</Path>\n<Conclusion>c</Conclusion></Parallel>"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("no marks, a < b", True),
        (BLOCK.format("x"), True),
        (BLOCK.format("so " + BLOCK.format("y")) + " and " + BLOCK.format("z"), True),
        (BLOCK.format("x").lower(), True),
        (BLOCK.format("x</Path>"), False),
        (BLOCK.format("<Conclusion>"), False),
        (BLOCK.format("<ANSWER>7</ANSWER>"), False),
        ("</Path><Conclusion>mine</Conclusion>", False),
        ("<Parallel><Goal><Outline>1: a</Outline></Goal>", False),
    ],
)
def test_a_path_is_whole_where_its_marks_make_whole_blocks(text: str, whole: bool) -> None:
    assert whole_blocks(text) is whole
