"""Several streams are read at once: all that they give, in each one's order, and all are closed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from anabranch.service.api.answering.merging import merge


async def test_all_is_given_in_each_streams_order() -> None:
    async def stream(name: str) -> AsyncGenerator[str]:
        for number in range(3):
            await asyncio.sleep(0)
            yield f"{name}{number}"

    given = [each async for each in merge([stream("a"), stream("b")])]
    assert sorted(given) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert [each for each in given if each[0] == "a"] == ["a0", "a1", "a2"]


async def test_who_leaves_early_closes_all() -> None:
    closed = []

    async def endless(name: str) -> AsyncGenerator[str]:
        try:
            yield name
            await asyncio.Event().wait()
        finally:
            closed.append(name)

    async with aclosing(merge([endless("a"), endless("b")])) as merged:
        await anext(merged)
        await anext(merged)
    assert sorted(closed) == ["a", "b"]


async def test_what_one_raises_is_raised_when_all_have_ended() -> None:
    async def broken() -> AsyncGenerator[str]:
        yield "a"
        raise RuntimeError("broken")

    async def whole() -> AsyncGenerator[str]:
        for _ in range(5):
            await asyncio.sleep(0)
        yield "b"

    given = []

    async def read() -> None:
        async for each in merge([broken(), whole()]):
            given.append(each)  # noqa: PERF401 - what came before the fault is what is tested

    with pytest.raises(RuntimeError, match="broken"):
        await read()
    assert given == ["a", "b"]


async def test_a_slow_reader_holds_the_streams_up() -> None:
    given = 0

    async def quick() -> AsyncGenerator[int]:
        nonlocal given
        for number in range(1000):
            given += 1
            yield number

    async with aclosing(merge([quick(), quick()])) as merged:
        await anext(merged)
        for _ in range(50):
            await asyncio.sleep(0)
        assert given <= 5
