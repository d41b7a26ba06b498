"""Rows of branches and segments say what the state of the job says, whether events come at once or one by one."""

from datetime import UTC, datetime

import pytest
from tests.service.store.scenes import answered, claimed, finished, forked, rows_of, started

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Timing, Usage
from anabranch.dag.ids import BranchId
from anabranch.service.store.store import Store

A = BranchId("0.1")
ASKED = e.ApprovalRequested(branch=A, approval=1, gate="fork", subject="?")
STEPS: tuple[tuple[e.Event, str], ...] = (
    (forked(1)[0], "queued"),
    (started(A), "decoding"),
    (finished(A), "open"),
    (started(A, 2), "decoding"),
    (finished(A, segment=2), "open"),
    (ASKED, "waiting"),
    (e.ApprovalDecided(branch=A, approval=1, decision=e.Choice.APPROVE), "open"),
    (started(A, 3), "decoding"),
)


@pytest.mark.parametrize("upto", range(1, len(STEPS) + 1))
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_branch_is_where_its_events_led_it(store: Store, upto: int, at_once: bool) -> None:
    claim = await claimed(store)
    events = [event for event, _ in STEPS[:upto]]
    for some in [events] if at_once else [[event] for event in events]:
        await store.journal.append(claim.job, claim.epoch, some)
    _, row = await store.jobs.list_branches(claim.job)
    assert (row.branch, row.status, row.attempts) == (A, STEPS[upto - 1][1], 1)
    ends = sum(isinstance(event, e.SegmentFinished) for event in events)
    spent = Usage(prompt_tokens=20 * ends, cached_tokens=16 * ends, completion_tokens=5 * ends)
    assert row.usage == (await store.jobs.get(claim.job)).usage == spent


async def test_a_branch_that_is_tried_again_counts_its_attempts(store: Store) -> None:
    claim = await claimed(store)
    again = e.BranchRetried(branch=A, attempt=2, cause="engine-error")
    await store.journal.append(claim.job, claim.epoch, [*forked(1), again])
    assert [row.attempts for row in await store.jobs.list_branches(claim.job)] == [1, 2]


@pytest.mark.parametrize("at_once", [True, False])
async def test_its_first_token_is_that_of_the_first_segment_that_had_one(store: Store, at_once: bool) -> None:
    claim = await claimed(store)

    def ends(segment: int, first_token: float) -> e.SegmentFinished:
        decoded = Decoded(text="w", finish=Finish.EOS, timing=Timing(first_token=first_token))
        return e.SegmentFinished(branch=A, segment=segment, attempt=1, decoded=decoded)

    events = [
        *forked(1),
        *(e for n, at in ((1, 0.0), (2, 20.0), (3, 30.0)) for e in (started(A, n), ends(n, at))),
    ]
    for some in [events] if at_once else [[event] for event in events]:
        await store.journal.append(claim.job, claim.epoch, some)
    _, row = await store.jobs.list_branches(claim.job)
    assert row.first_token_at == datetime.fromtimestamp(20.0, UTC)


@pytest.mark.parametrize(("told", "kept"), [(0.0, False), (0.5, True), (253402300800.0, False)])
async def test_a_time_that_no_clock_tells_is_none(store: Store, told: float, kept: bool) -> None:
    claim = await claimed(store)
    decoded = Decoded(text="w", finish=Finish.EOS, timing=Timing(submitted=told))
    ended = e.SegmentFinished(branch=A, segment=1, attempt=1, decoded=decoded)
    await store.journal.append(claim.job, claim.epoch, [*forked(1), started(A), ended])
    [row] = await rows_of(store, "SELECT submitted_at FROM segments")
    assert (row[0] is not None) is kept


async def test_an_answer_that_was_cut_says_so_and_others_say_nothing(store: Store) -> None:
    answers = []
    for truncated in (True, False):
        claim = await claimed(store)
        answer = e.AnswerCommitted(text="42", truncated=truncated)
        await store.journal.append(claim.job, claim.epoch, [answer, *answered()[1:]])
        answers.append((await store.jobs.get(claim.job)).answer)
    assert [answer and answer.get("truncated") for answer in answers] == [True, None]
