"""Places on a replica: as many as there are, the urgent first, and no job keeps another waiting."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.job import BATCH_PRIORITY
from anabranch.workers.replica.admission import Admission

Decode = tuple[str, int]


async def order(places: int, decodes: Sequence[Decode], *, cancelled: int = 0) -> list[int]:
    """Indices of the decodes in the order in which they got a place; each holds it for one turn of the loop. The first
    few of those that wait give up."""
    admission, began, held = Admission(places), list[int](), 0

    async def decode(index: int, job: str, priority: int) -> None:
        nonlocal held
        async with admission.place(job, priority):
            held += 1
            assert held <= places
            began.append(index)
            await asyncio.sleep(0)
            held -= 1

    tasks = [asyncio.create_task(decode(index, *each)) for index, each in enumerate(decodes)]
    await asyncio.sleep(0)
    for task in tasks[places : places + cancelled]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert admission._free == places
    assert not admission._numbered
    return began


async def test_jobs_take_turns_whoever_came_first() -> None:
    decodes = [("wide", 5)] * 8 + [("small", 5)] * 2
    assert await order(2, decodes) == [0, 1, 2, 8, 3, 9, 4, 5, 6, 7]


async def test_of_one_job_first_come_is_first_served() -> None:
    assert await order(1, [("job", 5)] * 5) == [0, 1, 2, 3, 4]


async def test_the_urgent_go_before_any_turn() -> None:
    assert await order(1, [("a", 5), ("a", 5), ("b", 5), ("b", 0)]) == [0, 3, 1, 2]


async def test_who_was_away_does_not_make_up_for_it() -> None:
    """A job that comes late takes turns with the others from then on; it does not go before them until it is even."""
    admission, began = Admission(1), list[str]()

    async def decode(job: str) -> None:
        async with admission.place(job, 5):
            began.append(job)
            if len(began) == 10:
                late.extend(asyncio.create_task(decode("late")) for _ in range(5))
            await asyncio.sleep(0)

    late: list[asyncio.Task[None]] = []
    await asyncio.gather(*(decode("early") for _ in range(20)))
    await asyncio.gather(*late)
    assert began[10:18].count("late") == 4


@given(
    places=st.integers(1, 4),
    decodes=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=20),
    cancelled=st.integers(0, 5),
)
def test_everybody_gets_a_place_once_and_none_is_lost(
    places: int, decodes: Sequence[Decode], cancelled: int
) -> None:
    began = asyncio.run(order(places, decodes, cancelled=cancelled))
    gave_up = set(range(places, min(places + cancelled, len(decodes))))
    assert len(began) == len(set(began))
    assert set(range(len(decodes))) - gave_up <= set(began)


async def test_no_decode_waits_for_those_of_a_batch() -> None:
    admission, began = Admission(2), list[str]()
    ended = asyncio.Event()

    async def decode(job: str, priority: int) -> None:
        async with admission.place(job, priority):
            began.append(job)
            await ended.wait()

    tasks = [
        asyncio.create_task(decode(*each))
        for each in (
            *(("batch", BATCH_PRIORITY) for _ in range(3)),
            *(("other", 9) for _ in range(3)),
        )
    ]
    await asyncio.sleep(0)
    assert began == ["batch", "batch", "other", "other"]
    ended.set()
    await asyncio.gather(*tasks)
    assert began[4:] == ["other", "batch"]
    assert admission._free == 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from((0, 5, BATCH_PRIORITY))), max_size=30))
async def test_every_place_comes_back_also_beside_batches(decodes: list[Decode]) -> None:
    admission, held = Admission(3), {True: 0, False: 0}

    async def decode(job: str, priority: int) -> None:
        of_batch = priority >= BATCH_PRIORITY
        async with admission.place(job, priority):
            held[of_batch] += 1
            assert held[of_batch] <= 3
            await asyncio.sleep(0)
            held[of_batch] -= 1

    await asyncio.gather(*(decode(*each) for each in decodes))
    assert (admission._free, admission._of_batches, admission._numbered) == (3, 0, {})
