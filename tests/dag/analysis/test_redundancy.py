"""Empty, duplicate, unjoined and similar branches are found (protocols.md semantics 22)."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.policies.test_async_think import TRAINED

from anabranch.dag.analysis.redundancy import mean_similarity, redundancy, similarity
from anabranch.dag.decoding import Fault
from anabranch.dag.ids import TRUNK


def test_a_hacked_run_shows_what_it_did(simulate: Simulate) -> None:
    """One honest worker, one that repeats it, one that says nothing, one that nobody joins."""
    script = {
        "0": [
            "<FORK-1>a</FORK-1> <FORK-2>b</FORK-2> <FORK-3>c</FORK-3> <FORK-4>d</FORK-4> <JOIN-1>",
            "<JOIN-2>",
            "<JOIN-3>",
            words(20, "<ANSWER>x</ANSWER>"),
        ],
        "0.1": "<RETURN>17 times 2.35 is 39.95</RETURN>",
        "0.2": "<RETURN>17 times 2.35 is: 39.95!</RETURN>",
        "0.3": " ",
        "0.4": "<RETURN>something else altogether</RETURN>",
    }
    simulation = simulate("async-think", script, params={**TRAINED, "c": 5})

    found = redundancy(simulation.records)
    assert found.empty == ("0.3",)
    assert found.duplicate == ("0.2",)
    assert found.never_joined == ("0.4",)
    assert found.similarity[TRUNK] == pytest.approx(1 / 3)


def test_an_honest_run_shows_nothing(simulate: Simulate) -> None:
    script = {
        "0": ["<FORK-1>a</FORK-1> <FORK-2>b</FORK-2> <JOIN-1>", "<JOIN-2>", "<ANSWER>x</ANSWER>"],
        "0.1": "<RETURN>39.95</RETURN>",
        "0.2": "<RETURN>26.45</RETURN>",
    }
    found = redundancy(simulate("async-think", script, params=TRAINED).records)
    assert (found.empty, found.duplicate, found.never_joined) == ((), (), ())
    assert found.similarity == {"0": 0}


def test_inputs_merges_and_posts_count_as_being_read(simulate: Simulate) -> None:
    posts = {"0.1": ["a b c d", "e.\n\n", ""], "0.2": ["f g h i", "j \\boxed{1}"]}
    found = redundancy(simulate("group-think", posts, params={"thinkers": 2, "stride": 4}).records)
    assert found.never_joined == ()


def test_a_branch_that_was_cut_short_is_judged_by_what_it_wrote(simulate: Simulate) -> None:
    script = {"0.1": "7", "0.2": words(50), "0.3": Fault(cause="refused", retryable=False)}
    found = redundancy(simulate("self-consistency", script, params={"n": 3, "stop": "first"}).records)
    assert found.empty == ("0.3",)
    assert "0.2" in found.never_joined


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("one two three four", "One, two; three four!", 1),
        ("one two three four", "one two three five", 1 / 3),
        ("one two three", "four five six", 0),
        ("yes", "yes", 1),
        ("yes", "no", 0),
        ("yes", "yes indeed so", 0),
        ("", "", 1),
        ("", "word", 0),
    ],
)
def test_similarity_is_the_share_of_common_phrases(left: str, right: str, expected: float) -> None:
    assert similarity(left, right) == pytest.approx(expected)
    assert similarity(right, left) == pytest.approx(expected)


def test_of_several_texts_it_is_the_mean_over_pairs() -> None:
    assert mean_similarity(["a b c", "a b c", "x y z"]) == pytest.approx(1 / 3)
    assert mean_similarity(["a b c"]) == 0
