"""Checkpoints: the last one of each branch, of one job alone, gone when it is told."""

from dataclasses import replace

from tests.service.store.scenes import claimed

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.service.store.rows import Checkpoint
from anabranch.service.store.store import Store

A, B = BranchId("0.1"), BranchId("0.2")


def checkpoint(branch: BranchId, text: str, segment: int = 1, attempt: int = 1) -> Checkpoint:
    return Checkpoint(branch=branch, segment=segment, attempt=attempt, text=text, tokens=len(text.split()))


async def test_a_branch_has_its_last_checkpoint(store: Store, other_store: Store) -> None:
    job = (await claimed(store)).job
    await store.checkpoints.save(job, [checkpoint(A, "one"), checkpoint(B, "two")])
    later = checkpoint(A, "one more", segment=2, attempt=3)
    await store.checkpoints.save(job, [later])
    assert await other_store.checkpoints.read(job) == {A: later, B: checkpoint(B, "two")}


async def test_a_thought_is_kept_beside_the_text(store: Store) -> None:
    job = (await claimed(store)).job
    thinking = replace(checkpoint(A, "four"), thought="two\nand two", reasoning_tokens=3)
    await store.checkpoints.save(job, [thinking])
    assert await store.checkpoints.read(job) == {A: thinking}


async def test_what_a_second_decode_has_cost_is_kept_beside_the_first(store: Store) -> None:
    job = (await claimed(store)).job
    twice = replace(checkpoint(A, "four"), second_tokens=7, second_reasoning_tokens=5)
    await store.checkpoints.save(job, [twice])
    assert await store.checkpoints.read(job) == {A: twice}


async def test_nothing_to_save_is_nothing_done(store: Store) -> None:
    job = (await claimed(store)).job
    await store.checkpoints.save(job, [])
    assert await store.checkpoints.read(job) == {}


async def test_the_checkpoints_of_a_job_go_with_its_last_event(store: Store) -> None:
    mine, other = await claimed(store), await claimed(store)
    await store.checkpoints.save(mine.job, [checkpoint(A, "mine")])
    await store.checkpoints.save(other.job, [checkpoint(A, "other")])
    await store.journal.append(mine.job, mine.epoch, [e.JobCancelled(branch=TRUNK, reason="enough")])
    assert await store.checkpoints.read(mine.job) == {}
    assert await store.checkpoints.read(other.job) == {A: checkpoint(A, "other")}
