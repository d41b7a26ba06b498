"""A replica that fails in the middle of the final thought costs no text that arrived."""

import pytest

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.service.organizer.job.lost_decodes import keep_final_text

FINAL = e.SegmentStarted(segment=1, final=True)
FAILED = Decoded(text="so far", finish=Finish.ERROR, fault=Fault(cause="replica-died"))


def test_the_final_thought_is_recorded_as_interrupted_with_its_fault() -> None:
    kept = keep_final_text(FINAL, FAILED)
    assert (kept.finish, kept.text, kept.fault) == (Finish.INTERRUPTED, "so far", FAILED.fault)


@pytest.mark.parametrize(
    ("started", "decoded"),
    [
        (e.SegmentStarted(segment=1), FAILED),
        (e.SegmentStarted(segment=1, final=True, structured=True), FAILED),
        (FINAL, Decoded(text="", finish=Finish.ERROR, fault=Fault(cause="replica-died"))),
        (FINAL, Decoded(text="x", finish=Finish.ERROR, fault=Fault(cause="refused", retryable=False))),
        (FINAL, Decoded(text="x", finish=Finish.EOS)),
        (None, FAILED),
    ],
    ids=["other work", "a form", "no text", "in vain", "no failure", "of a decode that was given up"],
)
def test_anything_else_is_recorded_as_it_came(started: e.SegmentStarted | None, decoded: Decoded) -> None:
    assert keep_final_text(started, decoded) is decoded
