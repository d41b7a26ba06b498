"""What is known of a call from outside: each request has its last message once, whatever comes beside it."""

from tests.workers.conftest import RequestFor

from anabranch.dag.decoding import Decoded, Finish
from anabranch.workers.messages import Message, SegmentDone, TextPiece
from anabranch.workers.pool.in_flight import InFlightCall


def test_what_comes_behind_an_end_is_left_out_and_the_others_hear_theirs(request_for: RequestFor) -> None:
    heard: list[Message] = []
    one, two = request_for("0.1"), request_for("0.2")
    call = InFlightCall([one, two], heard.append)
    ended = SegmentDone(key=one.key, segment=1, decoded=Decoded(text="x", finish=Finish.EOS))
    call.receive([ended])
    assert (call.request(one.key), call.request(two.key)) == (None, two)
    assert (one.key in call, two.key in call, len(call), call.keys) == (False, True, 1, [two.key])
    piece = TextPiece(key=two.key, segment=1, offset=0, text="y", tokens=1)
    call.receive([ended, piece])
    assert heard == [ended, piece]
