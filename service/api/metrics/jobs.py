"""Measures the jobs that have ended: what they cost, how they branched, how long forks and joins took.

They are folded from the journals, which hold the exact figures; organizers do nothing for them. Whoever ran a job, one
process counts it: the first that is scraped behind its end, since it started. So several processes behind one database
are summed like those of any other service.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Histogram

from anabranch.dag import events as e
from anabranch.dag.analysis.concurrency import first_token_delays
from anabranch.dag.analysis.graph import ReasoningGraph
from anabranch.dag.ids import JobId
from anabranch.dag.state import JobState, apply
from anabranch.service.store.errors import NotFound
from anabranch.service.store.rows import JobRow
from anabranch.service.store.store import Store

AT_ONCE = 200
"""Jobs that one scrape counts at most; the next one goes on."""
LATE = timedelta(seconds=120)
"""The clocks of organizers and of this process may differ by so much."""
SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
LONG = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class EndedJobs:
    """Counts each ended job once, in one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._since = datetime.now(UTC)
        self._taken: deque[JobId] = deque()
        """Jobs that this process counts and no other; not counted yet."""
        self._counting = asyncio.Lock()

        def counter(name: str, doc: str, *labels: str) -> Counter:
            return Counter(f"anabranch_{name}", doc, ("policy", *labels), registry=registry)

        def histogram(name: str, doc: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"anabranch_{name}", doc, ("policy",), buckets=buckets, registry=registry)

        self._ended = counter("jobs_ended_total", "Jobs that have ended.", "status")
        self._branches = counter("branches_total", "Branches that have ended, trunks included.", "outcome")
        self._tokens = counter("tokens_total", "Tokens of ended jobs; cached is part of prompt.", "kind")
        self._waste = counter("waste_tokens_total", "Decoded tokens that no answer was made from.")
        self._fork = histogram(
            "fork_seconds", "From a fork to a branch's first token; waiting for its inputs included.", SHORT
        )
        self._join = histogram(
            "join_seconds",
            "From the moment a join has what it waited for to the first token after it.",
            SHORT,
        )
        self._path = histogram("critical_path_seconds", "T of ended jobs, in seconds.", LONG)
        self._wall = histogram("job_seconds", "From submission to the end.", LONG)
        self._queue = histogram("queue_seconds", "From submission to the first claim.", LONG)

    async def count(self, store: Store) -> None:
        """Take in what has ended since the last time. Raises StoreAway."""
        now = datetime.now(UTC)
        async with self._counting:
            taken = await store.jobs.take_ended(self._since, AT_ONCE)
            self._taken.extend(taken)
            while self._taken:
                read = await _read(store, self._taken[0])
                self._taken.popleft()  # once it was read, so that a store that is away loses none
                if read is not None:
                    await asyncio.to_thread(self._measure, *read)
            if len(taken) < AT_ONCE:
                self._since = max(self._since, now - LATE)

    def _measure(self, row: JobRow, state: JobState, graph: ReasoningGraph) -> None:
        policy, usage = row.spec.policy, row.usage
        self._ended.labels(policy, row.status.value).inc()
        for kind, tokens in (
            ("prompt", usage.prompt_tokens),
            ("cached", usage.cached_tokens),
            ("completion", usage.completion_tokens),
        ):
            self._tokens.labels(policy, kind).inc(tokens)
        if row.metrics is not None:
            self._waste.labels(policy).inc(row.metrics["waste_tokens"])
            self._path.labels(policy).observe(row.metrics["critical_path_seconds"])
            self._queue.labels(policy).observe(row.metrics["queue_seconds"])
        if row.finished_at is not None:
            self._wall.labels(policy).observe((row.finished_at - row.created_at).total_seconds())
        self._follow(policy, state, graph)

    def _follow(self, policy: str, state: JobState, graph: ReasoningGraph) -> None:
        """Branches as they ended; forks and joins until the first token behind them."""
        for branch in state.branches.values():
            if branch.ended is not None:
                self._branches.labels(policy, branch.ended).inc()
        for histogram, delays in zip((self._fork, self._join), first_token_delays(graph), strict=True):
            for seconds in delays:
                histogram.labels(policy).observe(seconds)


async def _read(store: Store, job: JobId) -> tuple[JobRow, JobState, ReasoningGraph] | None:
    """The job, and what folds from its journal, of which one page at a time is there. None for a job that was purged
    just now."""
    state, graph = JobState(), ReasoningGraph()

    def add(page: Sequence[e.Record]) -> None:
        for record in page:
            apply(state, record.event)
            graph.add(record)

    try:
        row = await store.jobs.get(job)
    except NotFound:
        return None
    async for page in store.journal.pages(job):
        await asyncio.to_thread(add, page)
    return row, state, graph
