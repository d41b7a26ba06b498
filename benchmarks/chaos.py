"""Kills organizers, thousands of times, in a world of virtual time, and looks at every journal that is left.

Real organizers and a real store (SQLite); the seed decides at which commits a process dies (just before, or just
after), when it is paused for longer than its lease, when the store is away or loses a reply, which messages between
pool and organizer come late, twice or never. A seed that breaks a promise is printed, and shows it again:

    python benchmarks/chaos.py --deaths 10000
    python benchmarks/chaos.py --seed 7
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.chaos.house import Tally, survive
from tests.chaos.invariants import violations
from tests.chaos.world import make_template

MEMORY = Path("/dev/shm")
"""A crash of a simulated process loses nothing that the file system has; so memory is as good as a disk."""


def main() -> int:
    options = read_options()
    logging.disable(logging.CRITICAL)  # thousands of organizers die; that is no news here
    sums: Counter[str] = Counter()
    began, broken = time.monotonic(), []
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        template = make_template(Path(place))
        seeds = [options.seed] if options.seed is not None else count(options.first_seed)
        for seed in seeds:
            tally, found = one(Path(place), template, seed)
            sums.update(told(tally))
            if found:
                broken.append(seed)
                print(f"seed {seed} breaks {len(found)} promises, the first: {found[0]}", flush=True)
            if sums["deaths"] >= options.deaths:
                break
            if sums["seeds"] % 10 == 0:
                print(f"  {sums['seeds']} seeds, {sums['deaths']} deaths …", file=sys.stderr, flush=True)
    print(report(sums, broken, time.monotonic() - began))
    return 1 if broken else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--deaths", type=int, default=10_000, help="run seeds until so many organizers have died"
    )
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seed", type=int, help="only this one")
    return parser.parse_args()


def one(place: Path, template: Path, seed: int) -> tuple[Tally, list[str]]:
    """What a seed did, and the promises that it broke."""
    tally = Tally()
    try:
        url = survive(place, template, seed, tally)
    except TimeoutError:
        return tally, ["a job was lost: it never ended"]
    found = asyncio.run(violations(url, tally.jobs, tally.meter))
    (place / f"{seed}.db").unlink()
    return tally, found


def told(tally: Tally) -> dict[str, float]:
    return {
        "seeds": 1,
        "jobs": len(tally.jobs),
        "deaths": tally.deaths,
        "pauses": tally.pauses,
        "outages": tally.outages,
        "hand-overs": tally.hand_overs,
        "dead replicas": tally.meter.replica_deaths,
        "second decodes": tally.meter.second_decodes,
        "commits": tally.commits,
        "refused requests": tally.refused_requests,
        "virtual seconds": round(tally.virtual_seconds),
    }


def report(sums: Counter[str], broken: list[int], seconds: float) -> str:
    lines = [f"{name:>18} {value:>10,}" for name, value in sums.items()]
    verdict = f"broken by seeds {broken}" if broken else "no promise was broken"
    return "\n".join([*lines, f"{'real seconds':>18} {seconds:>10,.0f}", verdict])


if __name__ == "__main__":
    sys.exit(main())
