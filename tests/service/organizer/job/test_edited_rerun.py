"""An edited re-run decodes what depends on the edit, and nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.service.organizer.conftest import House

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import Lineage
from anabranch.dag.journal.replay import replay
from anabranch.workers.engines.script import Line, Script, rendered
from anabranch.workers.messages import DecodeRequest

PLANNER, A, B, C, SYNTHESIS = "0.1", "0.2", "0.3", "0.4", "0.5"


def plan(c: str = "Find C from A.") -> str:
    tasks = [
        {"id": "a", "question": "Find A.", "after": []},
        {"id": "b", "question": "Find B.", "after": []},
        {"id": "c", "question": c, "after": ["a"]},
    ]
    return json.dumps({"subtasks": tasks, "synthesis": "Add them."})


def by_plan(request: DecodeRequest) -> Line:
    if request.key.branch == PLANNER:
        return Line(text=plan())
    return Line(text=f"Branch {request.key.branch} read {len(rendered(request.context))} characters.")


async def origin_of(house: House, policy: str, script: Script, **params: Any) -> JobId:
    async with house.organizer(script):
        job = await house.submit(policy, params)
        await house.ended(job)
    house.asked.clear()
    return job


async def submit_edited(house: House, origin: JobId, branch: str, output: str) -> JobId:
    spec = (await house.store.jobs.get(origin)).spec
    return await house.submit_spec(
        replace(spec, lineage=Lineage(job=origin, branch=BranchId(branch), output=output))
    )


@pytest.mark.parametrize(
    ("branch", "output", "decoded"),
    [
        (B, "B is forty-one.", {SYNTHESIS}),
        (A, "A is forty-one.", {C, SYNTHESIS}),
        (C, "C is forty-one.", {SYNTHESIS}),
        (PLANNER, plan("Find C from A, carefully."), {C, SYNTHESIS}),
        (PLANNER, plan(), set()),
    ],
)
async def test_only_what_reads_the_edit_is_decoded(
    house: House, branch: str, output: str, decoded: set[str]
) -> None:
    origin = await origin_of(house, "plan", by_plan)
    async with house.organizer(by_plan):
        job = await submit_edited(house, origin, branch, output)
        row = await house.ended(job)
    assert row.status == "succeeded"
    assert {request.key.branch for request in house.asked} == decoded
    for event in await house.events(job):
        if isinstance(event, e.SegmentFinished):
            told = event.decoded
            assert (told.recalled_from == origin) == (event.branch not in decoded)
            assert (told.usage.completion_tokens == 0) == (event.branch not in decoded)
            assert event.branch != branch or told.text == output
    assert replay(await house.store.journal.read(job)).over
    assert (await house.store.maintenance.audit(job)).sound


async def test_the_edit_is_what_dependents_read(house: House) -> None:
    origin = await origin_of(house, "plan", by_plan)
    async with house.organizer(by_plan):
        await house.ended(await submit_edited(house, origin, A, "A is forty-one."))
    assert all("A is forty-one." in rendered(request.context) for request in house.asked)


async def test_an_edited_sample_changes_the_vote_and_nothing_is_decoded(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        return Line(text="\\boxed{7}" if request.key.branch == "0.1" else "\\boxed{42}")

    origin = await origin_of(house, "self-consistency", script, n=3, stop="all")
    async with house.organizer(script):
        first = await house.ended(await submit_edited(house, origin, "0.2", "\\boxed{7}"))
    assert first.answer is not None
    assert first.answer["text"] == "7"
    assert house.asked == []
    assert first.usage.completion_tokens == 0


async def test_an_edit_of_tagged_text_is_cut_at_its_tags(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        if request.key.branch != "0":
            return Line(text="<RETURN>41</RETURN>")
        if "<JOIN-1>" in request.context.continuation:
            return Line(text="so <ANSWER>41</ANSWER>")
        return Line(text="I ask. <FORK-1>What is six times seven?</FORK-1> Meanwhile I wait. <JOIN-1>")

    origin = await origin_of(house, "async-think", script, assist="none")
    async with house.organizer(script):
        job = await submit_edited(house, origin, "0.1", "<RETURN>42</RETURN>")
        row = await house.ended(job)
    assert row.status == "succeeded"
    assert [request.key.branch for request in house.asked] == ["0"]
    assert "42" in house.asked[0].context.continuation
    [worker] = [branch for branch in await house.store.jobs.list_branches(job) if branch.branch == "0.1"]
    assert worker.value == "42"


async def test_an_edited_rerun_survives_its_organizer(house: House) -> None:
    def slowly(request: DecodeRequest) -> Line:
        return Line(text="word " * 400)

    origin = await origin_of(house, "plan", by_plan)
    async with house.organizer(slowly, speed=50, name="first"):
        job = await submit_edited(house, origin, B, "B is forty-one.")
        async with house.organizer(slowly, speed=50, name="idle"):
            await house.until(job, lambda row: row.head_seq > 20)
    async with house.organizer(by_plan, name="second"):
        row = await house.ended(job)
    assert row.status == "succeeded"
    assert {request.key.branch for request in house.asked} == {SYNTHESIS}


async def test_a_rerun_whose_origin_is_gone_says_so(house: House) -> None:
    async with house.organizer(by_plan):
        spec = (await house.store.jobs.get(await house.submit("plan"))).spec
        lineage = Lineage(job=JobId("0" * 36), branch=BranchId(B), output="?")
        row = await house.ended(await house.submit_spec(replace(spec, lineage=lineage)))
    assert row.error is not None
    assert row.error["type"] == "origin-gone"
