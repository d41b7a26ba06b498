"""Server-Sent Events, read as the HTML standard says, however the bytes are cut."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.service.api.live.sse import PING, sse
from anabranch.service.client.frames import Frame, FrameReader


def read(pieces: Iterable[bytes]) -> list[Frame]:
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)]


@pytest.mark.parametrize(
    ("written", "frames"),
    [
        (b"data: a\n\n", [Frame("message", "a", "")]),
        (b"data:a\n\n", [Frame("message", "a", "")]),
        (b"data:  a\n\n", [Frame("message", " a", "")]),
        (b"data: a\ndata: b\n\n", [Frame("message", "a\nb", "")]),
        (b"data\n\n", [Frame("message", "", "")]),
        (b"id: 3\nevent: x\ndata: a\n\ndata: b\n\n", [Frame("x", "a", "3"), Frame("message", "b", "3")]),
        (b"event: x\n\ndata: a\n\n", [Frame("message", "a", "")]),
        (b": ping\n\ndata: a\n\n", [Frame("message", "a", "")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Frame("message", "a", "")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [Frame("message", one, "") for one in "abc"]),
        (b"retry: 10\nunknown: 1\ndata: a\n\n", [Frame("message", "a", "")]),
        (b"id: a\0b\ndata: a\n\n", [Frame("message", "a", "")]),
        (b"data: never ended\n", []),
        ("data: a\u2028b\x85c\n\n".encode(), [Frame("message", "a\u2028b\x85c", "")]),
    ],
)
def test_as_the_standard_parses_them(written: bytes, frames: list[Frame]) -> None:
    assert read([written]) == frames
    assert read(bytes([byte]) for byte in written) == frames


EVENTS = st.lists(
    st.tuples(st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8")), st.booleans()), max_size=5
)


@given(EVENTS, st.lists(st.integers(0, 400)), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_the_service_writes_is_read_wherever_it_is_cut(
    events: list[tuple[str, bool]], cuts: list[int], line_end: str
) -> None:
    escaped = {ord(letter): f"\\u{ord(letter):04x}" for letter in "\x85\u2028\u2029"}
    written = b"".join(sse(data, event="x", place="1") + (PING if ping else b"") for data, ping in events)
    written = written.replace(b"\n", line_end.encode())
    places = sorted({0, len(written), *(cut for cut in cuts if cut < len(written))})
    pieces = [written[start:end] for start, end in pairwise(places)]
    assert [frame.data for frame in read(pieces)] == [data.translate(escaped) for data, _ in events]
