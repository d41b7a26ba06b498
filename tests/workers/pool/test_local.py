"""The worker pool's promises, on one engine in this process. `test_serve.py` holds the real pool to the same."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.workers.conftest import Listener, RequestFor, fault_in, tag_in

from anabranch.dag.decoding import Fault, Finish
from anabranch.workers.engines.protocol import Capabilities, Chunk
from anabranch.workers.engines.script import Line, Rule, Rules
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.errors import EngineDead
from anabranch.workers.messages import DecodeRequest, Message, TextPiece
from anabranch.workers.pool.local import LocalPool
from anabranch.workers.prefixes import keys_of, text_of


def says(*lines: str | tuple[str, Line], **settings: Any) -> LocalPool:
    """A pool whose engine answers by branch: says(("0.1", "text"), …), or one text for all."""
    rules = [
        Rule(line=Line(text=line)) if isinstance(line, str) else Rule(branch=line[0], line=line[1])
        for line in lines
    ]
    pool_settings = {
        name: settings.pop(name)
        for name in ("max_decodes", "text_interval", "stall_seconds")
        if name in settings
    }
    return LocalPool(ScriptedEngine(Rules(tuple(rules)), **settings), **pool_settings)


FOREVER = "again " * 100_000

Opened = Callable[[LocalPool], LocalPool]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Closes every pool a test makes."""
    pools: list[LocalPool] = []

    def opened(pool: LocalPool) -> LocalPool:
        pools.append(pool)
        return pool

    yield opened
    for pool in pools:
        await pool.close()


async def test_requests_given_together_all_end(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says("one two three"))
    requests = [request_for(f"0.{n}") for n in range(1, 17)]
    pool.start(requests, listener)
    ends = await listener.all_end(requests)

    assert set(ends) == {request.key for request in requests}
    for key, end in ends.items():
        assert (end.decoded.text, end.decoded.finish) == ("one two three", Finish.EOS)
        assert (end.decoded.usage.completion_tokens, end.decoded.usage.prompt_tokens) == (3, 2)
        assert (end.decoded.engine, end.decoded.replica) == ("scripted", "local")
        assert listener.text(key) == "one two three"
    assert pool.replica.describe().calls == 1


async def test_stages_are_timed(opened: Opened, listener: Listener, request_for: RequestFor) -> None:
    pool = opened(says("one two"))
    request = request_for(submitted=5.0)
    pool.start([request], listener)
    timing = (await listener.all_end([request]))[request.key].decoded.timing

    assert timing.submitted == 5.0
    assert 5.0 < timing.admitted <= timing.scheduled <= timing.first_token <= timing.finished


async def test_a_grammar_cuts_the_stream(opened: Opened, listener: Listener, request_for: RequestFor) -> None:
    pool = opened(says("ask <FORK-1>two</FORK-1> more <JOIN-1> over shot words", chunk_tokens=3))
    request = request_for(grammar="async-think")
    pool.start([request], listener)
    await listener.all_end([request])
    first, last = listener.segments()

    assert (first.decoded.text, first.decoded.open) == ("ask <FORK-1>two</FORK-1>", True)
    assert (last.segment, last.decoded.text, last.decoded.open) == (1, " more <JOIN-1>", False)
    assert (last.decoded.finish, tag_in(last.decoded).kind) == (Finish.TAG, "join")
    assert first.decoded.usage.completion_tokens == 3
    assert last.decoded.usage.completion_tokens + last.decoded.overshoot_tokens == 3


async def test_an_unknown_grammar_is_refused_for_good(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says("anything"))
    request = request_for(grammar="klingon")
    pool.start([request], listener)
    fault = fault_in((await listener.all_end([request]))[request.key].decoded)

    assert (fault.cause, fault.retryable) == ("refused", False)
    assert "klingon" in fault.detail


async def test_text_travels_in_batches_not_tokens(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says("word " * 1000, text_interval=0.05))
    request = request_for(max_tokens=1000)
    pool.start([request], listener)
    await listener.all_end([request])

    pieces = [message for message in listener.heard if isinstance(message, TextPiece)]
    assert len(pieces) < 100
    assert pieces[-1].tokens == 1000


