"""Which decodes are late beside their siblings: told by the times alone."""

from datetime import UTC, datetime, timedelta

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.ids import BranchId, JobId
from anabranch.service.organizer.job.stragglers import LEAST_SECONDS, Stragglers, quantile

BEGAN = datetime(2026, 11, 28, tzinfo=UTC)


class Story:
    """Siblings 0.1 … that began together."""

    def __init__(self, siblings: int) -> None:
        self.stragglers = Stragglers()
        for number in range(1, siblings + 1):
            self.at(0.0, e.BranchForked(child=BranchId(f"0.{number}"), role="sample"))
            self.at(0.0, e.SegmentStarted(branch=BranchId(f"0.{number}"), segment=1))

    def at(self, seconds: float, event: e.Event) -> None:
        when = BEGAN + timedelta(seconds=seconds)
        self.stragglers.note(
            e.Record(job=JobId("j"), seq=1, epoch=1, at=when, event=event, prev_hash="", hash="")
        )

    def ends(self, number: int, seconds: float, tokens: int = 100) -> None:
        decoded = Decoded(text="", finish=Finish.EOS, usage=Usage(completion_tokens=tokens))
        self.heard(number, seconds / 10, 1)
        self.at(
            seconds, e.SegmentFinished(branch=BranchId(f"0.{number}"), segment=1, attempt=1, decoded=decoded)
        )

    def heard(self, number: int, seconds: float, tokens: int) -> None:
        self.stragglers.heard(BranchId(f"0.{number}"), 1, tokens, BEGAN.timestamp() + seconds)

    def late(self, seconds: float) -> list[str]:
        return [late.branch for late in self.stragglers.late(BEGAN.timestamp() + seconds)]

    def next_look(self) -> float | None:
        look = self.stragglers.next_look()
        return None if look is None else round(look - BEGAN.timestamp(), 3)


def test_siblings_say_nothing_before_three_have_ended() -> None:
    story = Story(4)
    story.ends(1, 10.0)
    story.ends(2, 10.0)
    assert story.next_look() is None and story.late(1000.0) == []


def test_one_that_is_slower_than_its_siblings_is_late_beyond_their_time() -> None:
    story = Story(4)
    for number, seconds in ((1, 8.0), (2, 9.0), (3, 10.0)):
        story.ends(number, seconds)
    story.heard(4, 1.0, tokens=3)
    assert story.next_look() == 10.0
    assert story.late(9.9) == []
    assert story.late(10.0) == ["0.4"]
    assert story.late(19.9) == []
    assert story.late(20.0) == ["0.4"], "it was not started once more: the job may have room for that now"
    story.at(20.0, e.SegmentHedged(branch=BranchId("0.4"), segment=1, attempt=1, seconds=20.0, usual=10.0))
    assert story.late(1000.0) == []


def test_one_that_merely_writes_more_is_not_late() -> None:
    story = Story(4)
    for number in (1, 2, 3):
        story.ends(number, 10.0, tokens=100)
    story.heard(4, 1.0, tokens=1)
    story.heard(4, 10.0, tokens=101)
    assert story.late(10.0) == []
    assert story.next_look() == 20.0, "it is looked at again"
    assert story.late(20.0) == ["0.4"], "it has slowed down since"


def test_one_without_a_first_token_is_late_when_its_siblings_had_theirs() -> None:
    story = Story(4)
    for number in (1, 2, 3):
        story.heard(number, 2.0, tokens=1)
    assert story.next_look() == 2.0
    [late] = story.stragglers.late(BEGAN.timestamp() + 2.5)
    assert (late.branch, late.silent, late.seconds, late.usual) == ("0.4", True, 2.5, 2.0)


def test_nobody_is_late_in_its_first_second() -> None:
    story = Story(4)
    for number in (1, 2, 3):
        story.ends(number, 0.01)
    assert story.next_look() == LEAST_SECONDS


def test_branches_of_another_role_say_nothing() -> None:
    story = Story(3)
    story.at(0.0, e.BranchForked(child=BranchId("0.9"), role="judge"))
    story.at(0.0, e.SegmentStarted(branch=BranchId("0.9"), segment=1))
    for number in (1, 2, 3):
        story.ends(number, 2.0)
    assert story.late(100.0) == []


def test_the_time_of_the_trunk_is_nobodys_measure() -> None:
    story = Story(0)
    story.at(0.0, e.SegmentStarted(segment=1))
    assert story.late(100.0) == []


def test_the_wait_before_another_try_does_not_count() -> None:
    story = Story(4)
    for number in (1, 2, 3):
        story.ends(number, 2.0)
    story.at(3.0, e.BranchRetried(branch=BranchId("0.4"), attempt=2, cause="timeout", delay=10.0))
    story.at(3.0, e.SegmentStarted(branch=BranchId("0.4"), segment=2, attempt=2))
    assert story.late(13.5) == [] and story.late(15.0) == ["0.4"]


def test_the_share_is_a_nearest_rank() -> None:
    assert quantile([1.0, 2.0]) is None
    assert quantile([float(number) for number in range(1, 101)]) == 95.0
