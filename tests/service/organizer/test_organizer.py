"""The walk of a job through the real runtime: claimed, interpreted, journaled, handed over, taken up again."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from tests.service.organizer.conftest import House

from anabranch.dag import events as e
from anabranch.dag.actions import Policy
from anabranch.dag.decoding import Fault, Finish, Structure
from anabranch.dag.job import AnswerFormat, Budget, JobSpec, Problem
from anabranch.dag.journal.replay import replay
from anabranch.dag.policy import _CATALOGUE, policy_named
from anabranch.dag.text import say
from anabranch.service.organizer import loop
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest


def says(text: str) -> Line:
    return Line(text=text)


def forty_two(request: DecodeRequest) -> Line:
    return says("six times seven is 42")


def slowly(request: DecodeRequest) -> Line:
    return says("word " * 400)


async def test_a_job_is_claimed_decoded_voted_on_and_answered(house: House) -> None:
    async with house.organizer(forty_two) as organizer:
        job = await house.submit("self-consistency", {"n": 4})
        organizer.nudge()
        row = await house.ended(job)
    assert (row.status, row.answer and row.answer["text"]) == ("succeeded", "42")
    records = await house.store.journal.read(job)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert replay(records).over
    assert row.metrics is not None
    assert row.metrics["branches"] == 5


async def test_the_journal_keeps_how_likely_the_tokens_of_candidates_were(house: House) -> None:
    asked = AnswerFormat(logprobs=1)
    messages = (say("user", "What is six times seven?"),)
    spec = JobSpec(messages=messages, policy="best-of-n", params={"n": 2}, answer_format=asked)
    async with house.organizer(lambda _: Line(text="It is 42", thought="Hm. It is 42", logprob=-0.5)):
        job = await house.submit_spec(spec)
        await house.ended(job)
    decoded = [event.decoded for event in await house.events(job) if isinstance(event, e.SegmentFinished)]
    told = {tuple(token.token for token in each.token_logprobs) for each in decoded}
    assert told == {("It ", "is ", "42"), ()}  # samples, and those who judge them
    assert replay(await house.store.journal.read(job)).over


async def test_tokens_are_the_same_in_journal_projection_and_metrics(house: House) -> None:
    async with house.organizer(forty_two, speed=200):
        job = await house.submit("self-consistency", {"n": 8})
        row = await house.ended(job)
    finished = [event for event in await house.events(job) if isinstance(event, e.SegmentFinished)]
    journal = sum(event.decoded.usage.completion_tokens for event in finished)
    projected = sum(branch.usage.completion_tokens for branch in await house.store.jobs.list_branches(job))
    assert row.metrics is not None
    assert journal == projected == row.usage.completion_tokens == row.metrics["total_tokens"]


async def test_a_fork_is_one_call_of_the_pool(house: House) -> None:
    """All eight samples are handed over at once, each with its own seed and the job's trace."""
    async with house.organizer(forty_two):
        await house.ended(await house.submit("self-consistency", {"n": 8}))
    assert len({request.submitted for request in house.asked}) <= 8
    assert len({request.seed for request in house.asked}) == 8
    assert {request.trace["traceparent"].split("-")[1] for request in house.asked} == {"a" * 32}