async def test_a_decode_that_stalls_ends_so_that_it_is_tried_elsewhere(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(
        says(("0.1", Line(text="too slow")), ("*", Line(text="")), tokens_per_second=0.01, stall_seconds=0.2)
    )
    slow, quick = request_for("0.1"), request_for("0.2")
    pool.start([slow, quick], listener)
    ends = await listener.all_end([slow, quick])
    assert ends[quick.key].decoded.finish is Finish.EOS
    stalled = ends[slow.key].decoded
    assert stalled.finish is Finish.ERROR
    assert (fault_in(stalled).cause, fault_in(stalled).retryable) == ("timeout", True)
    assert pool.load().decoding == 0


async def test_a_decode_that_goes_on_may_take_longer_than_a_stall(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says("one two three four five six", tokens_per_second=10, stall_seconds=0.4))
    request = request_for()
    pool.start([request], listener)
    ends = await listener.all_end([request])
    assert ends[request.key].decoded.finish is Finish.EOS


async def test_aborting_five_of_eight_leaves_three(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says(("0.[1-5]", Line(text=FOREVER)), ("*", Line(text="soon done")), tokens_per_second=200))
    requests = [request_for(f"0.{n}", max_tokens=10**6) for n in range(1, 9)]
    long = [request.key for request in requests[:5]]
    pool.start(requests, listener)
    await listener.until(lambda: all(listener.text(key) for key in long))
    pool.abort(long)
    pool.abort(long)
    ends = await listener.all_end(requests)

    for key in long:
        decoded = ends.pop(key).decoded
        assert decoded.finish is Finish.ABORT
        assert decoded.usage.completion_tokens == len(decoded.text.split()) > 0
        assert listener.text(key) == decoded.text
    assert {end.decoded.finish for end in ends.values()} == {Finish.EOS}
    assert pool.load().decoding == 0


async def test_a_decode_aborted_before_it_began_ends_too(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says(FOREVER))
    request = request_for(max_tokens=10**6)
    pool.start([request], listener)
    pool.abort([request.key])
    decoded = (await listener.all_end([request]))[request.key].decoded

    assert (decoded.finish, decoded.text, decoded.usage.completion_tokens) == (Finish.ABORT, "", 0)


async def test_unknown_and_ended_keys_are_ignored_by_abort(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says("short"))
    request = request_for()
    pool.start([request], listener)
    await listener.all_end([request])
    pool.abort([request.key, request_for("0.9").key])
    await asyncio.sleep(0)

    assert len(listener.ends()) == 1


async def test_beyond_its_places_decodes_wait_by_priority(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says("word", max_decodes=1))
    requests = [
        request_for("0.1"),
        request_for("0.2"),
        request_for("0.3", priority=9),
        request_for("0.4", priority=0),
    ]
    pool.start(requests, listener)
    await listener.all_end(requests)

    assert [end.key.branch for end in listener.segments()] == ["0.1", "0.4", "0.2", "0.3"]


async def test_a_waiting_decode_can_be_aborted_and_its_place_is_not_lost(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says(("0.1", Line(text=FOREVER)), ("*", Line(text="word")), max_decodes=1))
    requests = [request_for(f"0.{n}", max_tokens=10**6) for n in (1, 2, 3)]
    first, second, _ = (request.key for request in requests)
    pool.start(requests, listener)
    await listener.until(lambda: bool(listener.text(first)))
    pool.abort([second])
    await listener.until(lambda: second in listener.ends())
    assert listener.ends()[second].decoded.timing.admitted == 0.0
    pool.abort([first])
    ends = await listener.all_end(requests)

    assert [end.decoded.finish for end in ends.values()] == [Finish.ABORT, Finish.ABORT, Finish.EOS]


async def test_a_failed_decode_says_why_and_spares_the_others(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    fault = Fault(cause="engine-error", detail="on command")
    pool = opened(says(("0.1", Line(text="one two three", fault=fault, after=2)), ("*", Line(text="fine"))))
    requests = [request_for("0.1"), request_for("0.2")]
    pool.start(requests, listener)
    ends = await listener.all_end(requests)
    failed, fine = (ends[request.key].decoded for request in requests)

    assert (failed.finish, failed.fault, failed.text) == (Finish.ERROR, fault, "one two ")
    assert failed.usage.completion_tokens == 2
    assert fine.finish is Finish.EOS


class Breaking(ScriptedEngine):
    """An engine with a bug, and a stream that just stops."""

    async def decode(self, request: DecodeRequest) -> AsyncGenerator[Chunk, None]:
        async for chunk in super().decode(request):
            if request.key.branch == "0.1":
                raise EngineDead("the CUDA context is gone")
            if request.key.branch == "0.2":
                return
            yield chunk


async def test_an_engine_that_breaks_is_a_retryable_fault(
    opened: Opened, listener: Listener, request_for: RequestFor, caplog: pytest.LogCaptureFixture
) -> None:
    pool = opened(LocalPool(Breaking()))
    requests = [request_for("0.1"), request_for("0.2"), request_for("0.3")]
    pool.start(requests, listener)
    ends = await listener.all_end(requests)
    broke, fell_silent, fine = (ends[request.key].decoded for request in requests)

    assert broke.fault == Fault(cause="engine-error", detail="EngineDead: the CUDA context is gone")
    assert fault_in(fell_silent).cause == "engine-error"
    assert fine.finish is Finish.EOS
    assert "the CUDA context is gone" in caplog.text


async def test_a_consumer_that_goes_away_frees_the_engine(request_for: RequestFor) -> None:
    pool = says(FOREVER)
    batches = pool.replica.decode([request_for(f"0.{n}", max_tokens=10**6) for n in (1, 2)])
    async for _ in batches:
        break
    assert pool.load().decoding == 2
    await batches.aclose()

    assert pool.load().decoding == 0


async def test_a_call_is_told_what_its_replica_has_read_and_written_for_others(
    request_for: RequestFor,
) -> None:
    replica = says("word " * 100).replica
    asked = request_for("0.1", prompt="why " * 100)
    assert [batch.read async for batch in replica.decode([asked], "one") if batch.read] == []
    told = [key async for batch in replica.decode([request_for("0.2")], "two") for key in batch.read]
    assert told == keys_of(text_of(asked.context) + "word " * 100)


async def test_load_counts_what_is_decoding(
    opened: Opened, listener: Listener, request_for: RequestFor
) -> None:
    pool = opened(says(FOREVER, max_decodes=4))
    requests = [request_for(f"0.{n}", max_tokens=10**6) for n in range(1, 7)]
    pool.start(requests, listener)

    load = pool.load()
    assert (load.replicas, load.decoding, load.capacity) == (1, 6, 4)


async def test_closing_stops_what_still_decodes_without_last_messages(
    listener: Listener, request_for: RequestFor
) -> None:
    pool = says(FOREVER, tokens_per_second=100)
    request = request_for(max_tokens=10**6)
    pool.start([request], listener)
    await listener.until(lambda: bool(listener.text(request.key)))
    async with asyncio.timeout(60):
        await pool.close()
    assert listener.ends() == {}
    assert pool.load().decoding == 0


async def test_a_call_that_is_lost_leaves_each_decode_an_end(
    opened: Opened,
    listener: Listener,
    request_for: RequestFor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pool = opened(says("anything"))

    async def broken(requests: Sequence[DecodeRequest]) -> AsyncIterator[list[Message]]:
        raise OSError("no route")
        yield

    monkeypatch.setattr(pool.replica, "decode", broken)
    requests = [request_for("0.1"), request_for("0.2")]
    pool.start(requests, listener)
    for end in (await listener.all_end(requests)).values():
        assert end.decoded.finish is Finish.ERROR
        assert end.decoded.fault == Fault(cause="engine-error", detail="OSError: no route")
    assert "a call of local was lost" in caplog.text


class Called(ScriptedEngine):
    """A scripted engine that says it is another."""

    def __init__(self, name: str) -> None:
        super().__init__(Rules((Rule(line=Line(text=FOREVER)),)))
        self._name = name

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, name=self._name)


@pytest.mark.parametrize(("engine", "elsewhere"), [("scripted", True), ("vllm", False)])
async def test_a_decode_is_started_once_more_only_where_it_may_reach_another_machine(
    opened: Opened, listener: Listener, request_for: RequestFor, engine: str, elsewhere: bool
) -> None:
    pool = opened(LocalPool(Called(engine)))
    request, other = request_for("0.1"), request_for("0.2")
    pool.start([request], listener)
    await listener.until(lambda: bool(listener.heard))
    assert pool.elsewhere(request.key) is elsewhere
    assert not pool.elsewhere(other.key)
