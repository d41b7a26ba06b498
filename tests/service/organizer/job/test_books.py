"""Each decode is booked exactly once: with all its tokens, or, where an organizer was lost, with those that were stored
of it, and the event says that there may have been more."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Tag, Usage
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.interpreter import Interpreter, Step
from anabranch.dag.interpreter.hedges import fact_of_end
from anabranch.dag.job import JobSpec
from anabranch.dag.journal.abandon import close_journal
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits
from anabranch.dag.state import fold
from anabranch.dag.text import say
from anabranch.service.organizer.job.hedging import Hedging
from anabranch.service.organizer.job.lost_decodes import end_lost_decodes
from anabranch.service.organizer.job.partial_text import PartialTexts
from anabranch.service.organizer.job.stragglers import Stragglers
from anabranch.service.organizer.rooms import Rooms
from anabranch.service.store.rows import Checkpoint
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import Key, Message, SegmentDone, TextPiece
from anabranch.workers.pool.local import LocalPool

JOB = JobId("j")
AT = datetime(2026, 11, 28, tzinfo=UTC)
SPEC = JobSpec(messages=(say("user", "Six times seven?"),), policy="self-consistency", params={"stop": "all"})


@dataclass
class Decoding:
    """A decode on its replica."""

    tokens: int = 0
    segment: int = 0
    stopped: bool = False


class Desk:
    """One job in the hands of one organizer after the other; what they store outlives them."""

    def __init__(self, spec: JobSpec = SPEC, limits: Limits | None = None) -> None:
        self.records: list[e.Record] = []
        self.saved: dict[BranchId, Checkpoint] = {}
        self.known: dict[Key, int] = {}
        """Tokens that each decode had when it was stored last."""
        self.booked: dict[Key, int] = {}
        """Tokens that each decode that has ended must be booked with."""
        self.lost: set[Key] = set()
        self.interpreter = Interpreter()
        self._begin()
        limits = limits or Limits(hedge=1.0, attempts=2, completion_price=0.5)
        self.take(self.interpreter.feed(e.JobSubmitted(spec=spec, policy_version="", limits=limits)))
        self._begin()
        self.take(self.interpreter.feed(e.JobClaimed(owner="o", attempt=1)))

    def _begin(self) -> None:
        self.running: dict[Key, Decoding] = {}
        state = self.interpreter.state
        pool = LocalPool(ScriptedEngine(lambda _request: Line(text="")))
        stragglers, rooms = Stragglers() if state.limits.hedge > 0 else None, Rooms(pool)
        self.hedging = Hedging(
            JOB,
            state,
            stragglers,
            pool,
            rooms,
            lambda: 0.0,
            lambda fact: self.take(self.interpreter.feed(fact)),
        )
        self.texts = PartialTexts(lambda: 0.0)
        for record in self.records:
            self.hedging.note(record)
            self.texts.note(record)

    def take(self, step: Step) -> None:
        for event in step.events:
            seq = len(self.records) + 1
            record = e.Record(job=JOB, seq=seq, epoch=1, at=AT, event=event, prev_hash="", hash="")
            self.records.append(record)
            self.hedging.note(record)
            self.texts.note(record)
        for command in step.commands:
            match command:
                case c.Decode(branch=branch, segment=segment, copy=copy):
                    key = Key(job=JOB, branch=branch, segment=segment, copy=copy)
                    self.hedging.began(key)
                    self.running[key] = Decoding(segment=segment)
                case c.Abort(branch=branch, segment=segment, copy=copy):
                    for key in self.hedging.running(Key(job=JOB, branch=branch, segment=segment), copy):
                        self.running[key].stopped = True
                case c.Compare(branch=branch, answers=answers):
                    self.take(self.interpreter.judged(branch, (tuple(range(len(answers))),)))
                case _:
                    raise AssertionError(command)

    def deliver(self, message: Message) -> None:
        match self.hedging.take(message):
            case TextPiece() as piece:
                self.texts.add(piece)
            case SegmentDone(key=key, segment=segment, decoded=decoded):
                fact = fact_of_end(self.interpreter.state, key.branch, segment, decoded, key.copy)
                self.take(self.interpreter.feed(fact))
            case None:
                pass

    def write(self, key: Key, tokens: int) -> None:
        decode = self.running[key]
        piece = TextPiece(
            key=key,
            segment=decode.segment,
            offset=decode.tokens,
            text="x" * tokens,
            tokens=decode.tokens + tokens,
        )
        decode.tokens += tokens
        self.deliver(piece)

    def end(self, key: Key, finish: Finish, *, tag: Tag | None = None, goes_on: bool = False) -> None:
        decode = self.running[key] if goes_on else self.running.pop(key)
        self.booked[key] = self.booked.get(key, 0) + decode.tokens
        decoded = Decoded(
            text="\\boxed{42}" if finish is Finish.EOS else "",
            finish=finish,
            tag=tag,
            open=goes_on,
            usage=Usage(completion_tokens=decode.tokens),
            fault=Fault(cause="engine-error") if finish is Finish.ERROR else None,
        )
        done = SegmentDone(key=key, segment=decode.segment, decoded=decoded)
        decode.segment, decode.tokens = decode.segment + 1, 0
        self.deliver(done)
        if not goes_on:
            self.deliver(done)  # told twice

    def hedge(self, branch: BranchId) -> bool:
        opened = self.interpreter.state.branches[branch].open
        if opened is None:
            return False
        late = e.SegmentHedged(
            branch=branch, segment=opened.segment, attempt=opened.attempt, seconds=3.0, usual=1.0
        )
        step = self.interpreter.feed(late)
        self.take(step)
        return bool(step.events)

    def save(self) -> None:
        """As an organizer does every so often."""
        branches = self.interpreter.state.branches
        for partial in self.texts.all_changed():
            self.saved[partial.branch] = partial.checkpoint(branches[partial.branch].attempt)
        for key, decode in self.running.items():
            opened = branches[key.branch].open
            if opened is not None and opened.segment == decode.segment:
                self.known[key] = decode.tokens

    def lose(self) -> None:
        """The organizer is lost, and all that decodes for it."""
        for key in self.running:
            row = self.saved.get(key.branch)
            stands = row is not None and row.segment == key.segment
            self.booked[key] = self.booked.get(key, 0) + (self.known.get(key, 0) if stands else 0)
            self.lost.add(key)

    def crash(self) -> None:
        self.lose()
        self.interpreter = replay(self.records)
        self._begin()
        self.take(self.interpreter.feed(e.JobClaimed(owner="next", attempt=2)))
        for end in end_lost_decodes(self.interpreter.state, self.saved, ()):
            self.take(self.interpreter.feed(end))

    def close(self) -> None:
        """Its next organizer finds that it cannot go on."""
        self.lose()
        state = fold(record.event for record in self.records)
        failed = e.JobFailed(type="diverged", title="It did")
        ends = end_lost_decodes(state, self.saved, ())
        self.running.clear()
        for event in close_journal(state, ends, failed):
            seq = len(self.records) + 1
            self.records.append(
                e.Record(job=JOB, seq=seq, epoch=2, at=AT, event=event, prev_hash="", hash="")
            )

    def finish(self) -> None:
        while not self.interpreter.over:
            key = min(self.running, key=lambda key: (key.branch, key.segment, key.copy))
            self.end(key, Finish.ABORT if self.running[key].stopped else Finish.EOS)

    def check(self) -> None:
        ends = [r.event for r in self.records if isinstance(r.event, e.SegmentFinished | e.HedgeLost)]
        keys = [Key(job=JOB, branch=end.branch, segment=end.segment, copy=end.copy) for end in ends]
        assert max(Counter(keys).values()) == 1
        booked = {key: end.decoded.usage.completion_tokens for key, end in zip(keys, ends, strict=True)}
        assert booked == self.booked
        assert {key for key, end in zip(keys, ends, strict=True) if end.decoded.usage_at_least} == self.lost
        state = fold(record.event for record in self.records)
        assert state.usage.completion_tokens == sum(self.booked.values())
        assert state.cost == pytest.approx(0.5 * sum(self.booked.values()))
        assert not any(state.reserved.by_price.values()) and not state.hedges


KINDS = ("hedge", "hedge", "write", "write", "save", "end", "end", "fail", "crash")
moves = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 10_000), st.integers(1, 50)), min_size=1, max_size=30
)


@settings(max_examples=100, deadline=None)
@given(moves=moves, n=st.integers(1, 4), closes=st.booleans())
def test_whatever_is_lost_and_whenever_every_decode_is_booked_once(
    moves: list[tuple[str, int, int]], n: int, closes: bool
) -> None:
    desk = Desk(JobSpec(messages=SPEC.messages, policy=SPEC.policy, params={**SPEC.params, "n": n}))
    for kind, which, tokens in moves:
        running = sorted(desk.running, key=lambda key: (key.branch, key.segment, key.copy))
        if not running:
            break
        key = running[which % len(running)]
        match kind:
            case "hedge":
                desk.hedge(key.branch)
            case "write":
                desk.write(key, tokens)
            case "save":
                desk.save()
            case "end":
                desk.end(key, Finish.ABORT if desk.running[key].stopped else Finish.EOS)
            case "fail":
                desk.end(key, Finish.ERROR)
            case _:
                desk.crash()
    if closes and not desk.interpreter.over:
        desk.close()
    else:
        desk.finish()
    desk.check()


FIRST = Key(job=JOB, branch=BranchId("0.1"), segment=1)
SECOND = Key(job=JOB, branch=BranchId("0.1"), segment=1, copy=1)


def one_sample() -> Desk:
    desk = Desk(JobSpec(messages=SPEC.messages, policy=SPEC.policy, params={"n": 1}))
    assert desk.hedge(BranchId("0.1"))
    return desk


def test_a_crash_after_the_first_decode_failed_books_the_second_and_not_the_first_again() -> None:
    desk = one_sample()
    desk.write(FIRST, 40)
    desk.save()
    desk.end(FIRST, Finish.ERROR)
    desk.write(SECOND, 7)
    desk.save()
    desk.crash()
    [lost, finished] = [r.event for r in desk.records if isinstance(r.event, e.HedgeLost | e.SegmentFinished)]
    assert isinstance(lost, e.HedgeLost) and isinstance(finished, e.SegmentFinished)
    assert (lost.copy, lost.decoded.usage.completion_tokens, lost.decoded.usage_at_least) == (0, 40, False)
    assert (finished.copy, finished.decoded.usage.completion_tokens) == (1, 7)
    assert finished.decoded.usage_at_least and not finished.decoded.text


def test_of_what_nobody_stored_the_event_says_that_it_is_not_known() -> None:
    desk = one_sample()
    desk.write(SECOND, 7)
    desk.crash()
    [lost] = [r.event for r in desk.records if isinstance(r.event, e.HedgeLost)]
    assert (lost.decoded.usage.completion_tokens, lost.decoded.usage_at_least) == (0, True)


def a_stream(winner: int) -> tuple[Desk, Key, Key]:
    """A decode that its tags cut into segments, started twice; its first tag has come from `winner`."""
    desk = Desk(JobSpec(messages=SPEC.messages, policy="async-think"))
    assert desk.hedge(TRUNK)
    first, other = sorted(desk.running, key=lambda key: key.copy != winner)
    desk.write(other, 3)
    desk.write(first, 5)
    desk.end(first, Finish.TAG, tag=Tag(kind="fork", ident="1", body="Six times?"), goes_on=True)
    return desk, first, other


@pytest.mark.parametrize("winner", [0, 1])
def test_of_a_stream_that_goes_on_behind_a_tag_only_the_loser_is_stopped_and_booked_whole(
    winner: int,
) -> None:
    desk, first, other = a_stream(winner)
    assert (desk.running[first].stopped, desk.running[other].stopped) == (False, True)
    desk.end(other, Finish.TAG, tag=Tag(kind="fork", ident="1", body="Other words?"), goes_on=True)
    desk.write(first, 4)
    desk.write(other, 2)
    desk.end(other, Finish.ABORT)
    [lost] = [r.event for r in desk.records if isinstance(r.event, e.HedgeLost)]
    assert (lost.copy, lost.segment, lost.decoded.usage.completion_tokens) == (1 - winner, 1, 5)
    [second] = [partial for partial in desk.texts if partial.branch == TRUNK]
    assert (second.segment, second.tokens) == (2, 4)
    assert desk.interpreter.state.usage.completion_tokens == 5 + 5
    assert replay(desk.records).state == desk.interpreter.state


def test_a_crash_behind_the_tag_books_what_went_on_and_what_was_lost() -> None:
    desk, first, _ = a_stream(1)
    desk.write(first, 4)
    desk.save()
    desk.crash()
    [lost] = [r.event for r in desk.records if isinstance(r.event, e.HedgeLost)]
    [one, two] = [r.event for r in desk.records if isinstance(r.event, e.SegmentFinished)][:2]
    assert (lost.copy, lost.decoded.usage_at_least) == (0, True)
    assert (one.copy, one.decoded.usage.completion_tokens) == (1, 5)
    assert (two.segment, two.copy, two.decoded.usage.completion_tokens) == (2, 0, 4)
