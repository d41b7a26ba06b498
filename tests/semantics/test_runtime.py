"""Those of the semantics that only the real runtime can break: store, organizer, one scripted engine."""

import asyncio

import pytest
from tests.service.organizer.conftest import House

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.ids import BranchId
from anabranch.dag.job import JobSpec
from anabranch.dag.journal.replay import replay
from anabranch.dag.text import say
from anabranch.service.store.errors import AlreadyDecided, Fenced, JobEnded
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest

TRAINED = {"assist": "none"}
PLAN = "<Parallel><Outlines><Outline>1: a</Outline><Outline>2: b</Outline></Outlines>"


def says(text: str) -> Line:
    return Line(text=text)


def contexts(house: House, branch: str) -> list[str]:
    return [request.context.continuation for request in house.asked if request.key.branch == branch]


async def test_02_a_join_of_a_failed_branch_is_answered_with_a_line_that_says_why(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        if request.key.branch == "0.1":
            return Line(text="", fault=Fault(cause="refused", detail="not here", retryable=False))
        joined = "<JOIN-1>" in request.context.continuation
        return says("<ANSWER>42</ANSWER>" if joined else "<FORK-1>a</FORK-1> <JOIN-1>")

    async with house.organizer(script):
        row = await house.ended(await house.submit("async-think", TRAINED))
    assert row.status == "succeeded"
    assert contexts(house, "0")[1].endswith("<JOIN-1>[no result: refused: not here]</JOIN-1>\n")


async def test_03_an_answer_stops_what_lives_and_nothing_is_written_behind_the_end(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        if request.key.branch == "0":
            return says("<FORK-1>a</FORK-1> " + "word " * 20 + "<ANSWER>42</ANSWER>")
        return says("word " * 5000)

    async with house.organizer(script, speed=200):
        row = await house.ended(await house.submit("async-think", TRAINED))
    events = await house.events(row.id)
    assert isinstance(events[-1], e.JobSucceeded)
    assert row.metrics is not None
    assert 0 < row.metrics["waste_tokens"] < 500
    assert row.metrics["critical_path_tokens"] + row.metrics["waste_tokens"] == row.metrics["total_tokens"]
    late = e.SegmentFinished(
        branch=BranchId("0.1"),
        segment=2,
        attempt=1,
        decoded=Decoded(text="late", finish=Finish.EOS, usage=Usage()),
    )
    for epoch in (row.epoch, row.epoch - 1):
        with pytest.raises((Fenced, JobEnded)):
            await house.store.journal.append(row.id, epoch, [late])


async def test_15_a_cancelled_branch_is_stopped_in_the_engine_and_what_it_wrote_is_read(house: House) -> None:
    """ParaThinker's losers: a fraction of their text was decoded, and exactly that stands in the summary's context."""

    def script(request: DecodeRequest) -> Line:
        if request.key.branch == "0.1":
            return says("quick " * 20)
        return says("word " * 5000 if request.key.branch == "0.2" else "it is 42")

    async with house.organizer(script, speed=200):
        job = await house.submit("para-thinker", {"paths": 2})
        row = await house.ended(job)
    assert row.answer is not None and row.answer["text"] == "it is 42"
    [aborted] = [
        event.decoded
        for event in await house.events(job)
        if isinstance(event, e.SegmentFinished) and event.decoded.finish is Finish.ABORT
    ]
    assert 0 < aborted.usage.completion_tokens < 400
    summary = next(request for request in house.asked if request.key.branch == "0.3")
    assert f"Line 2:\n{aborted.text}\n\n" in summary.context.messages[-1][1]


async def test_15_exactly_one_ending_whoever_cancels_and_finishes_at_once(house: House) -> None:
    async with house.organizer(lambda request: says("word " * 8 + "42"), speed=300) as organizer:
        jobs = [await house.submit("self-consistency", {"n": 3}) for _ in range(12)]
        for number, job in enumerate(jobs):
            await asyncio.sleep(0.004 * number)
            await house.store.jobs.request_cancel(job, "enough")
            await house.store.jobs.request_cancel(job, "enough")
            organizer.nudge()
        rows = [await house.ended(job) for job in jobs]
    assert {row.status for row in rows} <= {"succeeded", "cancelled"}
    for job in jobs:
        records = await house.store.journal.read(job)
        assert replay(records).over
        endings = [r.event.branch for r in records if isinstance(r.event, e.TERMINAL_OF_BRANCH)]
        assert len(endings) == len(set(endings))
        assert sum(isinstance(r.event, e.TERMINAL_OF_JOB) for r in records) == 1


async def test_16_a_retry_asks_for_the_same_again_and_only_its_text_counts(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        if request.key.branch == "0.1" and request.key.segment == 1:
            return Line(text="six times seven is 13", fault=Fault(cause="engine-error"), after=4)
        return says("42")

    async with house.organizer(script):
        row = await house.ended(await house.submit("self-consistency", {"n": 1}))
    first, second = (request for request in house.asked if request.key.branch == "0.1")
    assert (first.context, first.seed, first.decoding) == (second.context, second.seed, second.decoding)
    assert second.key.segment == 2
    assert row.answer is not None and row.answer["text"] == "42"
    assert row.metrics is not None and row.metrics["total_tokens"] == 5  # what failed was paid, too


async def test_17_who_takes_over_goes_on_where_the_journal_ends(house: House) -> None:
    """The first organizer goes while both threads are decoded: nothing of the plan is asked again, threads begin anew
    (text under a grammar cannot be entered midway), and the join is the same."""

    def slow(request: DecodeRequest) -> Line:
        return says(PLAN if request.key.branch == "0" else " " + "word " * 400)

    def rest(request: DecodeRequest) -> Line:
        return says("so 42" if request.key.branch == "0" else f" {request.key.branch}</Thread>")

    job = await house.submit("thread-weaver", TRAINED)
    async with house.organizer(slow, speed=100, name="first"):
        async with asyncio.timeout(20):
            while len(house.asked) < 3:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
    async with house.organizer(rest, name="second"):
        row = await house.ended(job)
    assert [request.key.branch for request in house.asked] == ["0", "0.1", "0.2", "0.1", "0.2", "0"]
    assert (
        contexts(house, "0")[1] == PLAN + "\n<Thread>\n1: 0.1</Thread><Thread>\n2: 0.2</Thread>\n</Parallel>"
    )
    assert row.answer is not None and row.answer["text"] == "so 42"
    assert replay(await house.store.journal.read(job)).over


async def test_20_threads_ask_for_the_replica_of_their_parent(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        if request.key.branch != "0":
            return says(" x</Thread>")
        return says(PLAN if request.key.segment == 1 else "so 42")

    async with house.organizer(script):
        job = await house.submit("thread-weaver", TRAINED)
        await house.ended(job)
    assert {request.affinity for request in house.asked} == {f"{job}/0"}


async def test_24_a_parked_job_is_in_nobodys_hands_and_the_first_decision_stands(house: House) -> None:
    async with house.organizer(lambda request: says("it is 42")) as organizer:
        job = await house.submit("sequential", approvals=("answer",))
        await house.until(job, lambda row: row.status == "waiting")
        async with asyncio.timeout(10):
            while organizer._held:
                await asyncio.sleep(0.01)
        [gate] = await house.store.jobs.list_approvals("pending")
        await house.store.jobs.decide_approval(gate.id, "approve", by="ada")
        with pytest.raises(AlreadyDecided):
            await house.store.jobs.decide_approval(gate.id, "reject", by="bob")
        await house.ended(job)
    [decided] = [event for event in await house.events(job) if isinstance(event, e.ApprovalDecided)]
    assert (decided.decision, decided.by) == ("approve", "ada")


async def test_26_one_tenants_many_jobs_do_not_starve_anothers(house: House) -> None:
    spec = JobSpec(messages=(say("user", "q"),), policy="sequential")
    wide = [await house.submit_spec(spec, tenant="wide") for _ in range(10)]
    late = await house.submit_spec(spec, tenant="late")
    claimed = [claim.job for claim in await house.store.queue.claim("me", 60.0, 4, 2)]
    assert late in claimed
    assert len(set(claimed) & set(wide)) == 2
