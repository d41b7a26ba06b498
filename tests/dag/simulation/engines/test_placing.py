"""Where simulated decodes go, and what is cached there."""

from anabranch.dag.simulation.engines.placing import TOLERANCE, Placing


def test_what_shares_a_prefix_follows_it_until_its_home_has_too_much_to_do() -> None:
    placing = Placing(3)
    home = placing.place(1, "0")
    followers = [placing.place(1, "0") for _ in range(TOLERANCE)]
    assert set(followers) == {home}
    assert placing.place(1, "0") != home
    for _ in range(TOLERANCE + 1):
        placing.free(home)
    assert placing.place(1, "0") == home


def test_all_else_goes_where_least_is_to_do() -> None:
    placing = Placing(5)
    places = [placing.place(job, "0") for job in range(10)]
    assert sorted(places) == sorted([*range(5)] * 2)
    placing.free(3)
    assert placing.place(99, "0") == 3


def test_a_beginning_that_was_computed_is_cached_where_it_was_until_the_job_ends() -> None:
    placing = Placing(2)
    placing.remember(1, "0", 0, "What is due? On Monday.")
    assert placing.cached(1, "0", 0, "What is due? On Tuesday.") == len("What is due? On ")
    assert placing.cached(1, "0", 0, "What is due? On Monday. So") == len("What is due? On Monday.")
    assert placing.cached(1, "0", 1, "What is due?") == 0
    assert placing.cached(2, "0", 0, "What is due?") == 0
    placing.forget(1)
    assert placing.cached(1, "0", 0, "What is due?") == 0
