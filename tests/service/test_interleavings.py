"""From an engine's pieces to the deltas of an answer: whatever is lost, late or told again on the way, what a reader is
told is the answer exactly. The parts are the real ones; chance decides who does the next step."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.api.answering.test_answer_stream import record

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.job import AnswerFormat, JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.text import say
from anabranch.dag.vocabulary import Cause
from anabranch.service.api.answering.answer_stream import AnswerStream, Content, Delta, Ended
from anabranch.service.api.live.text import OpenTexts, TextPlaces
from anabranch.service.link.frames import Texts, Up
from anabranch.service.link.outbox import Outbox
from anabranch.service.organizer.job.lost_decodes import end_lost_segment, find_saved, keep_final_text
from anabranch.service.organizer.live import Live
from anabranch.service.store.journal.told_texts import ToldText
from anabranch.workers.messages import Key, TextPiece
from anabranch.workers.pool.protocol import PoolLoad

JOB = JobId("j")
DIED = Fault(cause=Cause.REPLICA_DIED)


class Told:
    """The store's pieces, under the epoch of the last claim."""

    def __init__(self) -> None:
        self.epoch = 1
        self.pieces: dict[tuple[int, int], ToldText] = {}

    async def save(self, told: Mapping[tuple[JobId, int], Sequence[ToldText]]) -> frozenset[JobId]:
        if (JOB, self.epoch) not in told:
            return frozenset()
        for piece in told[JOB, self.epoch]:
            self.pieces[piece.segment, piece.ordinal] = piece
        return frozenset({JOB})

    def read(self) -> list[ToldText]:
        return [self.pieces[place] for place in sorted(self.pieces)]


class Owner:
    def nudge(self, job: JobId | None = None) -> None: ...

    def load(self) -> PoolLoad:
        return PoolLoad(replicas=1, decoding=0, capacity=1)


class Connection:
    """What the organizer's end of the link keeps of one REST process."""

    def __init__(self) -> None:
        self.outbox = Outbox()

    def wake(self) -> None: ...


