"""No statement that a request, an organizer or a probe repeats reads more jobs than it needs: as EXPLAIN tells."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import pytest
from sqlalchemy import Connection, text
from tests.service.store.scenes import Statement, ended, new_job, recorded, submitted

from anabranch.service.store.listings import listing
from anabranch.service.store.listings.cursors import cursor_at
from anabranch.service.store.listings.facets import Fact
from anabranch.service.store.listings.listing import Wanted
from anabranch.service.store.listings.sorting import Sort
from anabranch.service.store.store import Store

IN_ORDER = ("jobs_newest", "jobs_most_")
"""How the names of indexes begin along which a LIMIT ends the reading."""
LIVE = ("jobs_claimable", "jobs_held")
"""Indexes that hold live jobs only."""


def explain(connection: Connection, statement: Statement) -> list[str]:
    """What the plan reads more of than it looks up: empty where every table is entered by a key."""
    sql, parameters = statement
    if connection.dialect.name == "postgresql":
        # The tables are small: only without this would it say what it does when they are large.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", parameters).scalars()
        return list(_scans(plan[0]["Plan"]))
    lines = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    scan = re.compile(r"SCAN (jobs|events|approvals)(\w*)( USING (COVERING )?INDEX (?P<index>\w+))?$")
    found = ((line, scan.match(line)) for line in lines)
    return [line for line, match in found if match and not _fits(match["index"])]


def _scans(node: dict[str, Any]) -> Iterator[str]:
    table, index = node.get("Relation Name"), node.get("Index Name")
    scans = node["Node Type"] in {"Seq Scan", "Index Scan", "Index Only Scan"} and "Index Cond" not in node
    # Whether the undecided or the waiting are fewer, PostgreSQL knows from its statistics.
    if (
        scans
        and table in {"jobs", "events", "approvals"}
        and not _fits(index)
        and index != "approvals_undecided"
    ):
        yield f"{node['Node Type']} on {table} by {index}"
    for inner in node.get("Plans", ()):
        yield from _scans(inner)


def _fits(index: str | None) -> bool:
    return index is not None and (index.startswith(IN_ORDER) or index in LIVE)


async def ask_all(store: Store) -> None:
    """What requests, organizers and probes ask again and again."""
    job = await ended(store)
    await ended(store)
    await submitted(store)
    await store.ping()
    await store.jobs.get(job.id)
    await store.jobs.submit(new_job(idempotency_key="k", body_digest="d"))
    every: tuple[Wanted, ...] = (
        {},
        {"tenant": "default"},
        {"status": "failed"},
        {"policy": "mcts"},
        {"tenant": "default", "status": "failed"},
        {"tenant": "default", "policy": "mcts"},
        {"status": "failed", "policy": "mcts"},
        {"q": "needle"},
        {"q": "ab"},
        {"q": "needle", "tenant": "default", "status": "succeeded", "policy": "mcts"},
        {"said": "needle"},
        {"said": "needle", "tenant": "default", "status": "failed"},
        {"model": "big", "seed": 7, "error": "no-answer", "facts": (Fact("metadata", "team", "search"),)},
        {"sort": Sort.TOKENS, "tenant": "default", "status": "failed", "q": "needle"},
        *(Wanted(sort=sort) for sort in Sort if store.database.sqlite or sort is not Sort.COST),
    )
    for wanted in every:
        page = await store.jobs.list_page(limit=1, **wanted)
        if page.next_cursor is not None:
            await store.jobs.list_page(limit=1, cursor=page.next_cursor, **wanted)
    await store.jobs.group_errors()
    await store.jobs.group_errors(tenant="default", q="needle")
    await store.jobs.count_live()
    await store.jobs.count_live("default")
    await store.jobs.take_ended(datetime.now(UTC), 10)
    await store.jobs.list_branches(job.id)
    await store.jobs.list_approvals("pending")
    await store.jobs.list_approvals(job=job.id)
    statuses: tuple[Literal["pending", "decided"], ...] = ("pending", "decided")
    for status in statuses:
        gates = await store.jobs.list_approval_page(status, tenant="default", limit=1)
        await store.jobs.list_approval_page(status, limit=1, cursor=cursor_at(job.created_at, job.id))
        assert gates.next_cursor is None
    await store.jobs.request_cancel(job.id, "enough")
    await store.queue.count_queued()
    await store.queue.claim("organizer", 30, 5)
    await store.queue.claim("organizer", 30, 5, 3)
    await store.queue.heartbeat("organizer", 30)
    await store.queue.release(job.id, 1)
    await store.journal.read_page(job.id)
    await store.journal.read(job.id)
    await store.journal.read_many({job.id: 0})
    await store.spans.read(job.id)
    await store.maintenance.purge(datetime(2020, 1, 1, tzinfo=UTC))
    await store.maintenance.pack(datetime(2020, 1, 1, tzinfo=UTC))
    await store.jobs.has_key("default", "k")
    await store.jobs.get_answered(job.id)
    await store.suspicions.list_against(job.id)
    await store.told_texts.read(job.id)
    await store.queue.hand_over("somebody", 1.0)
    await store.checkpoints.read(job.id)


async def test_no_statement_that_is_repeated_reads_all_jobs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOK", 1)  # so that a search asks its index, too
    with recorded(store) as statements:
        await ask_all(store)
    asked = {sql: (sql, parameters) for sql, parameters in statements if re.search(r"\bjobs\b|searched", sql)}
    plans = {}
    for sql, statement in asked.items():
        if re.match(r"\s*(SELECT|WITH|UPDATE|DELETE)", sql):
            plans[sql] = await store.database.write(partial(explain, statement=statement))
    assert len(plans) > 25
    claims = [sql for sql in plans if "picked" in sql]
    assert len(claims) == 2
    bad = {sql: scans for sql, scans in plans.items() if scans}
    assert not bad, "\n\n".join(f"{sql}\n{scans}" for sql, scans in bad.items())


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM jobs WHERE question = 'x'",
        "SELECT id FROM jobs WHERE lower(policy) = 'x' AND priority = 3",
    ],
)
async def test_a_statement_that_reads_all_jobs_would_be_seen(store: Store, statement: str) -> None:
    parameters: Any = ()
    assert await store.database.write(lambda connection: explain(connection, (statement, parameters)))
