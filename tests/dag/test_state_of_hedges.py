"""Segments that are decoded twice, in the transition table: when that is legal, what is reserved, which one is left."""

from dataclasses import replace
from typing import Any

import pytest

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.errors import InvalidTransition
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import JobSpec
from anabranch.dag.state import JobState, apply, fold
from anabranch.dag.text import Reading, say

CHILD = BranchId("0.1")
SUBMITTED = e.JobSubmitted(
    spec=JobSpec(messages=(say("user", "q"),), policy="sequential"), policy_version="v"
)
HEDGED = e.SegmentHedged(segment=1, attempt=1, seconds=9.0, usual=1.0)
LOST = e.HedgeLost(segment=1, attempt=1, decoded=Decoded(text="w", finish=Finish.ABORT))
ENDED = e.SegmentFinished(segment=1, attempt=1, decoded=Decoded(text="w", finish=Finish.EOS))


def after(*events: e.Event) -> JobState:
    return fold((SUBMITTED, e.JobClaimed(owner="o", attempt=1), *events))


def started(branch: BranchId = TRUNK, segment: int = 1, **rest: Any) -> e.SegmentStarted:
    return e.SegmentStarted(branch=branch, segment=segment, **rest)


ILLEGAL = {
    "nothing is open": ((), HEDGED, "only an open segment"),
    "its branch has ended": (
        (
            e.BranchForked(child=CHILD, role="x", reading=Reading()),
            started(CHILD),
            e.BranchCancelled(branch=CHILD, reason="r"),
        ),
        replace(HEDGED, branch=CHILD),
        "only an open segment",
    ),
    "another segment is open": ((started(),), replace(HEDGED, segment=2), "its open segment is 1"),
    "another attempt is open": ((started(),), replace(HEDGED, attempt=2), "attempt 1"),
    "it is decoded twice": ((started(), HEDGED), HEDGED, "once more already"),
    "it was decoded twice": ((started(), HEDGED, LOST), HEDGED, "once more already"),
    "another of its segments is decoded twice": (
        (started(), HEDGED, ENDED, started(segment=2)),
        replace(HEDGED, segment=2),
        "another of its segments is decoded twice",
    ),
    "nothing was decoded twice": ((started(),), LOST, "none of its segments"),
    "the second decode counted": (
        (started(), HEDGED, replace(ENDED, copy=1)),
        LOST,
        "decode 1 of the two has ended",
    ),
    "the first decode counted": (
        (started(), HEDGED, ENDED),
        replace(LOST, copy=0),
        "decode 0 of the two has ended",
    ),
}


@pytest.mark.parametrize(("history", "event", "told"), ILLEGAL.values(), ids=ILLEGAL)
def test_what_is_illegal_is_refused_in_words(history: tuple[e.Event, ...], event: e.Event, told: str) -> None:
    state = after(*history)
    with pytest.raises(InvalidTransition, match=told):
        apply(state, event)


@pytest.mark.parametrize("lost", [0, 1])
def test_the_decode_that_is_left_goes_on(lost: int) -> None:
    state = after(started(), HEDGED, replace(LOST, copy=lost))
    assert state.branches[TRUNK].copy == 1 - lost
    apply(state, replace(ENDED, copy=1 - lost))
    apply(state, started(segment=2))
    assert state.branches[TRUNK].copy == 0


@pytest.mark.parametrize("first", [0, 1])
def test_what_ends_first_counts_and_the_other_one_is_lost(first: int) -> None:
    state = after(started(), HEDGED, replace(ENDED, copy=first), replace(LOST, copy=1 - first))
    assert (state.branches[TRUNK].own, state.hedged, state.hedges) == ("w", 1, {})


def test_a_segment_that_is_decoded_later_does_not_touch_what_is_owed_for_an_earlier_one() -> None:
    second = replace(ENDED, segment=2, copy=0)
    state = after(started(), HEDGED, ENDED, started(segment=2), second)
    assert state.hedges[TRUNK].left == 1
    apply(state, LOST)
    assert state.hedges == {}


@pytest.mark.parametrize(("limit", "reserved"), [(None, (0, 0, 0)), (7, (14, 7, 0))])
def test_two_decodes_reserve_twice_and_each_end_gives_its_own_back(
    limit: int | None, reserved: tuple[int, int, int]
) -> None:
    state = after(started(max_tokens=limit), HEDGED)
    told = [state.reserved.tokens]
    for end in (LOST, ENDED):
        apply(state, end)
        told.append(state.reserved.tokens)
    assert tuple(told) == reserved


def test_what_the_lost_decode_took_is_on_the_bill() -> None:
    written = Decoded(
        text="w", finish=Finish.ABORT, usage=Usage(prompt_tokens=3, completion_tokens=5), cost=0.25
    )
    state = after(started(), HEDGED, replace(LOST, decoded=written), ENDED)
    assert (state.usage.completion_tokens, state.usage.prompt_tokens, state.cost) == (5, 3, 0.25)
    assert state.branches[TRUNK].usage.completion_tokens == 0


def test_there_is_room_for_one_branch_in_any_case() -> None:
    state = after(e.RoomTold(width=1))
    with pytest.raises(InvalidTransition, match="always room for one"):
        apply(state, e.RoomTold(width=0))