class World:
    """An organizer and its successors, a journal, a link and one reader."""

    def __init__(self, form: AnswerFormat) -> None:
        spec = JobSpec(messages=(say("user", "What?"),), policy="sequential", answer_format=form)
        self.form = form
        self.store = Told()
        self.journal: list[e.Record] = []
        self.kept = ""
        """The answer's text in segments that have ended."""
        self.open = ""
        """The text of the open one that has come."""
        self.segment = 0
        self.wire: list[Up] = []
        self.texts = OpenTexts()
        self.places = TextPlaces(Texts.ANSWER)
        self.seen = 0
        self.stream = AnswerStream(spec)
        self.deltas: list[Delta] = []
        self.take_up()
        self.start()

    def take_up(self) -> None:
        self.live = Live(self.store, Owner())  # type: ignore[arg-type]
        self.partials = self.live.begin(JOB, self.store.epoch)
        self.connect()

    def connect(self) -> None:
        """What was on the wire is lost."""
        self.wire = []
        self.texts.lose("organizer")
        self.connection = Connection()
        connections: Any = self.live._server._connections
        connections.clear()
        connections.add(self.connection)
        self.connection.outbox.follow(JOB, Texts.ANSWER, None, self.live.open_branches(JOB))
        self.live.followed(JOB)

    def append(self, event: e.Event) -> None:
        told = record(event)
        self.journal.append(
            e.Record(
                job=JOB, seq=len(self.journal) + 1, epoch=1, at=told.at, event=event, prev_hash="", hash=""
            )
        )
        self.partials.note(self.journal[-1])

    def start(self) -> None:
        self.segment, self.open = self.segment + 1, ""
        self.append(e.SegmentStarted(segment=self.segment, final=True))

    def finish(self, decoded: Decoded) -> None:
        self.kept += "" if decoded.finish is Finish.ERROR else decoded.text
        self.append(e.SegmentFinished(segment=self.segment, attempt=1, decoded=decoded))

    # -- steps

    def write(self, text: str) -> None:
        key = Key(job=JOB, branch=TRUNK, segment=self.segment)
        piece = TextPiece(key=key, segment=self.segment, offset=len(self.open), text=text, tokens=1)
        self.open += text
        self.partials.add(piece)

    async def save(self) -> None:
        self.live._store_at = 0.0
        await self.live.store_texts()

    def send(self) -> None:
        up = self.connection.outbox.take(self.live.open_text)
        if up is not None:
            self.wire.append(Up.read(up.write()))

    def receive(self) -> None:
        for up in self.wire:
            for text in up.texts:
                self.texts.add("organizer", text)
            for branch, segment in up.ended.get(JOB, {}).items():
                self.texts.finish(BranchId(branch), segment)
        self.wire = []

    def read_record(self) -> None:
        for told in self.journal[self.seen : self.seen + 1]:
            self.seen = told.seq
            match told.event:
                case e.SegmentStarted() as started:
                    self.places.start(started)
                case e.SegmentFinished() as finished:
                    self.places.finish(finished)
                case _:
                    pass
            self.deltas += self.stream.read([told])

    def read_text(self) -> None:
        self.deltas += self.stream.read([], self.places.read(self.texts, self.seen))

    def read_all(self) -> None:
        while self.seen < len(self.journal):
            self.read_record()

    def deliver(self) -> None:
        for step in (self.send, self.receive, self.read_text):
            step()

    async def die(self) -> None:
        """kill -9; an older process may still be storing."""
        older, self.store.epoch = self.live, self.store.epoch + 1
        older._store_at = 0.0
        await older.store_texts()
        started = self.journal[-1].event
        assert isinstance(started, e.SegmentStarted)
        saved = find_saved(started, {}, self.store.read())
        self.take_up()
        self.finish(end_lost_segment(started, saved, Limits()).decoded)
        self.start()

    def lose_replica(self) -> None:
        started = self.journal[-1].event
        assert isinstance(started, e.SegmentStarted)
        self.partials.ended(TRUNK, self.segment)
        self.finish(keep_final_text(started, Decoded(text=self.open, finish=Finish.ERROR, fault=DIED)))
        self.start()

    def end(self) -> str:
        self.partials.ended(TRUNK, self.segment)
        self.finish(Decoded(text=self.open, finish=Finish.EOS))
        answer = self.form.cut(self.kept).strip()
        self.append(e.AnswerCommitted(text=answer))
        self.append(e.JobSucceeded())
        return answer


STEPS = (
    "save",
    "send",
    "receive",
    "read_record",
    "read_text",
    "die",
    "lose_replica",
    "connect",
    "read_all",
    "deliver",
)
WRITTEN = st.text("ab E\n", min_size=1, max_size=6)


@settings(max_examples=500)
@given(
    steps=st.lists(st.one_of(st.sampled_from(STEPS), WRITTEN), min_size=10, max_size=60),
    stops=st.lists(st.text("abE", min_size=1, max_size=3), max_size=2),
)
def test_what_is_told_is_the_answer_whatever_is_lost_on_the_way(steps: list[str], stops: list[str]) -> None:
    async def run() -> None:
        world = World(AnswerFormat(stop=tuple(stops)))
        for step in steps:
            if step in STEPS:
                done = getattr(world, step)()
                if done is not None:
                    await done
            else:
                world.write(step)
        answer = world.end()
        world.read_all()
        told = [delta.text for delta in world.deltas if isinstance(delta, Content)]
        assert "".join(told) == answer
        assert [delta for delta in world.deltas if not isinstance(delta, Content)] == [Ended(answered=True)]

    asyncio.run(run())


def test_text_is_told_before_its_segment_ends() -> None:
    async def run() -> None:
        world = World(AnswerFormat())
        world.read_record()
        world.write("so far")
        world.deliver()
        assert not world.deltas, "it is not stored yet"
        await world.save()
        world.deliver()
        assert world.deltas == [Content("so far")]

    asyncio.run(run())
