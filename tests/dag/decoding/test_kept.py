"""Kept tokens come back as they were."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.decoding.kept import pack

IDS = st.lists(st.integers(0, 2**32 - 1), min_size=1)


@given(IDS)
def test_ids_come_back(ids: list[int]) -> None:
    kept = pack(ids, ())
    assert kept.token_ids == tuple(ids)
    assert kept.token_logprobs is None


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(-9999, 0, width=32)), min_size=1))
def test_logprobs_come_back_in_single_precision(told: list[tuple[int, float]]) -> None:
    ids, logprobs = [each[0] for each in told], [each[1] for each in told]
    kept = pack(ids, logprobs)
    assert kept.token_ids == tuple(ids)
    assert kept.token_logprobs == tuple(logprobs)
    assert len(kept.ids) == len(kept.logprobs) <= len(ids) * 16 / 3 + 4


def test_a_part_of_the_logprobs_is_none() -> None:
    assert pack([1, 2], [-0.5]).token_logprobs is None


def test_the_form_is_little_endian_on_every_machine() -> None:
    kept = pack([1, 258], [-1.0, 0.0])
    assert (kept.ids, kept.logprobs) == ("AQAAAAIBAAA=", "AACAvwAAAAA=")
    assert struct.unpack("<f", b"\x00\x00\x80\xbf") == (-1.0,)
