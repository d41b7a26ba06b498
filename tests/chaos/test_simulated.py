"""Organizers die at every commit, in virtual time; no promise is broken. `benchmarks/chaos.py` is the long form."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.chaos.faults import CALM, USUAL, Odds
from tests.chaos.house import Tally, survive
from tests.chaos.invariants import violations

pytestmark = pytest.mark.chaos

SETTINGS = {
    "usual": USUAL,
    "deaths only": replace(CALM, death=0.2),
    "lost replies": replace(CALM, lost_reply=0.1, refusal=0.1),
    "bad wires": replace(CALM, replica_death=0.2, lost_text=0.5, twice=0.5, late=0.9),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("odds", SETTINGS.values(), ids=SETTINGS.keys())
def test_nothing_is_lost_nothing_counted_twice_and_every_journal_is_whole(
    tmp_path: Path, template: Path, odds: Odds, seed: int
) -> None:
    tally = Tally()
    url = survive(tmp_path, template, seed, tally, deaths=15, jobs=4, odds=odds)
    assert asyncio.run(violations(url, tally.jobs, tally.meter)) == []
    assert len(set(tally.jobs)) == 4
    assert tally.meter.second_decodes or odds.death, "nobody dies young, and nothing was decoded twice"


def test_a_seed_decides_all(tmp_path: Path, template: Path) -> None:
    tallies = [Tally(), Tally()]
    for number, tally in enumerate(tallies):
        (tmp_path / str(number)).mkdir()
        survive(tmp_path / str(number), template, 5, tally, deaths=15, jobs=4)
    first, second = tallies
    assert first.deaths > 0
    assert (first.deaths, first.pauses, first.commits) == (second.deaths, second.pauses, second.commits)
    assert first.virtual_seconds == second.virtual_seconds