async def test_the_organizer_forks_while_it_decodes_and_joins_wait(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        if request.key.branch != "0":
            return says("<RETURN>42</RETURN>")
        if "<JOIN-1>" in request.context.continuation:
            return says("so <ANSWER>42</ANSWER>")
        return says("I ask. <FORK-1>What is six times seven?</FORK-1> Meanwhile I wait. <JOIN-1>")

    async with house.organizer(script):
        row = await house.ended(await house.submit("async-think", {"assist": "none"}))
    assert row.answer is not None
    assert (row.answer["text"], row.answer["sources"]) == ("42", ["0.1"])


async def test_losers_are_stopped_in_the_engine_and_their_tokens_counted(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        return says("word " * 5000 if request.key.branch == "0.3" else "42")

    async with house.organizer(script, speed=500):
        job = await house.submit("self-consistency", {"n": 3})
        await house.ended(job)
    [aborted] = [
        event.decoded
        for event in await house.events(job)
        if isinstance(event, e.SegmentFinished) and event.decoded.finish is Finish.ABORT
    ]
    assert 0 < aborted.usage.completion_tokens < 400
    assert aborted.text.split() == ["word"] * aborted.usage.completion_tokens


async def test_a_failed_branch_is_tried_again_and_the_journal_tells(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        if request.key.branch == "0.1" and request.key.segment == 1:
            return Line(text="half of it", fault=Fault(cause="engine-error", detail="boom"), after=2)
        return says("42")

    async with house.organizer(script):
        job = await house.submit("self-consistency", {"n": 2, "stop": "all"})
        await house.ended(job)
    kinds = Counter(type(event).__name__ for event in await house.events(job))
    assert (kinds["BranchRetried"], kinds["BranchFailed"]) == (1, 0)


async def test_a_cancel_stops_the_engine_and_ends_the_job(house: House) -> None:
    async with house.organizer(slowly, speed=100) as organizer:
        job = await house.submit("self-consistency", {"n": 2})
        await house.until(job, lambda row: row.started_at is not None)
        await asyncio.sleep(0.1)
        await house.store.jobs.request_cancel(job, "no longer needed")
        organizer.nudge()
        row = await house.ended(job)
    assert row.status == "cancelled"
    assert 0 < row.usage.completion_tokens < 800


async def test_nothing_on_the_way_from_a_cancel_to_the_engine_polls(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is done every so often is done once in an age here: only what is told gets on."""
    monkeypatch.setattr(loop, "POLL_SECONDS", 1e6)
    async with house.organizer(slowly, speed=50, lease=1e6) as organizer:
        job = await house.submit("sequential")
        organizer.nudge(job)
        await house.until(job, lambda _: bool(house.asked))
        await house.store.jobs.request_cancel(job, "enough")
        organizer.nudge(job)
        assert (await house.ended(job)).status == "cancelled"
        assert organizer.load().decoding == 0


async def test_a_job_that_was_cancelled_in_the_queue_never_decodes(house: House) -> None:
    job = await house.submit("sequential")
    await house.store.jobs.request_cancel(job, "changed my mind")
    async with house.organizer(forty_two):
        row = await house.ended(job)
    assert row.status == "cancelled"
    assert house.asked == []


async def test_a_drained_organizer_hands_its_job_over_and_no_text_is_decoded_twice(house: House) -> None:
    job = await house.submit("sequential")
    async with house.organizer(slowly, speed=100, name="first"):
        await house.until(job, lambda row: row.started_at is not None)
        await asyncio.sleep(0.3)

    def rest(request: DecodeRequest) -> Line:
        return says("and done")

    async with house.organizer(rest, name="second"):
        row = await house.ended(job)
    assert row.answer is not None
    assert row.answer["text"].startswith("word word")
    assert row.answer["text"].endswith("and done")
    events = await house.events(job)
    assert [event.owner for event in events if isinstance(event, e.JobClaimed)] == ["first", "second"]
    assert replay(await house.store.journal.read(job)).over


@pytest.mark.parametrize("structure", [None, Structure(choice=("41", "42"))], ids=["free", "structured"])
async def test_what_is_handed_over_before_anything_came_of_it_begins_as_it_began(
    house: House, structure: Structure | None
) -> None:
    """It was queued, and nothing of it is lost: no attempt is counted."""
    messages = (say("user", "What is six times seven?"),)
    held_to = AnswerFormat(structure=structure)
    spec = JobSpec(messages=messages, policy="self-consistency", params={"n": 3}, answer_format=held_to)
    job = await house.submit_spec(spec)
    begun: list[DecodeRequest] = []

    def begins(request: DecodeRequest) -> bool:
        begun.append(request)
        return True

    async with house.organizer(forty_two, name="first", stuck=begins), asyncio.timeout(10):
        while len(begun) < 3:
            await asyncio.sleep(0.01)
    async with house.organizer(forty_two, name="second"):
        row = await house.ended(job)
    assert row.status == "succeeded"
    assert [event for event in await house.events(job) if isinstance(event, e.BranchRetried)] == []
    first, second = (
        [(each.key.branch, each.context, each.decoding, each.seed) for each in asked]
        for asked in (begun, house.asked)
    )
    assert first == second


async def test_a_deadline_makes_the_policy_answer_from_what_there_is(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        return says("42" if request.key.branch == "0.1" else "word " * 5000)

    async with house.organizer(script, speed=200):
        job = await house.submit("self-consistency", {"n": 4, "stop": "all"}, budget=Budget(seconds=1.0))
        row = await house.ended(job)
    assert row.answer is not None
    assert row.answer["text"] == "42"
    events = await house.events(job)
    assert [event.spent for event in events if isinstance(event, e.WindUpRequested)] == [0.8]
    assert not [event for event in events if isinstance(event, e.BudgetExceeded)], (
        "it ended within its budget"
    )


async def test_a_gate_parks_the_job_without_an_organizer_and_a_decision_wakes_it(house: House) -> None:
    job = await house.submit("self-consistency", {"n": 2}, approvals=("answer",))
    async with house.organizer(forty_two, name="first"):
        await house.until(job, lambda row: row.status == "waiting")
    [gate] = await house.store.jobs.list_approvals("pending")
    assert gate.subject == "42"
    async with house.organizer(forty_two, name="second"):
        await house.store.jobs.decide_approval(gate.id, "edit", edit="forty-two", by="ada")
        row = await house.ended(job)
    assert row.answer is not None
    assert row.answer["text"] == "forty-two"
    assert len(house.asked) == 2  # nothing was decoded again


async def test_a_job_goes_on_under_another_version_of_its_policy_that_does_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = await house.submit("self-consistency", {"n": 3})
    async with house.organizer(slowly, speed=50):
        await house.until(job, lambda row: row.started_at is not None and row.head_seq > 4)
    began = policy_named("self-consistency").version
    monkeypatch.setattr("anabranch.dag.policy.version_of", lambda module: "newer")
    with caplog.at_level("INFO", "anabranch"):
        async with house.organizer(forty_two):
            row = await house.ended(job)
    assert (row.status, row.policy_version) == ("succeeded", began)
    assert f"began under version {began} of policy self-consistency and goes on under newer" in caplog.text
    assert replay(await house.store.journal.read(job)).over


async def test_a_job_whose_policy_truly_decides_otherwise_ends_and_names_the_first_event(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No silent divergence: the job fails, its journal is kept, and the error says what to do."""
    job = await house.submit("self-consistency", {"n": 3})
    async with house.organizer(slowly, speed=50):
        await house.until(job, lambda row: row.started_at is not None and row.head_seq > 4)
    other = replace(policy_named("sequential"), name="self-consistency")
    monkeypatch.setitem(_CATALOGUE, "self-consistency", replace(other, function=_one_line_of_thought))
    async with house.organizer(forty_two):
        row = await house.ended(job)
    assert row.error is not None
    assert row.error["type"] == "policy-changed"
    forked = next(r for r in await house.store.journal.read(job) if isinstance(r.event, e.BranchForked))
    assert (
        f"Event {forked.seq} is the first that differs: the journal has BranchForked" in row.error["detail"]
    )
    assert "submit the job again" in row.error["detail"]
    assert (await house.store.maintenance.audit(job)).sound


def _one_line_of_thought(problem: Problem, *, n: int) -> Policy:
    """What self-consistency is not."""
    return policy_named("sequential").start(problem, {})


async def test_a_job_whose_policy_cannot_even_be_started_any_more_ends_with_the_reason(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parameter was renamed."""
    job = await house.submit("self-consistency", {"n": 3})
    async with house.organizer(slowly, speed=50):
        await house.until(job, lambda row: row.started_at is not None and row.head_seq > 4)
    other = replace(policy_named("sequential"), name="self-consistency")
    monkeypatch.setitem(_CATALOGUE, "self-consistency", other)
    async with house.organizer(forty_two):
        row = await house.ended(job)
    assert row.error is not None
    assert row.error["type"] == "policy-changed"
    assert "unexpected keyword argument 'n'" in row.error["detail"]


async def test_a_job_whose_policy_is_not_installed_here_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await house.submit("sequential")
    monkeypatch.delitem(_CATALOGUE, "sequential")
    async with house.organizer(forty_two):
        row = await house.ended(job)
    assert row.error is not None
    assert row.error["type"] == "policy-missing"
    assert "there is no policy 'sequential'" in row.error["detail"]


async def test_an_ended_job_has_its_trace_in_the_store(house: House) -> None:
    async with house.organizer(forty_two):
        job = await house.submit("self-consistency", {"n": 2, "stop": "all"})
        await house.ended(job)
        async with asyncio.timeout(5):
            while not (spans := await house.store.spans.read(job)):
                await asyncio.sleep(0.01)
    assert {span.trace_id for span in spans} == {"a" * 32}
    assert sum(span.name.startswith("chat") for span in spans) == 2
