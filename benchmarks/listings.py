"""What lists, searches and probes of a store cost when many jobs have ended, over REST.

    python benchmarks/listings.py [ENDED_JOBS] [DATABASE_URL]

500,000 jobs by default, in SQLite in a temporary folder; a PostgreSQL URL names an empty database. The jobs are written
by SQL, with a journal of one event: what is measured reads no journals. Milliseconds per request, the median of 20.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import httpx
from sqlalchemy import Connection, insert, text

from anabranch.dag.job import JobSpec
from anabranch.dag.text import say
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.link.links import Links
from anabranch.service.settings import Settings
from anabranch.service.store.codec import spec_to_json
from anabranch.service.store.identity import new_id
from anabranch.service.store.sql import schema
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.store import Store

ROUNDS = 20
BATCH = 5000
ASKED = {
    "a list": "/v1/jobs",
    "a list of one tenant": "/v1/jobs?tenant=small",
    "a list of failed jobs": "/v1/jobs?status=failed",
    "failed jobs of a rare policy": "/v1/jobs?status=failed&policy=mcts",
    "a search that finds many": "/v1/jobs?q=question",
    "a search that finds one": "/v1/jobs?q=needle",
    "a search that finds none": "/v1/jobs?q=pitchfork",
    "a search for two letters": "/v1/jobs?q=zq",
    "gates": "/v1/approvals",
    "/metrics": "/metrics",
    "/readyz": "/readyz",
}
WORDS = (
    "how",
    "many",
    "ways",
    "lead",
    "from",
    "here",
    "to",
    "there",
    "question",
    "answer",
    "prove",
    "that",
    "sum",
)


async def main(count: int, url: str) -> None:
    await schema.upgrade(url)
    async with Store(url) as store:
        began = time.perf_counter()
        for start in range(0, count, BATCH):
            rows = [_ended(number, count) for number in range(start, min(start + BATCH, count))]
            await store.database.write(partial(Connection.execute, statement=insert(jobs), parameters=rows))
        await store.database.migrate(_analyze)
        print(f"{count:,} ended jobs, written in {time.perf_counter() - began:.0f} s")
        deps = Dependencies(
            settings=Settings(), store=store, feed=Feed(store.journal), organizers=Links(store.organizers)
        )
        transport = httpx.ASGITransport(create_app(deps))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            for what, path in ASKED.items():
                print(f"{await _median(client, path):9.1f} ms  {what}")


async def _median(client: httpx.AsyncClient, path: str) -> float:
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await client.get(path)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


def _ended(number: int, count: int) -> dict[str, object]:
    random = Random(number)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    question = " ".join(random.choices(WORDS, k=30))
    if number == count // 100:
        question += " Where is the needle?"
    spec = JobSpec(messages=(say("user", question),), policy="mcts" if number % 50_000 == 7 else "sequential")
    return {
        "id": new_id(),
        "tenant": "small" if number % 100_000 == 3 else "large",
        "trace_id": "0" * 32,
        "created_at": at,
        "head_seq": 1,
        "head_hash": "0" * 64,
        "head_at": at,
        "turn": at,
        "lease_owner": "organizer",
        "wake": False,
        "phase": "failed" if number % 3 == 0 else "succeeded",
        "question": question,
        "policy": spec.policy,
        "priority": 5,
        "spec": spec_to_json(spec),
        "policy_version": "v1",
        "started_at": at,
        "finished_at": at,
    }


def _analyze(connection: Connection) -> None:
    """PostgreSQL does so by itself, some time later; SQLite is never told."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE jobs"))


if __name__ == "__main__":
    given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        database = given[1] if len(given) > 1 else f"sqlite:///{Path(folder) / 'jobs.db'}"
        asyncio.run(main(int(given[0]) if given else 500_000, database))
