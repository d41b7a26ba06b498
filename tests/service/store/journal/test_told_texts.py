"""Text of final thoughts, stored before it is told: under its claim alone, and read as it was written."""

import asyncio

from tests.service.store.scenes import claimed

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK
from anabranch.service.store.journal.told_texts import ToldText
from anabranch.service.store.store import Store


def piece(ordinal: int, text: str, at: int = 0) -> ToldText:
    return ToldText(
        branch=TRUNK,
        segment=1,
        ordinal=ordinal,
        thought_at=0,
        thought="",
        text_at=at,
        text=text,
        tokens=ordinal + 1,
        reasoning_tokens=0,
    )


async def test_pieces_are_read_in_their_order(store: Store, other_store: Store) -> None:
    claim = await claimed(store)
    for ordinal in range(12):
        assert await store.told_texts.save({(claim.job, claim.epoch): [piece(ordinal, "x", ordinal)]})
    assert [each.ordinal for each in await other_store.told_texts.read(claim.job)] == list(range(12))


async def test_a_piece_that_was_stored_after_all_may_be_stored_again(store: Store) -> None:
    claim = await claimed(store)
    for text in ("so", "so far"):
        await store.told_texts.save({(claim.job, claim.epoch): [piece(0, text)]})
    assert await store.told_texts.read(claim.job) == [piece(0, "so far")]


async def test_who_has_lost_its_claim_stores_nothing_and_others_in_the_same_transaction_do(
    store: Store, other_store: Store
) -> None:
    mine, other = await claimed(store), await claimed(store)
    await other_store.queue.hand_over("first", 0.0)
    held = await store.told_texts.save(
        {(mine.job, mine.epoch - 1): [piece(0, "late")], (other.job, other.epoch): [piece(0, "well")]}
    )
    assert held == {other.job}
    assert await store.told_texts.read(mine.job) == []
    assert await store.told_texts.read(other.job) == [piece(0, "well")]


async def test_the_text_of_a_job_goes_when_its_journal_has_it_all(store: Store) -> None:
    mine, other = await claimed(store), await claimed(store)
    for claim in (mine, other):
        await store.told_texts.save({(claim.job, claim.epoch): [piece(0, "x")]})
    await store.journal.append(mine.job, mine.epoch, [e.JobCancelled(branch=TRUNK, reason="enough")])
    assert await store.told_texts.read(mine.job) == []
    assert await store.told_texts.read(other.job)


async def test_many_processes_store_at_once(store: Store, other_store: Store) -> None:
    claims = [await claimed(store) for _ in range(4)]
    await asyncio.gather(
        *(
            each.told_texts.save(
                {(claim.job, claim.epoch): [piece(ordinal, "x", ordinal)] for claim in claims}
            )
            for ordinal in range(20)
            for each in (store, other_store)
        )
    )
    for claim in claims:
        assert len(await store.told_texts.read(claim.job)) == 20
