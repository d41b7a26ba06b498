"""A late decode is started once more: the first end counts; every token is booked once, whatever races or crashes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.analysis.graph import build
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.errors import InvalidTransition
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.interpreter import Interpreter, Step
from anabranch.dag.interpreter.hedges import fact_of_end, may_hedge
from anabranch.dag.job import Budget, JobSpec
from anabranch.dag.journal.abandon import close_journal
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits, Price
from anabranch.dag.state import fold
from anabranch.dag.text import say
from anabranch.dag.vocabulary import Cause

HEDGED = Limits(hedge=1.0, attempts=2)
Decode = tuple[BranchId, int, int]
"""Branch, segment, copy."""
LOST = Fault(cause=Cause.ORGANIZER_LOST)


class World:
    """One job, its journal, and the decodes that its organizer has started."""

    def __init__(self, limits: Limits = HEDGED, *, n: int = 3, budget: Budget | None = None) -> None:
        spec = JobSpec(
            messages=(say("user", "What is six times seven?"),),
            policy="self-consistency",
            params={"n": n, "stop": "all"},
            budget=budget or Budget(),
        )
        self.interpreter = Interpreter()
        self.records: list[e.Record] = []
        self.running: set[Decode] = set()
        self.aborting: set[Decode] = set()
        self.told = 0
        """Tokens of all decodes whose end an organizer lived to see."""
        self._take(self.interpreter.feed(e.JobSubmitted(spec=spec, policy_version="", limits=limits)))
        self.claim()

    def claim(self) -> None:
        self._take(self.interpreter.feed(e.JobClaimed(owner="first", attempt=1)))

    def end(self, decode: Decode, tokens: int = 5, finish: Finish = Finish.EOS) -> None:
        branch, segment, copy = decode
        self.running.discard(decode)
        self.told += tokens
        decoded = Decoded(
            text="\\boxed{42}" if finish is Finish.EOS else "",
            finish=finish,
            usage=Usage(completion_tokens=tokens),
            fault=Fault(cause=Cause.ENGINE_ERROR) if finish is Finish.ERROR else None,
        )
        fact = fact_of_end(self.interpreter.state, branch, segment, decoded, copy)
        self._take(self.interpreter.feed(fact))

    def hedge(self, branch: str) -> bool:
        opened = self.interpreter.state.branches[BranchId(branch)].open
        segment, attempt = (opened.segment, opened.attempt) if opened else (1, 1)
        late = e.SegmentHedged(
            branch=BranchId(branch), segment=segment, attempt=attempt, seconds=3.0, usual=1.0
        )
        step = self.interpreter.feed(late)
        self._take(step)
        return bool(step.events)

    def cancel(self, branch: str) -> None:
        cancelled = e.BranchCancelled(branch=BranchId(branch), reason="enough", by=e.CancelledBy.CLIENT)
        self._take(self.interpreter.feed(cancelled))

    def crash(self) -> None:
        """The organizer is lost, and with it all that was decoding; another takes the job up, as `taking.py` does."""
        before = self.interpreter.state
        self.interpreter = replay(self.records)
        assert self.interpreter.state == before
        self.running.clear()
        self.claim()
        lost = Decoded(text="", finish=Finish.ERROR, fault=LOST)
        for branch, two in tuple(self.interpreter.state.hedges.items()):
            segment, attempt = two.started.segment, two.started.attempt
            copy = 1 if two.left is None else two.left
            fact = e.HedgeLost(branch=branch, segment=segment, attempt=attempt, decoded=lost, copy=copy)
            self._take(self.interpreter.feed(fact))
        for opened in self.interpreter.open_decodes():
            fact_of_it = fact_of_end(self.interpreter.state, opened.branch, opened.segment, lost, 0)
            self._take(self.interpreter.feed(fact_of_it))

    def finish(self) -> None:
        """All that still runs ends well, until the job has ended."""
        while not self.interpreter.over:
            assert self.running, "the job stands still"
            self.end(min(self.running))

    def check(self) -> None:
        """What holds for every ended job."""
        graph, metrics = build(self.records), measure(self.records)
        assert self.interpreter.over and not self.running
        assert self.interpreter.state.usage.completion_tokens == self.told
        assert metrics.total_tokens == self.told
        assert graph.end is None or metrics.waste_tokens >= sum(
            r.event.decoded.usage.completion_tokens for r in self.records if isinstance(r.event, e.HedgeLost)
        )
        hedged = [r for r in self.records if isinstance(r.event, e.SegmentHedged)]
        assert len(hedged) == sum(isinstance(r.event, e.HedgeLost) for r in self.records)
        assert not any(self.interpreter.state.reserved.by_price.values())
        assert replay(self.records).state == self.interpreter.state

    def _take(self, step: Step) -> None:
        for event in step.events:
            self.records.append(
                e.Record(
                    job=JobId("j"),
                    seq=len(self.records) + 1,
                    epoch=1,
                    at=datetime(2026, 11, 28, tzinfo=UTC),
                    event=event,
                    prev_hash="",
                    hash="",
                )
            )
        for command in step.commands:
            self._carry_out(command)

    def _carry_out(self, command: c.Command) -> None:
        match command:
            case c.Decode(branch=branch, segment=segment, copy=copy):
                assert (branch, segment, copy) not in self.running
                self.running.add((branch, segment, copy))
            case c.Abort(branch=branch, segment=segment, copy=copy):
                stopped = {d for d in self.running if d[:2] == (branch, segment) and copy in (None, d[2])}
                self.aborting |= stopped
            case c.Compare(branch=branch, answers=answers):
                same = (tuple(range(len(answers))),)
                self._take(self.interpreter.judged(branch, same))
            case _:
                raise AssertionError(command)


def test_the_first_end_counts_and_the_loser_is_aborted_and_wasted() -> None:
    world = World()
    assert world.hedge("0.2")
    assert {("0.2", 1, 0), ("0.2", 1, 1)} <= world.running
    world.aborting = set()
    world.end((BranchId("0.2"), 1, 1), tokens=7)
    assert world.aborting == {("0.2", 1, 0)}
    world.end((BranchId("0.2"), 1, 0), tokens=100, finish=Finish.ABORT)
    world.finish()
    world.check()
    assert measure(world.records).waste_tokens == 100
    assert measure(world.records).critical_path_tokens == 7
    assert world.interpreter.state.branches[BranchId("0.2")].usage.completion_tokens == 7


def test_a_failure_is_no_win_the_other_goes_on_alone() -> None:
    world = World()
    world.hedge("0.1")
    world.end((BranchId("0.1"), 1, 0), finish=Finish.ERROR)
    assert world.interpreter.state.branches[BranchId("0.1")].attempt == 1
    world.end((BranchId("0.1"), 1, 1))
    assert not world.interpreter.state.branches[BranchId("0.1")].live
    world.finish()
    world.check()


def test_when_both_fail_the_branch_is_tried_again() -> None:
    world = World()
    world.hedge("0.1")
    world.end((BranchId("0.1"), 1, 1), finish=Finish.ERROR)
    world.end((BranchId("0.1"), 1, 0), finish=Finish.ERROR)
    assert world.interpreter.state.branches[BranchId("0.1")].attempt == 2
    world.finish()
    world.check()


def test_a_job_does_not_end_before_its_last_loser_has_told_its_tokens() -> None:
    world = World(n=1)
    world.hedge("0.1")
    world.end((BranchId("0.1"), 1, 0))
    assert not world.interpreter.over
    world.end((BranchId("0.1"), 1, 1), tokens=3, finish=Finish.ABORT)
    assert world.interpreter.over
    world.check()


@pytest.mark.parametrize(("share", "n", "allowed"), [(0.0, 4, 0), (0.1, 4, 1), (0.5, 4, 2), (1.0, 4, 4)])
def test_no_more_are_started_twice_than_the_operator_allows(share: float, n: int, allowed: int) -> None:
    world = World(Limits(hedge=share), n=n)
    assert sum(world.hedge(f"0.{number + 1}") for number in range(n)) == allowed


def test_a_decode_is_started_once_more_and_not_twice() -> None:
    world = World()
    assert [world.hedge("0.1"), world.hedge("0.1")] == [True, False]


def test_a_segment_whose_second_decode_failed_is_not_started_a_third_time() -> None:
    world = World(Limits(hedge=1.0))
    assert world.hedge("0.1")
    world.end((BranchId("0.1"), 1, 1), finish=Finish.ERROR)
    assert not world.hedge("0.1")


def test_the_width_of_the_job_and_its_tokens_hold_for_both() -> None:
    assert not World(Limits(hedge=1.0, width=3)).hedge("0.1")
    four = World(Limits(hedge=1.0, width=4))
    assert [four.hedge("0.1"), four.hedge("0.2")] == [True, False]
    assert not World(budget=Budget(tokens=3 * 512 + 100)).hedge("0.1")
    assert World(budget=Budget(tokens=4 * 512)).hedge("0.1")


def test_a_job_that_winds_up_starts_nothing_once_more() -> None:
    world = World()
    world.interpreter.state.winding_down = True
    assert not world.hedge("0.1")


@pytest.mark.parametrize("standing", ["continues", "final"])
def test_what_was_told_or_stands_behind_a_tag_is_not_started_again(standing: str) -> None:
    world = World()
    branch = world.interpreter.state.branches[BranchId("0.1")]
    assert branch.open is not None
    assert may_hedge(world.interpreter.state, branch.open)
    branch.open = replace(branch.open, continues=standing == "continues", final=standing == "final")
    assert not may_hedge(world.interpreter.state, branch.open)
    assert not world.hedge("0.1")


def test_a_tool_is_not_called_twice() -> None:
    state = World().interpreter.state
    branch = state.branches[BranchId("0.1")]
    opened = branch.open
    assert opened is not None
    branch.tool = "search"
    assert not may_hedge(state, opened)


def test_an_end_costs_what_its_segments_model_costs() -> None:
    world = World(Limits(hedge=1.0, prices={"big": Price(completion=2.0)}))
    branch = world.interpreter.state.branches[BranchId("0.1")]
    assert branch.open is not None
    branch.open = replace(branch.open, model="big")
    decoded = Decoded(text="42", finish=Finish.EOS, usage=Usage(completion_tokens=5))
    end = fact_of_end(world.interpreter.state, BranchId("0.1"), 1, decoded, 0)
    assert end.decoded.cost == 10.0


def test_one_that_has_ended_meanwhile_is_let_be() -> None:
    world = World()
    world.end((BranchId("0.1"), 1, 0))
    assert not world.hedge("0.1")


def test_a_job_that_cannot_go_on_closes_both() -> None:
    world = World()
    world.hedge("0.1")
    failed = e.JobFailed(type="diverged", title="It did")
    events = [record.event for record in world.records]
    decoded = Decoded(text="", finish=Finish.ERROR, usage=Usage(completion_tokens=4), fault=LOST)
    lost: list[e.Event] = [e.HedgeLost(branch=BranchId("0.1"), segment=1, attempt=1, decoded=decoded)]
    lost += [
        e.SegmentFinished(branch=opened.branch, segment=1, attempt=1, decoded=decoded)
        for opened in world.interpreter.open_decodes()
    ]
    closed = fold([*events, *close_journal(fold(events), lost, failed)])
    assert closed.usage.completion_tokens == 4 * 4


def test_the_table_refuses_a_loss_that_nobody_awaits() -> None:
    world = World()
    lost = e.HedgeLost(
        branch=BranchId("0.1"), segment=1, attempt=1, decoded=Decoded(text="", finish=Finish.ABORT)
    )
    with pytest.raises(InvalidTransition, match="decoded twice"):
        fold([*(record.event for record in world.records), lost])


def test_the_end_of_the_decode_that_counts_told_again_is_no_loss() -> None:
    world = World()
    world.hedge("0.1")
    world.end((BranchId("0.1"), 1, 0), tokens=6)
    again = e.HedgeLost(
        branch=BranchId("0.1"), segment=1, attempt=1, decoded=Decoded(text="", finish=Finish.EOS), copy=0
    )
    assert not world.interpreter.feed(again).events
    with pytest.raises(InvalidTransition, match="decode 0 of the two has ended"):
        fold([*(record.event for record in world.records), again])


def test_the_journal_tells_which_of_the_two_counts() -> None:
    world = World()
    world.hedge("0.1")
    world.end((BranchId("0.1"), 1, 0), finish=Finish.ERROR)
    world.end((BranchId("0.1"), 1, 1))
    [lost] = [r.event for r in world.records if isinstance(r.event, e.HedgeLost)]
    [finished] = [r.event for r in world.records if isinstance(r.event, e.SegmentFinished)]
    assert (lost.copy, finished.copy) == (0, 1)


def test_a_journal_from_before_hedging_replays_as_it_did() -> None:
    world = World(Limits())
    world.finish()
    assert not any(isinstance(r.event, e.SegmentHedged | e.HedgeLost) for r in world.records)
    old = [
        replace(r, event=replace(r.event, limits=Limits())) if isinstance(r.event, e.JobSubmitted) else r
        for r in world.records
    ]
    assert replay(old).over


moves = st.lists(
    st.tuples(
        st.sampled_from(("hedge", "hedge", "end", "end", "fail", "cancel", "crash")), st.integers(0, 10_000)
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(moves=moves, n=st.integers(1, 4), width=st.integers(1, 8), share=st.sampled_from((0.3, 1.0)))
def test_whatever_races_every_token_is_booked_once(
    moves: list[tuple[str, int]], n: int, width: int, share: float
) -> None:
    world = World(Limits(hedge=share, attempts=2, width=width), n=n)
    for kind, number in moves:
        if world.interpreter.over:
            break
        running = sorted(world.running)
        live = sorted(world.interpreter.state.live - {"0"})
        match kind:
            case "hedge" if live:
                world.hedge(live[number % len(live)])
            case "end" if running:
                world.end(running[number % len(running)], tokens=number % 97)
            case "fail" if running:
                world.end(running[number % len(running)], tokens=number % 7, finish=Finish.ERROR)
            case "cancel" if live and number % 3 == 0:
                world.cancel(live[number % len(live)])
            case "crash":
                world.crash()
            case _:
                pass
    world.finish()
    world.check()
