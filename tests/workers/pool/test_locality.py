"""Decodes go where what they read is cached: counted over all policies on four replicas, in virtual time."""

from typing import Any

import pytest
from tests.workers.pool.locality import POLICIES, Cluster, Counted, Ours, RoundRobin, jobs_of
from tests.workers.pool.talks import Learning, converse


def counted(policy: str, router: Any) -> Counted:
    return Cluster(router).run(jobs_of(policy, count=6))


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_cached_anywhere_is_cached_where_it_is_read(policy: str) -> None:
    ours = counted(policy, Ours())
    assert ours.share >= 0.95, ours


def test_the_count_tells_routers_apart() -> None:
    """Self-consistency's samples share a prompt, which a router that looks at nothing has read on every replica."""
    assert counted("self-consistency", RoundRobin()).share < 0.7


def test_jobs_with_nothing_in_common_spread() -> None:
    ours = Cluster(Ours()).run([(0.0, spec) for _, spec in jobs_of("sequential", count=8)])
    assert ours.most == 2


@pytest.mark.parametrize("room_tokens", [10**9, 8_000])
def test_a_conversation_finds_what_its_turns_under_other_organizers_have_left(room_tokens: int) -> None:
    """With room for all, and where replicas forget much of it."""
    told = converse(Learning.NEWS, organizers=3, talks=30, room_tokens=room_tokens)
    assert told.share >= 0.98, told
    own = converse(Learning.ITS_OWN, organizers=3, talks=30, room_tokens=room_tokens)
    assert own.share < 0.96, own
    assert told.read - told.cached < 0.7 * (own.read - own.cached)
