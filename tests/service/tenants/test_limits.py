"""How often a tenant calls, and how many streams it has open."""

import time

import pytest

from anabranch.service.tenants.callers import Caller
from anabranch.service.tenants.limits import TenantLimits

ACME = Caller(tenant="acme", requests_per_minute=3, streams=1)


def test_no_more_than_so_many_are_counted_in_any_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, start = TenantLimits(), time.time()
    moment = start
    monkeypatch.setattr(time, "time", lambda: moment)
    told = []
    for seconds in (0, 20, 40, 59, 61, 62):
        moment = start + seconds
        counted = limits.count(ACME)
        assert counted is not None
        told.append((counted.refused, counted.left))
    assert told == [(False, 2), (False, 1), (False, 0), (True, 0), (False, 0), (True, 0)]


def test_tenants_are_counted_apart_and_those_without_a_limit_not_at_all() -> None:
    limits = TenantLimits()
    for _ in range(3):
        limits.count(ACME)
    assert (refused := limits.count(ACME)) is not None and refused.refused
    assert (first := limits.count(Caller(tenant="other", requests_per_minute=3))) and first.left == 2
    assert limits.count(Caller()) is None


def test_whoever_is_refused_is_told_when_to_come_again() -> None:
    limits = TenantLimits()
    headers = [counted.headers() for _ in range(4) if (counted := limits.count(ACME)) is not None]
    assert [told["RateLimit-Remaining"] for told in headers] == ["2", "1", "0", "0"]
    assert [told.get("Retry-After") is not None for told in headers] == [False, False, False, True]
    assert 1 <= int(headers[-1]["Retry-After"]) <= 60
    assert headers[-1]["X-RateLimit-Limit-Requests"] == headers[-1]["RateLimit-Limit"] == "3"


def test_a_stream_makes_room_when_it_ends() -> None:
    limits = TenantLimits()
    assert [limits.open_stream(ACME) for _ in range(2)] == [True, False]
    assert limits.open_stream(Caller(tenant="other", streams=1))
    limits.close_stream(ACME)
    assert limits.open_stream(ACME)
