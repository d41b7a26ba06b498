"""The transition table: what may follow what, and what an illegal event leaves behind (nothing)."""

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.errors import InvalidTransition
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import JobSpec
from anabranch.dag.state import JobState, apply, fold
from anabranch.dag.status import JobStatus
from anabranch.dag.text import Base, Reading, say
from anabranch.dag.text.context import render
from anabranch.dag.vocabulary import Cause

SPEC = JobSpec(messages=(say("user", "q"),), policy="sequential")
SUBMITTED = e.JobSubmitted(spec=SPEC, policy_version="v")
CLAIMED = e.JobClaimed(owner="o", attempt=1)


def after(*events: e.Event) -> JobState:
    return fold((SUBMITTED, CLAIMED, *events))


def forked(child: str, parent: str = "0") -> e.BranchForked:
    return e.BranchForked(branch=BranchId(parent), child=BranchId(child), role="x", reading=Reading())


def started(branch: str = "0", segment: int = 1, **rest: Any) -> e.SegmentStarted:
    return e.SegmentStarted(branch=BranchId(branch), segment=segment, **rest)


def finished(branch: str = "0", segment: int = 1, text: str = "w") -> e.SegmentFinished:
    decoded = Decoded(text=text, finish=Finish.EOS)
    return e.SegmentFinished(branch=BranchId(branch), segment=segment, attempt=1, decoded=decoded)


def returned(branch: str = "0") -> e.BranchReturned:
    return e.BranchReturned(branch=BranchId(branch), value="v")


def cancelled(branch: str = "0") -> e.BranchCancelled:
    return e.BranchCancelled(branch=BranchId(branch), reason="r")


ASKED = e.JoinRequested(join=1, targets=(), mode=e.Mode.ALL)
SATISFIED = e.BranchesJoined(join=1, joined=())

OVER = (e.AnswerCommitted(text="x"), returned(), e.JobSucceeded())
RATED = e.JobRated(author="Eve", score=1.0)

ILLEGAL = {
    "a second submission": ((), SUBMITTED),
    "a branch that was never forked": ((), started("0.1")),
    "a child of somebody else": ((), forked("0.1.1")),
    "a child that exists": ((forked("0.1"),), forked("0.1")),
    "a join that nobody asked for": ((), e.BranchesJoined(join=0, joined=())),
    "a second join while one is open": ((ASKED,), replace(ASKED, join=2)),
    "a join satisfied twice": ((ASKED, SATISFIED), SATISFIED),
    "a second open segment": ((started(),), started(segment=2)),
    "a segment out of turn": ((), started(segment=2)),
    "the end of a segment that is not open": ((), finished()),
    "the end of another segment": ((started(),), finished(segment=2)),
    "more removed than was written": ((started(), finished()), started(segment=2, removed=9)),
    "a second terminal event": ((forked("0.1"), returned("0.1")), cancelled("0.1")),
    "decoding after the end": ((forked("0.1"), returned("0.1")), started("0.1")),
    "a return over living children": ((forked("0.1"), forked("0.1.1", "0.1")), returned("0.1")),
    "a join of a grandchild": (
        (forked("0.1"), forked("0.1.1", "0.1")),
        e.JoinRequested(join=1, targets=(BranchId("0.1.1"),), mode=e.Mode.ALL),
    ),
    "a join that was not asked for": ((), e.BranchesJoined(join=1, joined=())),
    "a join of a branch that still runs": (
        (forked("0.1"), e.JoinRequested(join=1, targets=(BranchId("0.1"),), mode=e.Mode.ALL)),
        e.BranchesJoined(join=1, joined=(BranchId("0.1"),)),
    ),
    "success without an answer": ((returned(),), e.JobSucceeded()),
    "success while a branch lives": ((forked("0.1"), e.AnswerCommitted(text="x")), e.JobSucceeded()),
    "success while a segment is open": (
        (started(), e.AnswerCommitted(text="x"), returned()),
        e.JobSucceeded(),
    ),
    "a second answer": ((e.AnswerCommitted(text="x"),), e.AnswerCommitted(text="y")),
    "an answer that a child gives": ((forked("0.1"),), e.AnswerCommitted(branch=BranchId("0.1"), text="x")),
    "an answer after the trunk has ended": ((returned(),), e.AnswerCommitted(text="x")),
    "a fork after the answer": ((e.AnswerCommitted(text="x"),), forked("0.1")),
    "a decision about nothing": ((), e.ApprovalDecided(approval=1, decision=e.Choice.APPROVE)),
    "a retry out of turn": ((), e.BranchRetried(attempt=3, cause="c")),
    "a retry of a segment that is still open": ((started(),), e.BranchRetried(attempt=2, cause="c")),
    "a retry after the end": (
        (forked("0.1"), returned("0.1")),
        e.BranchRetried(branch=BranchId("0.1"), attempt=2, cause="c"),
    ),
    "anything after the end": ((e.AnswerCommitted(text="x"), returned(), e.JobSucceeded()), CLAIMED),
    "anything after a rating": ((*OVER, RATED), CLAIMED),
    "a second end after a rating": ((*OVER, RATED), e.JobSucceeded()),
    "a rating before the end": ((e.AnswerCommitted(text="x"), returned()), RATED),
    "a rating of a branch": ((forked("0.1"), returned("0.1"), *OVER), replace(RATED, branch=BranchId("0.1"))),
    "a rating below 0.0": (OVER, replace(RATED, score=-0.5)),
    "a rating above 1.0": (OVER, replace(RATED, score=1.5)),
    "a rating that is no number": (OVER, replace(RATED, score=float("nan"))),
}


