"""How sure a model is: of a token, of a group of tokens, of a text (arXiv 2508.15260, section 2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.decoding.confidence import SUREST, Confidence, ConfidenceMeter, ConfidenceRule
from anabranch.dag.decoding.logprobs import LEAST, Likelihood, TokenLogprob

SURE = st.lists(st.floats(0, 50), max_size=60)


def token(*likeliest: float) -> TokenLogprob:
    return TokenLogprob(
        token="a", logprob=-1.0, top=tuple(Likelihood(token="b", logprob=each) for each in likeliest)
    )


def meter_of(sure: list[float], **rule: float) -> ConfidenceMeter:
    meter = ConfidenceMeter(rule=ConfidenceRule(**rule))  # type: ignore[arg-type]
    meter.feed([token(-each) for each in sure])
    return meter


def test_a_token_is_as_sure_as_its_others_are_unlikely() -> None:
    """-(−0.1 − 3 − 8.9) / 3 = 4; the fourth likeliest is not looked at."""
    meter = ConfidenceMeter(rule=ConfidenceRule(likeliest=3))
    meter.feed([token(-0.1, -3.0, -8.9, -90.0)])
    assert meter.measured() == Confidence(mean=4.0, lowest=4.0, tokens=1)


def test_the_lowest_group_is_the_worst_stretch() -> None:
    """Groups of two: 7, 5, 3, 5.5."""
    assert meter_of([8, 6, 4, 2, 9], group=2).measured() == Confidence(mean=5.8, lowest=3.0, tokens=5)


def test_a_text_shorter_than_a_group_has_its_mean_and_is_never_stopped() -> None:
    meter = meter_of([1, 2, 3], group=4, least=50.0)
    assert meter.measured() == Confidence(mean=2.0, lowest=2.0, tokens=3)
    assert not meter.stopped


def test_it_stops_at_the_first_group_below_the_least_and_measures_no_further() -> None:
    meter = meter_of([8, 6, 4, 2, 9], group=2, least=5.0)
    assert meter.stopped
    assert meter.measured() == Confidence(mean=5.0, lowest=3.0, tokens=4)
    assert not meter_of([8, 6, 4], group=2, least=5.0).stopped  # as sure as the least is sure enough


def test_what_nobody_tells_is_not_measured() -> None:
    meter = ConfidenceMeter(rule=ConfidenceRule(group=1, least=5.0))
    meter.feed([TokenLogprob(token="a", logprob=-1.0)])
    assert meter.measured() is None
    assert not meter.stopped


def test_a_token_that_alone_could_come_is_no_more_than_surest() -> None:
    meter = ConfidenceMeter(rule=ConfidenceRule())
    meter.feed([token(0.0, LEAST, LEAST)])
    assert meter.measured() == Confidence(mean=SUREST, lowest=SUREST, tokens=1)


@given(sure=SURE, group=st.integers(1, 20))
def test_it_is_what_the_definition_says(sure: list[float], group: int) -> None:
    measured = meter_of(sure, group=group).measured()
    if not sure:
        assert measured is None
        return
    assert measured is not None
    groups = [sum(sure[at : at + group]) / group for at in range(len(sure) - group + 1)]
    assert measured.mean == pytest.approx(sum(sure) / len(sure), abs=1e-5)
    assert measured.lowest == pytest.approx(min(groups) if groups else sum(sure) / len(sure), abs=1e-5)


@given(sure=SURE, cut=st.integers(0, 60), least=st.floats(0, 50), group=st.integers(1, 20))
def test_chunks_make_no_difference(sure: list[float], cut: int, least: float, group: int) -> None:
    whole = meter_of(sure, group=group, least=least)
    parts = meter_of(sure[:cut], group=group, least=least)
    parts.feed([token(-each) for each in sure[cut:]])
    assert (parts.measured(), parts.stopped) == (whole.measured(), whole.stopped)
