"""Trajectories: one text of a branch that grows, in which exactly the model's own stretches are named."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.conftest import Writing, vote

from anabranch.dag.text import say
from anabranch.dag.training.model_calls import model_calls
from anabranch.dag.training.samples import trajectory_samples
from anabranch.dag.training.trajectories import Trajectory, trajectories

QUESTION = "What is six times seven?"
TEXTS = st.text("ab\n ", max_size=6)
STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "text": TEXTS,
            "inserted": st.one_of(st.just(""), TEXTS),
            "asks": st.booleans(),
            "system": st.booleans(),
            "removed": st.booleans(),
        }
    ),
    min_size=1,
    max_size=6,
)


def written(steps: list[dict[str, Any]]) -> Writing:
    """The trunk's calls, each with what the runtime puts before it."""
    writing, last = Writing().submit().claim(), ""
    for number, step in enumerate(steps, start=1):
        told: dict[str, Any] = {"inserted": step["inserted"]}
        if step["asks"] and number > 1:
            told["messages"] = (say("system" if step["system"] else "user", "go on"),)
        elif step["removed"] and last:
            told["removed"] = 1
        writing.start("0", number, **told).finish("0", step["text"], segment=number)
        last = step["text"]
    return writing


def read_before(trajectory: Trajectory, place: int) -> tuple[Any, str]:
    """What stands before a call's own stretch: the messages, and the beginning of its turn."""
    at = trajectory.places()[place]
    return trajectory.messages[: at.message], trajectory.messages[at.message][1][: at.start]


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_every_call_stands_once_where_it_was_written_behind_all_that_it_was_sent(
    steps: list[dict[str, Any]],
) -> None:
    calls = list(model_calls(written(steps).records))
    found = list(trajectories(calls))
    assert [call for trajectory in found for call in trajectory.calls] == calls
    for trajectory in found:
        end = (0, 0)
        for number, (call, place) in enumerate(zip(trajectory.calls, trajectory.places(), strict=True)):
            role, text = trajectory.messages[place.message]
            assert (role, text[place.start : place.end]) == ("assistant", call.text)
            assert read_before(trajectory, number) == (call.context.messages, call.context.continuation)
            assert end <= (place.message, place.start)
            end = place.message, place.end


def of(*steps: dict[str, Any]) -> list[dict[str, Any]]:
    blank = {"inserted": "", "asks": False, "system": False, "removed": False}
    return list(trajectory_samples(written([{**blank, **step} for step in steps]).records, []))


def test_what_the_runtime_splices_into_a_turn_lies_in_no_span() -> None:
    [sample] = of({"text": "First: "}, {"inserted": "[a result] ", "text": "42"})
    assert sample["messages"] == [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "First: [a result] 42"},
    ]
    assert [(span["message"], span["start"], span["end"]) for span in sample["spans"]] == [
        (1, 0, 7),
        (1, 18, 20),
    ]


def test_a_further_turn_goes_on_with_the_same_trajectory() -> None:
    [sample] = of({"text": "42"}, {"asks": True, "text": "Sure."})
    assert [message["content"] for message in sample["messages"]] == [QUESTION, "42", "go on", "Sure."]
    assert [(span["message"], span["start"], span["end"]) for span in sample["spans"]] == [
        (1, 0, 2),
        (3, 0, 5),
    ]


def test_where_something_is_taken_back_the_next_trajectory_begins() -> None:
    first, second = of({"text": "41"}, {"removed": True, "text": "2"})
    assert first["messages"][-1]["content"] == "41"
    assert (second["messages"][-1]["content"], second["spans"][0]["start"]) == ("42", 1)


def test_branches_have_trajectories_of_their_own() -> None:
    samples = list(trajectory_samples(vote().records, []))
    assert [(sample["branch"], sample["used"], len(sample["spans"])) for sample in samples] == [
        ("0.1", True, 1),
        ("0.2", True, 1),
    ]