def asked(branch: str = "0", approval: int = 1) -> e.ApprovalRequested:
    return e.ApprovalRequested(branch=BranchId(branch), approval=approval, gate="fork", subject="s")


def decided(branch: str = "0", approval: int = 1) -> e.ApprovalDecided:
    return e.ApprovalDecided(branch=BranchId(branch), approval=approval, decision=e.Choice.APPROVE)


STATUS = {
    "nobody decodes yet": ((forked("0.1"),), "0.1", "queued"),
    "a fork begins its parent": ((forked("0.1"),), "0", "open"),
    "a segment is open": ((started(),), "0", "decoding"),
    "between segments": ((started(), finished()), "0", "open"),
    "a person is asked while nothing decodes": ((asked(),), "0", "waiting"),
    "a person is asked while the stream goes on": ((started(), asked()), "0", "waiting"),
    "another branch asks": ((forked("0.1"), asked("0.1")), "0", "open"),
    "the person has decided, the stream goes on": ((started(), asked(), decided()), "0", "decoding"),
    "one of two gates is decided": ((asked(), asked(approval=2), decided()), "0", "waiting"),
    "it returned": ((forked("0.1"), returned("0.1")), "0.1", "returned"),
    "cancelled while it asked": ((forked("0.1"), asked("0.1"), cancelled("0.1")), "0.1", "cancelled"),
    "cancelled while its segment is open": (
        (forked("0.1"), started("0.1"), cancelled("0.1")),
        "0.1",
        "cancelled",
    ),
}


@pytest.mark.parametrize(("history", "branch", "status"), STATUS.values(), ids=STATUS)
def test_a_branch_says_where_it_stands(history: tuple[e.Event, ...], branch: str, status: str) -> None:
    assert after(*history).branches[BranchId(branch)].status == status


def test_a_job_waits_from_the_question_to_the_decision_whoever_decodes_meanwhile() -> None:
    state = after(started(), forked("0.1"), asked("0.1"))
    assert (state.status, state.phase) == (JobStatus.WAITING, JobStatus.RUNNING)
    steps = (finished(), asked(approval=2), decided("0.1"), decided(approval=2))
    statuses = [(apply(state, step), state.status)[1] for step in steps]
    assert statuses == [*[JobStatus.WAITING] * 3, JobStatus.RUNNING]


@pytest.mark.parametrize(("history", "event"), ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_event_raises_with_the_story_and_changes_nothing(
    history: tuple[e.Event, ...], event: e.Event
) -> None:
    state = after(*history)
    before = copy.deepcopy(state)
    with pytest.raises(InvalidTransition) as raised:
        apply(state, event)
    assert state == before
    story = state.branches[event.branch].story if event.branch in state.branches else []
    assert raised.value.story == tuple(story)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)  # Ray ships exceptions


