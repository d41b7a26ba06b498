"""A replica learns from its own streams how long a step takes with so many of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import BranchId, JobId
from anabranch.workers.messages import Key, SegmentDone, TextPiece
from anabranch.workers.replica.step_times import StepTimes


class Engine:
    """Gives each of its streams a token for every step."""

    def __init__(self, fixed: float, per_stream: float) -> None:
        self.times = StepTimes()
        self.fixed, self.per_stream = fixed, per_stream
        self._now = 0.0
        self._key = 0

    def decode(self, streams: int, steps: int, gathered: int = 1) -> None:
        """Every stream is heard of once in so many steps, each in its own turn."""
        keys = [Key(job=JobId("j"), branch=BranchId(f"0.{self._key + n}"), segment=1) for n in range(streams)]
        self._key += streams
        for step in range(1, steps + 1):
            self._now += self.fixed + self.per_stream * streams
            for number, key in enumerate(keys):
                if (step + number) % gathered and step < steps:
                    continue
                piece = TextPiece(key=key, segment=1, offset=step, text="x", tokens=step)
                self.times.heard(piece, self._now)
        for key in keys:
            done = SegmentDone(key=key, segment=1, decoded=Decoded(text="", finish=Finish.EOS))
            self.times.heard(done, self._now)
        self._now += 10.0  # nobody decodes


def test_nothing_is_known_at_first_and_two_streams_are_tried() -> None:
    fit = StepTimes().fit
    assert fit(2) == 0.0
    assert fit(3) == float("inf")


@settings(max_examples=15, deadline=None)
@given(fixed=st.floats(0.02, 0.1), per_stream=st.floats(0.0, 0.01))
def test_a_line_is_found(fixed: float, per_stream: float) -> None:
    engine = Engine(fixed, per_stream)
    for streams in (1, 2, 4, 8, 16, 8, 2):
        engine.decode(streams, 60)
    fit = engine.times.fit
    for streams in (1, 8, 16):
        assert abs(fit(streams) - fixed - per_stream * streams) < 0.05 * (fixed + per_stream * streams)


def test_of_gathered_tokens_the_same_line_is_found() -> None:
    engine = Engine(0.004, 0.0005)
    for _ in range(3):
        for streams in (1, 4, 16, 2, 8):
            engine.decode(streams, 500, gathered=5)
    fit = engine.times.fit
    for streams in (1, 4, 16):
        assert abs(fit(streams) - engine.fixed - engine.per_stream * streams) < 0.1 * fit(streams)


def test_twice_as_many_as_were_measured_are_not_guessed() -> None:
    engine = Engine(0.02, 0.001)
    engine.decode(4, 100)
    assert engine.times.fit(8) < 0.05
    assert engine.times.fit(9) == float("inf")


def test_a_stall_does_not_spoil_the_line() -> None:
    engine = Engine(0.02, 0.001)
    for _ in range(5):
        for streams in (1, 8):
            engine.decode(streams, 200)
    before = engine.times.fit(4)
    engine.fixed = 2.0
    engine.decode(4, 2)
    assert engine.times.fit(4) < 1.2 * before


def test_an_engine_that_slows_is_followed() -> None:
    engine = Engine(0.02, 0.001)
    for slower in (1, 2):
        engine.fixed, engine.per_stream = 0.02 * slower, 0.001 * slower
        for _ in range(20):
            for streams in (1, 8):
                engine.decode(streams, 200)
    assert abs(engine.times.fit(8) - 0.056) < 0.006
