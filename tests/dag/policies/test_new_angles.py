"""New angles: a line that repeats an elder one makes way for another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.conftest import Simulate
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.errors import BadParameters
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.parts.angles import ANGLES, FEWEST, Likeness, check_angles

ELDER = BranchId("0.1")


def text(line: str, begin: int, count: int, last: str = "") -> str:
    """So many tokens that only this line writes."""
    return " ".join(
        [f"{line}{number}" for number in range(begin, begin + count - bool(last))] + [last] * bool(last)
    )


def strides(line: str, *counts: int, last: str = "") -> list[str]:
    begins = [sum(counts[:place]) for place in range(len(counts))]
    whole = [text(line, begin, count) for begin, count in zip(begins, counts, strict=True)]
    return [*whole, last] if last else whole


PARAMS = {"n": 2, "stride": 16, "tokens": 64}


def test_a_line_that_repeats_makes_way_for_a_new_angle(listen: Listen) -> None:
    """0.2 writes what 0.1 does: after its stride of 16 it ends, and 48 of its 64 tokens go to the third angle."""
    script = {
        "0.1": strides("a", 16, 16, last="\\boxed{5}"),
        "0.2": strides("a", 16),
        "0.3": strides("c", 16, 16, last="\\boxed{6}"),
    }
    heard = listen("new-angles", script, params=PARAMS)
    simulation = heard.simulation
    [why] = of_kind(simulation, e.ReasonGiven)
    assert (why.branch, why.about, why.text) == ("0.2", "redundant", "100% of its phrases are in 0.1")
    assert why.numbers == {"share": 1.0, "tokens_left": 48}
    [pruned] = of_kind(simulation, e.BranchesPruned)
    assert (pruned.pruned, pruned.rule) == (("0.2",), "repeats an elder line")
    assert [heard.of(f"0.{i}")[0].context.messages[0][1].split("\n")[0] for i in (1, 2, 3)] == list(
        ANGLES[:3]
    )
    assert [decode.decoding.max_tokens for decode in heard.of("0.3")] == [16, 16]
    assert answer(simulation).sources == ("0.1",)
    check(simulation)


def test_a_line_that_repeats_has_no_vote(simulate: Simulate) -> None:
    """Two of three lines said 5, in the same words: 6, found twice in other words, wins."""
    script = {
        "0.1": strides("a", 16, 16, last="\\boxed{5}"),
        "0.2": strides("a", 16),
        "0.3": strides("c", 16, last="\\boxed{6}"),
        "0.4": strides("d", 16, 16, last="\\boxed{6}"),
    }
    simulation = simulate("new-angles", script, params={**PARAMS, "n": 3})
    assert answer(simulation).text == "6"
    assert answer(simulation).sources == ("0.3", "0.4")
    check(simulation)


def test_all_lines_cost_no_more_than_so_many(simulate: Simulate) -> None:
    """Everybody repeats the eldest, and what is left over dwindles to nothing."""
    script = {f"0.{i}": strides("a", 16, 16, 16, 16) for i in range(1, 9)}
    simulation = simulate("new-angles", script, params=PARAMS)
    assert measure(simulation.records).total_tokens <= 2 * 64
    assert len(of_kind(simulation, e.BranchForked)) == 5
    check(simulation)


def test_lines_of_their_own_are_left_alone(simulate: Simulate) -> None:
    script = {f"0.{i}": strides("abc"[i - 1], 16, 16, last=f"\\boxed{{{i}}}") for i in (1, 2, 3)}
    simulation = simulate("new-angles", script, params={**PARAMS, "n": 3})
    assert not of_kind(simulation, e.ReasonGiven)
    assert set(ended(simulation).values()) == {"BranchReturned"}
    check(simulation)


def test_where_no_answer_can_be_compared_the_eldest_line_is_it(simulate: Simulate) -> None:
    script = {"0.1": "A poem\nof\nseas", "0.2": "Another\nof\nhills"}
    simulation = simulate("new-angles", script, params=PARAMS)
    assert answer(simulation).text == "A poem\nof\nseas"
    check(simulation)


WORDS = st.lists(st.sampled_from("one two three four five six".split()), max_size=40)


@given(mine=WORDS, elder=WORDS, cut=st.integers(0, 40), heard_first=st.booleans())
def test_likeness_is_the_share_of_phrases_however_they_come(
    mine: list[str], elder: list[str], cut: int, heard_first: bool
) -> None:
    likeness = Likeness()
    if heard_first:
        likeness.hear(ELDER, " ".join(elder))
    likeness.write(" ".join(mine[:cut]))
    if not heard_first:
        likeness.hear(ELDER, " ".join(elder))
    likeness.write(" ".join(mine[cut:]))

    def phrases(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[at : at + 3]) for at in range(len(words) - 2)}

    closest = likeness.closest()
    if len(phrases(mine)) < FEWEST:
        assert closest is None
    else:
        assert closest == (ELDER, len(phrases(mine) & phrases(elder)) / len(phrases(mine)))


def test_angles_that_say_nothing_are_refused() -> None:
    for angles in ([], [" "], ["a"] * 65):
        with pytest.raises(BadParameters, match="1 to 64 texts"):
            check_angles(angles)
    check_angles(ANGLES)
