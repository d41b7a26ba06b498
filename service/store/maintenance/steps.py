"""Says how many jobs a long work takes up in one transaction, so that organizers need not wait for it."""

FIRST_COUNT, MOST_AT_ONCE = 20, 200
"""Jobs of the first step, and of any."""
HOLD_SECONDS = 0.05
"""A step should take no longer, for organizers wait for it: how long a job's rows take depends on its journal,
on the disk and on who else writes."""


def next_count(count: int, seconds: float) -> int:
    """How many jobs the next step takes up, when one of so many took so long."""
    return max(1, min(MOST_AT_ONCE, int(count * HOLD_SECONDS / max(seconds, 1e-6))))