@pytest.mark.parametrize(
    "end",
    [
        OVER,
        (e.BranchFailed(cause="c"), e.JobFailed(type="no-answer", title="t")),
        (cancelled("0"), e.JobCancelled(reason="r")),
    ],
    ids=["succeeded", "failed", "cancelled"],
)
def test_ratings_follow_any_end_and_of_an_author_the_last_one_holds(end: tuple[e.Event, ...]) -> None:
    before = after(*end)
    again, ida = e.JobRated(author="Eve", score=0.0, comment="no"), e.JobRated(author="Ida", score=0.5)
    state = after(*end, RATED, ida, again)
    assert list(state.ratings.values()) == [ida, again]
    assert (state.status, state.answer, state.usage) == (before.status, before.answer, before.usage)


def test_nothing_happens_to_a_job_that_was_never_submitted() -> None:
    with pytest.raises(InvalidTransition, match="never submitted"):
        apply(JobState(), CLAIMED)


def test_the_tokens_of_a_cancelled_branch_still_come() -> None:
    state = after(forked("0.1"), started("0.1"), cancelled("0.1"), finished("0.1", text="late"))
    assert state.branches[BranchId("0.1")].own == "late"
    assert not state.open_segments


def test_a_turn_is_closed_by_new_messages() -> None:
    follow_up = say("user", "go on")
    state = after(started(), finished(text="first"), started(segment=2, messages=(follow_up,)))
    assert [turn.role for turn in state.branches[BranchId("0")].turns] == ["assistant", "user"]
    assert state.branches[BranchId("0")].own == ""


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [event for history, event in ILLEGAL.values()]
            + [event for history, _ in ILLEGAL.values() for event in history]
        ),
        max_size=30,
    )
)
def test_whatever_is_tried_a_refusal_changes_nothing_and_endings_stay_single(tried: list[e.Event]) -> None:
    state = after()
    endings: dict[str, int] = {}
    for event in tried:
        before = copy.deepcopy(state)
        try:
            apply(state, event)
        except InvalidTransition:
            assert state == before
        else:
            if isinstance(event, e.TERMINAL_OF_BRANCH):
                endings[event.branch] = endings.get(event.branch, 0) + 1
    assert all(count == 1 for count in endings.values())


def test_money_of_older_journals_counts_where_it_was_kept() -> None:
    older = Decoded(
        text="w", finish=Finish.EOS, extra={"cost": 0.25, "recalled_from": "j", "cumulative_logprob": -1}
    )
    assert (older.in_fields().cost, older.in_fields().recalled_from, older.in_fields().extra) == (
        0.25,
        "j",
        {},
    )
    newer = Decoded(text="w", finish=Finish.EOS, cost=0.5)
    assert newer.in_fields() is newer
    state = after(started())
    apply(state, e.SegmentFinished(segment=1, attempt=1, decoded=older))
    apply(state, started(segment=2))
    apply(state, e.SegmentFinished(segment=2, attempt=1, decoded=newer))
    assert state.cost == 0.75


@pytest.mark.parametrize(
    ("history", "event", "told"),
    [
        ((), started(segment=3), "its next segment is 1"),
        ((), e.BranchRetried(attempt=3, cause="c"), "its next attempt is 2"),
        ((), e.JoinRequested(join=2, targets=(), mode=e.Mode.ALL), "its next join is 1"),
        ((started(),), finished(segment=2), "its open segment is 1"),
        ((), forked("0.1.1"), "0.1.1 is no child of 0"),
        ((forked("0.1"), returned("0.1")), cancelled("0.1"), "it has returned already"),
        ((e.AnswerCommitted(text="x"), returned(), e.JobSucceeded()), CLAIMED, "the job has succeeded"),
    ],
)
def test_a_refusal_says_what_would_have_been_legal(
    history: tuple[e.Event, ...], event: e.Event, told: str
) -> None:
    with pytest.raises(InvalidTransition) as raised:
        after(*history, event)
    assert told in str(raised.value)


def test_a_segment_without_a_limit_reserves_nothing() -> None:
    state = after(started(max_tokens=None))
    assert state.reserved.tokens == 0
    apply(state, finished())
    apply(state, started(segment=2, max_tokens=7))
    assert state.reserved.tokens == 7
    apply(state, finished(segment=2))
    assert state.reserved.tokens == 0


