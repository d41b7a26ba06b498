"""The replica, which jumps from event to event, beside an engine that takes every step one by one."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.simulation.description import Cluster
from anabranch.dag.simulation.engines.replica import Replica
from anabranch.dag.simulation.engines.step_time import StepTime
from anabranch.dag.simulation.engines.streams import Stages, Stream
from anabranch.dag.simulation.models.outputs import Cut
from anabranch.dag.vocabulary import Cause

STEP = StepTime(points=((1, 0.010), (9, 0.018)), per_context_token=1e-5, per_prefill_token=1e-4)


class Clock:
    """The heap of a simulation."""

    def __init__(self) -> None:
        self.agenda: list[tuple[float, int, Callable[[float], None]]] = []

    def at(self, when: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self.agenda, (when, len(self.agenda) + 10_000 * self._count(), happen))

    def _count(self) -> int:
        self.tickets = getattr(self, "tickets", 0) + 1
        return self.tickets

    def run(self) -> None:
        while self.agenda:
            when, _, happen = heapq.heappop(self.agenda)
            happen(when)


@dataclass
class Told:
    """What became of one decode."""

    ends: list[float] = field(default_factory=list)
    decoded: list[Decoded] = field(default_factory=list)
    stages: list[Stages] = field(default_factory=list)

    def __call__(self, decoded: Decoded, stages: Stages) -> None:
        assert stages.finished is not None
        self.ends.append(stages.finished)
        self.decoded.append(decoded)
        self.stages.append(stages)


def cuts_at(*tokens: int) -> tuple[Cut, ...]:
    counts = [now - before for before, now in zip((0, *tokens), tokens, strict=False)]
    return tuple(
        Cut(at, Decoded(text="x" * count, finish=Finish.EOS, usage=Usage(completion_tokens=count),
                        open=at != tokens[-1]))
        for at, count in zip(tokens, counts, strict=True)
    )  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    at: float
    prompt: int
    ends: tuple[int, ...]


def stream(wanted: Wanted, told: Told, job: int = 0) -> Stream:
    return Stream(
        job=job,
        cuts=cuts_at(*wanted.ends),
        prompt=wanted.prompt,
        cached=0,
        deliver=told,
        stages=Stages(submitted=wanted.at),
    )


def simulated(cluster: Cluster, all_wanted: list[Wanted]) -> tuple[list[Told], Replica]:
    clock, told = Clock(), [Told() for _ in all_wanted]
    replica = Replica("r", cluster, clock.at)
    for number, (wanted, listener) in enumerate(zip(all_wanted, told, strict=True)):
        one = stream(wanted, listener, number)
        clock.at(wanted.at, lambda now, one=one: replica.submit(one, now))  # type: ignore[misc]
    clock.run()
    return told, replica


def stepped(cluster: Cluster, all_wanted: list[Wanted]) -> list[list[float]]:
    """The same by hand, step by step: who waits is admitted between steps, in the order of arrival."""
    ends: list[list[float]] = [[] for _ in all_wanted]
    waiting = sorted(range(len(all_wanted)), key=lambda number: all_wanted[number].at)
    left = {number: wanted.prompt for number, wanted in enumerate(all_wanted)}
    written: dict[int, int] = {}
    now = 0.0
    while waiting or written:
        if not written and waiting and all_wanted[waiting[0]].at > now:
            now = all_wanted[waiting[0]].at
        while waiting and all_wanted[waiting[0]].at <= now and len(written) < cluster.max_decodes:
            written[waiting.pop(0)] = 0
        room, chunks = cluster.prefill_chunk, {}
        for number in written:
            if left[number] and room:
                chunks[number] = min(left[number], room)
                room -= chunks[number]
        decoding = [number for number in written if not left[number]]
        context = sum(all_wanted[number].prompt + written[number] for number in decoding)
        now += (
            STEP.of_batch(len(decoding) + len(chunks))
            + STEP.per_context_token * context
            + STEP.per_prefill_token * sum(chunks.values())
        )
        for number, tokens in chunks.items():
            left[number] -= tokens
            if not left[number]:
                decoding.append(number)
        for number in decoding:
            written[number] += 1
            ends[number] += [now] * all_wanted[number].ends.count(written[number])
            if written[number] == all_wanted[number].ends[-1]:
                del written[number]
    return ends


WANTED = st.builds(
    Wanted,
    at=st.sampled_from([0.0, 0.0005, 0.0137, 0.2213, 0.7319, 1.9171]),
    prompt=st.integers(1, 60),
    ends=st.lists(st.integers(1, 120), min_size=1, max_size=3).map(lambda ends: tuple(sorted(ends))),
)


@given(
    all_wanted=st.lists(WANTED, min_size=1, max_size=7),
    places=st.integers(1, 8),
    chunk=st.sampled_from([16, 40, 1000]),
)
def test_segments_end_when_an_engine_that_takes_every_step_ends_them(
    all_wanted: list[Wanted], places: int, chunk: int
) -> None:
    cluster = Cluster(step=STEP, max_decodes=places, prefill_chunk=chunk)
    all_wanted = sorted(all_wanted, key=lambda wanted: wanted.at)
    told, replica = simulated(cluster, all_wanted)
    for listener, ends in zip(told, stepped(cluster, all_wanted), strict=True):
        assert listener.ends == pytest.approx(ends, rel=1e-9)
    assert replica.done.tokens == sum(wanted.ends[-1] for wanted in all_wanted)
    assert replica.done.prefilled == sum(wanted.prompt for wanted in all_wanted)


def test_an_aborted_decode_keeps_the_tokens_of_the_steps_that_were_done() -> None:
    clock, first, second = Clock(), Told(), Told()
    replica = Replica("r", Cluster(step=StepTime(points=((1, 0.01),))), clock.at)
    aborted = stream(Wanted(0.0, 5, (1000,)), first)
    replica.submit(aborted, 0.0)
    replica.submit(stream(Wanted(0.0, 5, (100,)), second), 0.0)
    clock.at(0.255, lambda now: replica.abort(aborted, now))
    clock.at(0.3, lambda now: replica.abort(aborted, now))  # once more does nothing
    clock.run()
    [decoded] = first.decoded
    assert (decoded.finish, decoded.usage.completion_tokens, len(decoded.text)) == (Finish.ABORT, 25, 25)
    assert second.ends == pytest.approx([1.0])


def test_the_youngest_gives_its_memory_back_and_writes_on_later() -> None:
    cluster = Cluster(step=StepTime(points=((1, 0.01),)), kv_tokens=100)
    told, replica = simulated(cluster, [Wanted(0.0, 20, (60,)), Wanted(0.0, 20, (60,))])
    assert [listener.decoded[-1].usage.completion_tokens for listener in told] == [60, 60]
    assert replica.done.preempted == 1
    assert told[0].ends[0] < told[1].ends[0]


def test_what_no_memory_can_hold_is_refused_or_cut() -> None:
    cluster = Cluster(step=StepTime(points=((1, 0.01),)), kv_tokens=50)
    (refused, cut), _ = simulated(cluster, [Wanted(0.0, 60, (5,)), Wanted(0.0, 20, (500,))])
    assert refused.decoded[0].fault is not None
    assert refused.decoded[0].fault.cause == Cause.PROMPT_TOO_LONG
    assert cut.decoded[0].finish is Finish.LENGTH
    assert cut.decoded[0].usage.completion_tokens == 30


def test_who_waits_is_let_in_by_turns_of_the_jobs() -> None:
    clock, ended = Clock(), list[str]()
    replica = Replica("r", Cluster(step=STEP, max_decodes=1), clock.at)

    def note(name: str) -> Callable[[Decoded, Stages], None]:
        return lambda _decoded, _stages: ended.append(name)

    for job, name in ((1, "wide"), (1, "wide"), (1, "wide"), (2, "other")):
        one = stream(Wanted(0.0, 5, (5,)), Told(), job)
        one.deliver = note(name)
        replica.submit(one, 0.0)
    clock.run()
    assert ended == ["wide", "other", "wide", "wide"]
