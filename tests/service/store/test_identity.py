"""Ids are UUIDv7 as RFC 9562 (section 5.7) lays them out: milliseconds, version, chance, variant, chance."""

import hashlib
import time
from datetime import UTC, datetime
from uuid import RFC_4122, UUID

from anabranch.service.store.identity import approval_id, new_id


def test_an_id_says_when_it_was_made_and_what_it_is() -> None:
    before = time.time_ns() // 1_000_000
    made = UUID(new_id())
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, RFC_4122)


def test_ids_of_one_millisecond_differ_in_every_bit_of_chance() -> None:
    ones = zeros = 0
    for _ in range(200):
        drawn = UUID(new_id()).int
        ones |= drawn
        zeros |= ~drawn
    chance = (0xFFF << 64) | ((1 << 62) - 1)
    assert ones & zeros & chance == chance


def test_an_approvals_id_is_of_its_time_and_of_the_digest_of_its_name() -> None:
    at = datetime(2026, 11, 29, 12, 0, 0, 123_000, tzinfo=UTC)
    made = UUID(approval_id("j", 3, at)).int
    digest = int.from_bytes(hashlib.sha256(b"j/approval/3").digest()[:16])
    assert made >> 80 == 1795953600123
    assert (made >> 76 & 0xF, made >> 62 & 0x3) == (7, 2)
    assert made >> 64 & 0xFFF == digest >> 64 & 0xFFF
    assert made & (1 << 62) - 1 == digest & (1 << 62) - 1
