"""Counts what the books of several organizers miss, and what they miss less when they hear more: conversations whose
turns are jobs of any organizer, on four replicas with a modelled prefix cache, in virtual time.

    python benchmarks/locality_talks.py

The same numbers on every machine (`tests/workers/pool/talks.py`).
"""

from tests.workers.pool.talks import Learning, converse

ROOMS = (10**9, 16_000, 8_000)
"""Tokens that a replica's cache has room for."""


def main() -> None:
    print(
        "tokens cached where they are read, of those cached anywhere; in brackets the tokens that were prefilled"
    )
    print(f"{'organizers':>10}{'room':>10}" + "".join(f"{learning:>42}" for learning in Learning))
    for organizers in (1, 3, 6):
        for room in ROOMS:
            each = [converse(learning, organizers=organizers, room_tokens=room) for learning in Learning]
            shares = "".join(f"{one.share:>30.1%} ({one.read - one.cached:>9,})" for one in each)
            print(f"{organizers:>10}{'all' if room == max(ROOMS) else f'{room:,}':>10}{shares}")


if __name__ == "__main__":
    main()
