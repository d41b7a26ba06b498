"""A replica tells each organizer which texts it has read and written for the others."""

from collections import defaultdict
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.workers.conftest import RequestFor, make_request

from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.text import Context
from anabranch.workers.messages import DecodeRequest, SegmentDone
from anabranch.workers.prefixes import BLOCK, Keys, Prefixes, keys_of, text_of
from anabranch.workers.replica.prefix_news import CALLERS, PrefixNews


def long(letter: str) -> str:
    return letter * 3 * BLOCK


def read_of(request: DecodeRequest) -> Keys:
    return keys_of(text_of(request.context))


def end_of(request: DecodeRequest, text: str, *, segment: int = 1, still_open: bool = False) -> SegmentDone:
    decoded = Decoded(text=text, finish=Finish.EOS, open=still_open)
    return SegmentDone(key=request.key, segment=segment, decoded=decoded)


def test_what_one_organizer_has_read_the_others_are_told_once(request_for: RequestFor) -> None:
    news = PrefixNews()
    request = request_for(prompt=long("a"))
    news.read([request], "one")
    assert news.since_last("one") == ()
    assert news.since_last("two") == tuple(read_of(request))
    assert news.since_last("two") == ()


def test_one_that_comes_later_is_told_all_the_same(request_for: RequestFor) -> None:
    """An organizer that was restarted finds its jobs' prefixes again."""
    news = PrefixNews()
    request = request_for(prompt=long("a"))
    news.read([request], "one")
    news.since_last("two")
    assert news.since_last("one, restarted") == tuple(read_of(request))


def test_what_a_decode_wrote_in_all_its_segments_is_told_at_its_end(request_for: RequestFor) -> None:
    news = PrefixNews()
    request = request_for(prompt=long("a"))
    news.read([request], "one")
    news.since_last("two")
    news.wrote(end_of(request, long("b"), still_open=True))
    assert news.since_last("two") == ()
    news.wrote(end_of(request, long("c"), segment=2))
    whole = keys_of(text_of(request.context) + long("b") + long("c"))
    assert news.since_last("two") == tuple(whole[len(read_of(request)) :])


def test_of_a_decode_that_was_given_up_nothing_is_kept(request_for: RequestFor) -> None:
    news = PrefixNews()
    request = request_for(prompt=long("a"))
    news.read([request], "one")
    news.wrote(end_of(request, long("b"), still_open=True))
    news.forget(request.key)
    news.since_last("two")
    news.wrote(end_of(request, long("c"), segment=2))
    assert news.since_last("two") == ()


def test_of_many_the_newest_are_told(request_for: RequestFor) -> None:
    news = PrefixNews(kept=3)
    request = request_for(prompt="".join(map(long, "abc")))
    news.read([request], "one")
    assert news.since_last("two") == tuple(read_of(request)[-3:])


def test_of_organizers_that_are_long_gone_nothing_is_kept(request_for: RequestFor) -> None:
    news = PrefixNews()
    news.read([request_for(prompt=long("a"))], "one")
    for number in range(CALLERS + 1):
        assert len(news.since_last(f"organizer {number}")) == len(read_of(request_for(prompt=long("a"))))
    assert news.since_last(f"organizer {CALLERS}") == ()
    assert news.since_last("organizer 0"), "it hears the same again"


EVENTS = st.lists(
    st.tuples(st.sampled_from("xyz"), st.none() | st.text("ab", min_size=1, max_size=4)), max_size=30
)


@given(EVENTS)
def test_own_and_told_together_are_all_that_the_replica_holds(
    events: list[tuple[str, str | None]],
) -> None:
    """In any order of reading and hearing, once all have heard."""
    news, replica = PrefixNews(), Prefixes()
    books: defaultdict[str, Prefixes] = defaultdict(Prefixes)
    texts = []
    for number, (caller, letters) in enumerate(events):
        if letters is None:
            books[caller].add(news.since_last(caller))
            continue
        context = Context((("user", "".join(letter * BLOCK for letter in letters)),))
        keys = keys_of(text_of(context))
        texts.append(keys)
        news.read([replace(make_request(f"0.{number}"), context=context)], caller)
        books[caller].add(keys)
        replica.add(keys)
    for caller in "xyz":
        books[caller].add(news.since_last(caller))
        assert [books[caller].held(keys) for keys in texts] == [replica.held(keys) for keys in texts]
