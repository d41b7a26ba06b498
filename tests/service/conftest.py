"""Journals written by hand, each event judged by the transition table, as the organizer's are."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.databases import Databases

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Timing, Usage
from anabranch.dag.decoding.kept import pack
from anabranch.dag.events import Event, Record
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.state import JobState, apply
from anabranch.dag.text import Base, Reading, say
from anabranch.service.store.sql import schema

START = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
TICK = timedelta(milliseconds=100)


class Writing:
    """A journal being written: one event each tick."""

    def __init__(self, job: str = "01900000-0000-7000-8000-000000000001") -> None:
        self.job = JobId(job)
        self.records: list[Record] = []
        self.epoch = 0
        self._state = JobState()

    @property
    def now(self) -> datetime:
        return START + TICK * len(self.records)

    def add(self, *events: Event) -> "Writing":
        for event in events:
            apply(self._state, event)
            self.records.append(
                Record(
                    job=self.job,
                    seq=len(self.records) + 1,
                    epoch=self.epoch,
                    at=self.now,
                    event=event,
                    prev_hash="",
                    hash="",
                )
            )
        return self

    def submit(
        self, question: str = "What is six times seven?", policy: str = "self-consistency"
    ) -> "Writing":
        spec = JobSpec(messages=(say("user", question),), policy=policy, params={"n": 2}, seed=7)
        return self.add(e.JobSubmitted(spec=spec, policy_version="v1"))

    def claim(self, owner: str = "organizer-1") -> "Writing":
        self.epoch += 1
        return self.add(e.JobClaimed(owner=owner, attempt=self.epoch))

    def fork(self, *children: str, role: str = "sample", after: tuple[str, ...] = ()) -> "Writing":
        for child in children:
            self.add(
                e.BranchForked(
                    branch=BranchId(child.rpartition(".")[0]),
                    child=BranchId(child),
                    role=role,
                    reading=Reading(base=Base.PROBLEM),
                    after=tuple(BranchId(one) for one in after),
                )
            )
        return self

    def start(self, branch: str, segment: int = 1, **told: object) -> "Writing":
        return self.add(
            e.SegmentStarted(branch=BranchId(branch), segment=segment, max_tokens=64, seed=11, **told)  # type: ignore[arg-type]
        )

    def finish(
        self,
        branch: str,
        text: str = "42",
        segment: int = 1,
        tokens: int = 10,
        fault: str = "",
        copy: int = 0,
        **told: object,
    ) -> "Writing":
        """The segment's times lie within the last tick, as a replica's clock would have them."""
        end = self.now.timestamp()
        decoded = Decoded(
            text=text,
            finish=Finish.ERROR if fault else Finish.EOS,
            usage=Usage(prompt_tokens=20, cached_tokens=16, completion_tokens=tokens),
            fault=Fault(cause=fault, detail="it went away") if fault else None,
            timing=Timing(
                submitted=end - 0.09,
                admitted=end - 0.08,
                scheduled=end - 0.07,
                first_token=end - 0.05,
                finished=end,
            ),
            replica="replica-1",
            engine="scripted",
            **told,  # type: ignore[arg-type]
        )
        branch_id = BranchId(branch)
        attempt = self._state.branches[branch_id].attempt
        return self.add(
            e.SegmentFinished(branch=branch_id, segment=segment, attempt=attempt, decoded=decoded, copy=copy)
        )

    def decode(self, branch: str, text: str = "42", tokens: int = 10) -> "Writing":
        """One whole decode, and what the branch returns of it."""
        self.start(branch).finish(branch, text, tokens=tokens)
        return self.add(e.BranchReturned(branch=BranchId(branch), value=text))

    def join(self, *joined: str, join: int = 1) -> "Writing":
        targets = tuple(BranchId(branch) for branch in joined)
        self.add(e.JoinRequested(join=join, targets=targets, mode=e.Mode.ALL, count=len(targets)))
        return self.add(e.BranchesJoined(join=join, joined=targets))

    def answer(self, text: str = "42", *sources: str) -> "Writing":
        self.add(e.AnswerCommitted(text=text, sources=tuple(BranchId(branch) for branch in sources)))
        return self.add(e.BranchReturned(branch=TRUNK, value=text), e.JobSucceeded())


def vote() -> Writing:
    """Two samples, both joined, one answer: the smallest journal with everything usual in it."""
    written = Writing().submit().claim().fork("0.1", "0.2")
    return written.decode("0.1").decode("0.2", tokens=30).join("0.1", "0.2").answer("42", "0.1", "0.2")


def hedged_vote(winner: int = 1) -> Writing:
    """The same, but that the second sample was late and decoded twice: 30 tokens count, and 90 are lost."""
    written = Writing().submit().claim().fork("0.1", "0.2").decode("0.1").start("0.2")
    late = BranchId("0.2")
    written.add(e.SegmentHedged(branch=late, segment=1, attempt=1, seconds=3.0, usual=1.0))
    written.finish("0.2", "42", tokens=30, copy=winner, kept=pack([5, 6], [-0.5, -0.25]))
    end = written.now.timestamp()
    wasted = Decoded(
        text="41, which is wrong",
        finish=Finish.ABORT,
        usage=Usage(prompt_tokens=20, completion_tokens=90),
        timing=Timing(submitted=end - 0.4, scheduled=end - 0.3, first_token=end - 0.2, finished=end),
        replica="replica-2",
        kept=pack([9], [-9.0]),
    )
    written.add(e.HedgeLost(branch=late, segment=1, attempt=1, decoded=wasted, copy=1 - winner))
    written.add(e.BranchReturned(branch=late, value="42"))
    return written.join("0.1", "0.2").answer("42", "0.1", "0.2")


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Makes databases of both kinds; one server of PostgreSQL for all tests of the process."""
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded database with its schema and nothing else: migrated once, copied for each test."""
    file = tmp_path_factory.mktemp("empty") / "anabranch.db"
    asyncio.run(schema.upgrade(f"sqlite:///{file}"))
    return file


@pytest.fixture
def writing() -> Callable[[], Writing]:
    return Writing


@pytest.fixture
def voted() -> Writing:
    return vote()
