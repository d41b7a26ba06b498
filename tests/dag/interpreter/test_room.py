"""Branches beyond a job's first wait for room, where its operator limits how much they may slow others."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.dag import actions as a
from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag import policy as catalogue
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import Budget, JobSpec, Sampling
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits
from anabranch.dag.policy import PolicyInfo
from anabranch.dag.simulator import EPOCH, Simulation
from anabranch.dag.text import say
from anabranch.dag.vocabulary import Cause

SLOWED = Limits(slowdown=1.25)
Room = Callable[[int], int]


def sampled(room: Room | None, limits: Limits = SLOWED, n: int = 6, **rest: object) -> Simulation:
    """Samples of four tokens, of which the later ones are longer."""
    spec = JobSpec(
        messages=(say("user", "What is six times seven?"),),
        policy="self-consistency",
        params={"n": n, "stop": "all"},
        budget=rest.pop("budget", Budget()),  # type: ignore[arg-type]
    )

    def write(decode: c.Decode) -> str:
        return "so it is " + "really " * int(decode.branch.split(".")[-1]) + "\\boxed{42}"

    simulation = Simulation(spec, write, limits=limits, room=room, **rest)  # type: ignore[arg-type]
    simulation.run()
    return simulation


def widest(records: list[e.Record]) -> int:
    """Decodes that ran at once, at most."""
    running = most = 0
    for record in records:
        running += isinstance(record.event, e.SegmentStarted) - isinstance(record.event, e.SegmentFinished)
        most = max(most, running)
    return most


def decoded(records: list[e.Record]) -> set[tuple[BranchId, str]]:
    return {(r.event.branch, r.event.decoded.text) for r in records if isinstance(r.event, e.SegmentFinished)}


def told(records: list[e.Record]) -> list[e.RoomTold]:
    return [record.event for record in records if isinstance(record.event, e.RoomTold)]


def test_without_room_branches_go_one_by_one() -> None:
    alone = sampled(lambda _running: 1)
    assert widest(alone.records) == 1
    assert not told(alone.records)
    assert decoded(alone.records) == decoded(sampled(None, Limits()).records)


def test_room_is_told_once_for_those_in_line_and_is_a_fact() -> None:
    wide = sampled(lambda _running: 4)
    assert widest(wide.records) == 4
    assert told(wide.records)[0] == e.RoomTold(width=4)
    assert replay(wide.records).state == wide.interpreter.state


def test_where_no_slowdown_is_set_nobody_waits_and_nothing_is_told() -> None:
    eager = sampled(lambda _running: 1, Limits())
    assert widest(eager.records) == 6
    assert not told(eager.records)


def test_room_that_lets_nobody_in_is_not_recorded() -> None:
    job = Interpreter()
    spec = JobSpec(messages=(say("user", "?"),), policy="self-consistency", params={"n": 3, "stop": "all"})
    job.feed(e.JobSubmitted(spec=spec, policy_version="", limits=SLOWED))
    assert job.line is None
    job.feed(e.JobClaimed(owner="first", attempt=1))
    line = job.line
    assert line is not None
    assert (line.running, line.waiting) == (1, 2)
    assert not job.feed(e.RoomTold(width=1)).events
    step = job.feed(e.RoomTold(width=2))
    assert [type(event) for event in step.events] == [e.RoomTold, e.SegmentStarted]
    assert not job.feed(e.RoomTold(width=2)).events
    assert job.feed(e.RoomTold(width=9)).events
    assert job.line is None
    assert not job.feed(e.RoomTold(width=9)).events


def test_room_is_asked_of_the_model_that_is_next_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def policy(problem: object) -> a.Policy:
        yield a.Fork(children=tuple(a.Thought(model=model) for model in ("one", "two", "three")))
        segment: a.Segment = yield a.Think()
        return a.Answer(text=segment.text)

    info = PolicyInfo(name="under-test", title="", paper="", use_when="", function=policy)
    monkeypatch.setitem(catalogue._CATALOGUE, "under-test", info)
    job = Interpreter()
    spec = JobSpec(messages=(say("user", "?"),), policy="under-test")
    job.feed(e.JobSubmitted(spec=spec, policy_version="", limits=SLOWED))
    job.feed(e.JobClaimed(owner="first", attempt=1))
    models = []
    while (line := job.line) is not None:
        models.append(line.model)
        job.feed(e.RoomTold(width=line.running + 1))
    assert models == ["one", "two", "three"]


@pytest.mark.parametrize(("left", "waits"), [(1, True), (0, False)])
def test_who_waits_for_room_asks_for_it_while_there_is_a_token_left(left: int, waits: bool) -> None:
    """Who has none left waits for what others give back of theirs."""
    job = Interpreter()
    spec = JobSpec(
        messages=(say("user", "?"),),
        policy="self-consistency",
        params={"n": 2, "stop": "all"},
        sampling=Sampling(max_tokens=10),
        budget=Budget(tokens=10 + left),
    )
    job.feed(e.JobSubmitted(spec=spec, policy_version="", limits=SLOWED))
    job.feed(e.JobClaimed(owner="first", attempt=1))
    assert (job.line is not None) is waits


def test_the_operators_width_holds_beside_it() -> None:
    assert widest(sampled(lambda _running: 50, Limits(slowdown=2.0, width=3)).records) == 3


def test_a_decode_that_runs_twice_takes_two_places_of_that_width() -> None:
    job = Interpreter()
    limits = Limits(slowdown=2.0, width=3, hedge=1.0)
    spec = JobSpec(messages=(say("user", "?"),), policy="self-consistency", params={"n": 4, "stop": "all"})
    job.feed(e.JobSubmitted(spec=spec, policy_version="", limits=limits))
    job.feed(e.JobClaimed(owner="first", attempt=1))
    job.feed(e.RoomTold(width=2))
    assert job.line is not None
    twice = e.SegmentHedged(branch=BranchId("0.1"), segment=1, attempt=1, seconds=3.0, usual=1.0)
    assert job.feed(twice).events
    assert job.line is None


def test_who_waits_for_room_is_cancelled_with_the_job() -> None:
    job = sampled(lambda _running: 2, cancel_at=1.0)
    assert job.interpreter.over
    assert len({r.event.branch for r in job.records if isinstance(r.event, e.SegmentStarted)}) == 2


@pytest.mark.parametrize("tokens", [1, 15, 40])
def test_a_budget_that_is_spent_is_not_waited_for_as_room(tokens: int) -> None:
    job = sampled(lambda _running: 9, budget=Budget(tokens=tokens))
    assert job.interpreter.over


def test_the_trunk_does_not_wait_behind_its_own_branches(simulate: Callable[..., Simulation]) -> None:
    def policy(problem: object) -> a.Policy:
        yield a.Fork(children=(a.Thought(messages=(say("user", "x"),)),) * 3)
        segment: a.Segment = yield a.Think()
        return a.Answer(text=segment.text)

    job = simulate(policy, lambda _decode: "one two", limits=SLOWED, room=lambda _running: 1)
    opened = [r.event.branch for r in job.records if isinstance(r.event, e.SegmentStarted)]
    assert TRUNK in opened[:2]


@pytest.mark.parametrize(
    ("limits", "width"), [(SLOWED, 3), (Limits(width=7), 7), (Limits(width=2, slowdown=2.0), 2)]
)
def test_a_policy_is_told_how_wide_it_may_fork(
    simulate: Callable[..., Simulation], limits: Limits, width: int
) -> None:
    def policy(problem: object) -> a.Policy:
        room: a.Room = yield a.AskRoom()
        return a.Answer(text=str(room.width))

    job = simulate(policy, lambda _decode: "", limits=limits, room=lambda _running: 3)
    assert job.interpreter.state.answer is not None
    assert job.interpreter.state.answer.text == str(width)
    assert replay(job.records).state == job.interpreter.state


@settings(max_examples=60, deadline=None)
@given(widths=st.lists(st.integers(1, 9), min_size=1), n=st.integers(1, 9))
def test_whatever_room_there_is_the_same_branches_are_decoded(widths: list[int], n: int) -> None:
    asked: list[int] = []

    def room(_running: int) -> int:
        asked.append(widths[len(asked) % len(widths)])
        return asked[-1]

    job = sampled(room, n=n)
    assert decoded(job.records) == decoded(sampled(None, Limits(), n=n).records)
    assert widest(job.records) <= max([1, *asked])
    for end in range(2, len(job.records) + 1, 3):
        step_ends = end == len(job.records) or isinstance(
            job.records[end].event, e.SegmentFinished | e.RoomTold
        )
        if step_ends:
            replay(job.records[:end])
    assert replay(job.records).state == job.interpreter.state


class World:
    """A job whose decodes end, fail, or are lost with their organizer, in any order."""

    def __init__(self, n: int) -> None:
        spec = JobSpec(
            messages=(say("user", "?"),), policy="self-consistency", params={"n": n, "stop": "all"}, seed=1
        )
        self.job = Interpreter()
        self.records: list[e.Record] = []
        self.running: list[e.SegmentStarted] = []
        self.feed(e.JobSubmitted(spec=spec, policy_version="", limits=Limits(slowdown=1.5, attempts=9)))
        self.feed(e.JobClaimed(owner="first", attempt=1))

    def feed(self, fact: e.Event) -> None:
        for event in self.job.feed(fact).events:
            self.records.append(
                e.Record(
                    job=JobId("j"),
                    seq=len(self.records) + 1,
                    epoch=1,
                    at=EPOCH,
                    event=event,
                    prev_hash="",
                    hash="",
                )
            )
            if isinstance(event, e.SegmentStarted):
                self.running.append(event)

    def end(self, place: int, decoded: Decoded) -> None:
        started = self.running.pop(place % len(self.running))
        self.feed(
            e.SegmentFinished(
                branch=started.branch, segment=started.segment, attempt=started.attempt, decoded=decoded
            )
        )

    def crash(self) -> None:
        """Another organizer takes the job up from its journal."""
        self.job = replay(self.records)
        self.feed(e.JobClaimed(owner="second", attempt=2))
        for _ in tuple(self.running):
            self.end(0, failed(Cause.ORGANIZER_LOST))


def failed(cause: Cause) -> Decoded:
    return Decoded(text="", finish=Finish.ERROR, fault=Fault(cause=cause))


SAID = Decoded(text="\\boxed{42}", finish=Finish.EOS)
DEEDS = st.one_of(
    st.tuples(st.just("end"), st.integers(0, 9)),
    st.tuples(st.just("fail"), st.integers(0, 9)),
    st.tuples(st.just("room"), st.integers(1, 6)),
    st.tuples(st.just("crash"), st.just(0)),
)


@settings(max_examples=80, deadline=None)
@given(n=st.integers(1, 7), deeds=st.lists(DEEDS, max_size=25))
def test_no_order_of_ends_failures_crashes_and_room_leaves_a_branch_waiting_for_ever(
    n: int, deeds: list[tuple[str, int]]
) -> None:
    world, widest = World(n), 1
    for deed, number in deeds:
        before = len(world.running)
        match deed:
            case "end" if world.running:
                world.end(number, SAID)
            case "fail" if world.running:
                world.end(number, failed(Cause.REPLICA_DIED))
            case "room":
                world.feed(e.RoomTold(width=number))
                assert len(world.running) <= max(before, number)
            case "crash" if not world.job.over:
                world.crash()
        widest = max(widest, len(world.running))
        assert world.running or world.job.over
        assert deed == "room" or len(world.running) <= max(1, before)
    while not world.job.over:
        world.end(0, SAID)
    done = [r.event.branch for r in world.records if isinstance(r.event, e.BranchReturned)]
    assert len(done) == n + 1
    assert replay(world.records).state == world.job.state
