"""The first stop string to be completed ends the text, however it is cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from anabranch.workers.engines.stops import StopWatch


@given(
    st.text("ab", max_size=20),
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=3),
    st.lists(st.integers(0, 20)),
)
def test_any_cut_of_the_text_stops_at_the_same_place(text: str, stops: list[str], cuts: list[int]) -> None:
    ends = [found + len(stop) for stop in stops if (found := text.find(stop)) >= 0]
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    watch, told, stopped = StopWatch(stops), "", False
    for begin, end in pairwise(places):
        piece, stopped = watch.feed(text[begin:end])
        told += piece
        if stopped:
            break
    assert stopped == bool(ends)
    assert told == (text[: min(ends)] if ends else text)