def test_a_branch_is_joined_once_its_parent_has_its_result() -> None:
    state = after(
        forked("0.1"), returned("0.1"), e.JoinRequested(join=1, targets=(BranchId("0.1"),), mode=e.Mode.ALL)
    )
    assert not state.branches[BranchId("0.1")].joined
    apply(state, e.BranchesJoined(join=1, joined=(BranchId("0.1"),)))
    assert state.branches[BranchId("0.1")].joined


def test_what_is_removed_comes_off_the_end_before_anything_is_inserted() -> None:
    state = after(started(), finished(text="one two"), started(segment=2, removed=4, inserted=" three"))
    assert state.branches[BranchId("0")].own == "one three"


def test_a_turn_that_new_messages_close_is_without_what_was_removed() -> None:
    closing = started(segment=2, removed=4, messages=(say("user", "go on"),), inserted="then ")
    state = after(started(), finished(text="one two"), closing)
    assert state.branches[BranchId("0")].turns == (say("assistant", "one"), say("user", "go on"))
    assert state.branches[BranchId("0")].own == "then "


def test_a_branch_that_a_grammar_has_read_keeps_it() -> None:
    state = after(started())
    assert state.branches[BranchId("0")].grammar is None
    for event in (finished(), started(segment=2, grammar="apr")):
        apply(state, event)
    assert state.branches[BranchId("0")].grammar == "apr"
    for event in (finished(segment=2), started(segment=3)):
        apply(state, event)
    assert state.branches[BranchId("0")].grammar == "apr"


def test_a_job_that_cannot_end_names_the_first_five_branches_that_live() -> None:
    children = [forked(f"0.{number}") for number in range(1, 7)]
    with pytest.raises(InvalidTransition, match=r"still live: 0, 0\.1, 0\.2, 0\.3, 0\.4 \("):
        after(*children, e.JobCancelled(reason="r"))


def test_a_failure_tells_its_cause_by_itself_and_in_words() -> None:
    told = e.BranchFailed(branch=BranchId("0.1"), cause=Cause.PROMPT_TOO_LONG, detail="9 of 8")
    result = after(forked("0.1"), told).branches[BranchId("0.1")].result()
    assert (result.failed_by, result.cause) == (Cause.PROMPT_TOO_LONG, "prompt-too-long: 9 of 8")


def test_a_branch_is_cut_while_its_last_segment_ended_at_a_limit() -> None:
    state = after(started())
    assert not state.branches[BranchId("0")].cut
    cut = Decoded(text="w", finish=Finish.LENGTH)
    apply(state, e.SegmentFinished(segment=1, attempt=1, decoded=cut))
    assert state.branches[BranchId("0")].cut
    apply(state, started(segment=2))
    apply(state, finished(segment=2))
    assert not state.branches[BranchId("0")].cut


def test_a_branch_goes_on_from_its_thought_until_its_turn_is_closed() -> None:
    """Only its own engine is given the thought: neither a later turn nor a child that reads all of it."""

    def thought_of(*events: e.Event) -> tuple[str, str]:
        context = render(after(*events), TRUNK)
        return context.thought, context.continuation

    thinking = Decoded(text="", thought="so", finish=Finish.INTERRUPTED)
    done = Decoded(text="four", thought=" then", finish=Finish.EOS)
    begun = (started(), e.SegmentFinished(segment=1, attempt=1, decoded=thinking))
    wrote = (*begun, started(segment=2), e.SegmentFinished(segment=2, attempt=1, decoded=done))
    assert thought_of(*begun) == ("so", "")
    assert thought_of(*wrote, started(segment=3, inserted=", or")) == ("so then", "four, or")
    assert thought_of(*wrote, started(segment=3, messages=(say("user", "Sure?"),))) == ("", "")
    failed = e.SegmentFinished(segment=2, attempt=1, decoded=replace(done, finish=Finish.ERROR))
    assert thought_of(*begun, started(segment=2), failed) == ("so", "")
    child = forked("0.1")
    reads_all = replace(child, reading=Reading(base=Base.PARENT, cursor=4))
    assert render(after(*wrote, reads_all), BranchId("0.1")).thought == ""
