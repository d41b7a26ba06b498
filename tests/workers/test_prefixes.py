"""The pool's book of what replicas have read and written: by text, in blocks, the oldest forgotten first."""

from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.text import Context
from anabranch.workers.prefixes import BLOCK, PrefixBook, Prefixes, keys_of, text_of


def text(blocks: str) -> str:
    """A block for each letter."""
    return "".join(letter * BLOCK for letter in blocks)


@given(st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_what_two_texts_share_is_their_common_prefix(one: str, other: str) -> None:
    book = PrefixBook()
    book.add(keys_of(text(one)), "r")
    shared = next(
        (at for at, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other))
    )
    assert book.held(keys_of(text(other)), "r") == shared


def test_replicas_hold_what_they_read_themselves() -> None:
    book = PrefixBook()
    book.add(keys_of(text("abc")), "r")
    assert book.held(keys_of(text("abc")), "s") == 0


def test_the_ends_that_were_used_least_recently_are_forgotten_first() -> None:
    prefixes = Prefixes(remembered=4)
    for each in ("abc", "abx", "aby"):
        prefixes.add(keys_of(text(each)))
    assert [prefixes.held(keys_of(text(each))) for each in ("abc", "abx", "aby")] == [2, 3, 3]


@given(st.lists(st.text("ab", max_size=6), max_size=12), st.integers(min_value=1, max_value=12))
def test_what_is_new_is_what_was_not_remembered(read: list[str], remembered: int) -> None:
    """Told of what is new, in order, another book is the same, as long as nothing is forgotten."""
    prefixes, told, bounded = Prefixes(), Prefixes(), Prefixes(remembered)
    for each in read:
        told.add(prefixes.add(keys_of(text(each))))
        bounded.add(keys_of(text(each)))
    for each in read:
        keys = keys_of(text(each))
        assert told.held(keys) == prefixes.held(keys) == len(keys)
        assert bounded.held(keys) <= min(remembered, len(keys))


def test_keys_are_the_same_in_every_process() -> None:
    """A replica tells its own: `hash` would be another in each."""
    assert keys_of("a" * BLOCK + "b" * BLOCK) == [2310301013, 1944792103]


@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_text_has_keys(text: str) -> None:
    assert len(keys_of(text)) == len(text.encode("utf-8", "surrogatepass")) // BLOCK


def test_what_a_replica_held_is_forgotten_when_it_is_gone() -> None:
    book = PrefixBook()
    book.add(keys_of(text("a")), "r")
    book.keep_only({"s"})
    assert book.held(keys_of(text("a")), "r") == 0


def test_an_answer_follows_what_was_said_as_the_engine_reads_it() -> None:
    asked = text_of(Context(messages=(("user", "why"),)))
    assert text_of(Context(messages=(("user", "why"),), continuation="so")) == asked + "so"
