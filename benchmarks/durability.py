"""What durability costs: a fork of 16 branches and their join, on an engine that does nothing.

    python benchmarks/durability.py [--rounds 30] [--postgres URL] [--ray] [--peers PYTHON]

Measured in one run: the journey through organizer and store (submitted, claimed, forked, decoded, joined, answered, all
of it journaled), beside a bare commit of one row, with --ray a bare 16-way gather of Serve handle calls under the same
settings, and with --peers DBOS and LangGraph (their own SQLite stores), from an interpreter that has them installed.
Milliseconds; compare within a run only: what else the machine does bends all of them alike.
"""

import argparse
import asyncio
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import rows
from sqlalchemy import text
from tests.chaos.world import PlainChecks

from anabranch.dag import events as e
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.policy import policy_named
from anabranch.dag.text import say
from anabranch.service import loops
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.rows import NewJob
from anabranch.service.store.sql import schema
from anabranch.service.store.sql.database import Database
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool

WIDTH = 16
SPEC = JobSpec(
    messages=(say("user", "What is six times seven?"),),
    policy="self-consistency",
    params={"n": WIDTH, "stop": "all"},
    sampling=Sampling(max_tokens=8),
)
Figures = dict[str, list[float]]


async def timed(figures: Figures, name: str, work: Callable[[], Awaitable[object]], rounds: int) -> None:
    for number in range(rounds + 3):
        began = time.perf_counter()
        await work()
        if number >= 3:  # the first ones warm up
            figures.setdefault(name, []).append(1000 * (time.perf_counter() - began))


async def ours(url: str, kind: str, rounds: int, figures: Figures) -> None:
    """A job's whole way, and of it the stretch from the fork's commit to the join's."""
    await schema.upgrade(url)
    async with Store(url) as store:
        pool = LocalPool(ScriptedEngine(lambda _: Line(text="\\boxed{42}")))
        organizer = Organizer(
            store,
            pool,
            PlainChecks(),
            Traces(store, "scripted"),
            name="bench",
            lease_seconds=4.0,
        )
        working = asyncio.create_task(organizer.run())
        database = Database(url)

        async def job() -> None:
            version = policy_named(SPEC.policy).version
            new = NewJob(spec=SPEC, policy_version=version, trace_id="a" * 32)
            await store.jobs.submit(new)
            organizer.nudge()
            while (await store.jobs.get(new.id)).finished_at is None:  # noqa: ASYNC110 - as a client would
                await asyncio.sleep(0.001)
            at = {type(record.event): record.at for record in await store.journal.read(new.id)}
            began = next(
                r.at for r in await store.journal.read(new.id) if isinstance(r.event, e.BranchForked)
            )
            spent = (at[e.BranchesJoined] - began).total_seconds()
            figures.setdefault(f"fork {WIDTH} + join, {kind}", []).append(1000 * spent)

        async def commit() -> None:
            touch = text("UPDATE jobs SET cancel_requested = NULL WHERE id = (SELECT max(id) FROM jobs)")
            await database.write(lambda connection: connection.execute(touch))

        await timed(figures, f"job: submitted to answered, {kind}", job, rounds)
        await timed(figures, f"bare commit, {kind}", commit, rounds)
        await organizer.drain()
        await working
        await database.close()
        await pool.close()


def serve_gather(rounds: int, figures: Figures) -> None:
    """16 handle calls of a deployment that does nothing, awaited together."""
    from anabranch.workers.cluster import environment

    environment.prepare()
    from ray import serve

    from anabranch.workers.cluster.ray_private import open_handle, shutdown_handle

    class Nothing:
        async def call(self) -> int:
            return 42

    with environment.local_ray():
        deployment = serve.deployment(Nothing, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0})
        serve.run(deployment.bind(), name="nothing", route_prefix=None)
        handle = open_handle("Nothing", "nothing")

        async def gather() -> None:
            await asyncio.gather(*(handle.call.remote() for _ in range(WIDTH)))

        async def measured() -> None:
            handle._init(_run_router_in_separate_loop=False)  # noqa: SLF001 - as our own pool does
            await timed(figures, f"bare gather of {WIDTH} Serve calls, nothing stored", gather, rounds)
            await shutdown_handle(handle)

        asyncio.run(measured())


PEERS = """
import asyncio, json, operator, sys, tempfile, time
from typing import Annotated, TypedDict
rounds, width = int(sys.argv[1]), int(sys.argv[2])
folder = tempfile.mkdtemp()
figures = {}
def timed(name, work):
    for number in range(rounds + 3):
        began = time.perf_counter()
        work()
        if number >= 3:
            figures.setdefault(name, []).append(1000 * (time.perf_counter() - began))
try:
    import sqlite3
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send
    class State(TypedDict):
        found: Annotated[list, operator.add]
    graph = StateGraph(State)
    graph.add_node("branch", lambda state: {"found": [42]})
    graph.add_node("join", lambda state: {})
    graph.add_conditional_edges(START, lambda state: [Send("branch", {}) for _ in range(width)], ["branch"])
    graph.add_edge("branch", "join")
    graph.add_edge("join", END)
    saver = SqliteSaver(sqlite3.connect(f"{folder}/langgraph.db", check_same_thread=False))
    app = graph.compile(checkpointer=saver)
    threads = iter(range(10**6))
    timed("LangGraph, SQLite", lambda: app.invoke({"found": []}, {"configurable": {"thread_id": str(next(threads))}}))
except ImportError as error:
    print(f"LangGraph is not there: {error}", file=sys.stderr)
try:
    from dbos import DBOS, DBOSConfig
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{folder}/dbos.db", "log_level": "ERROR"})
    @DBOS.step()
    def branch():
        return 42
    @DBOS.workflow()
    def child():
        return branch()
    @DBOS.workflow()
    def fork():
        handles = [DBOS.start_workflow(child) for _ in range(width)]
        return [handle.get_result() for handle in handles]
    DBOS.launch()
    timed("DBOS, SQLite", fork)
except ImportError as error:
    print(f"DBOS is not there: {error}", file=sys.stderr)
print("FIGURES" + json.dumps(figures), flush=True)
import os
os._exit(0)
"""


def peers(python: str, rounds: int, figures: Figures) -> None:
    command = [python, "-c", PEERS, str(rounds), str(WIDTH)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    print(told.stderr.strip()[-600:], file=sys.stderr)
    for line in told.stdout.splitlines():
        if line.startswith("FIGURES"):
            figures |= {f"fork {WIDTH} + join, {name}": each for name, each in json.loads(line[7:]).items()}


def table(figures: Mapping[str, list[float]]) -> str:
    floor = statistics.median(figures[f"fork {WIDTH} + join, SQLite"])
    lines = [f"{'':48} {'best':>8} {'p50':>8} {'p90':>8}  of ours on SQLite"]
    for name, values in figures.items():
        values.sort()
        p50, p90 = statistics.median(values), values[int(0.9 * (len(values) - 1))]
        lines.append(f"{name:48} {values[0]:8.2f} {p50:8.2f} {p90:8.2f}  {p50 / floor:8.2f}x")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--postgres", help="URL of an empty database")
    parser.add_argument("--ray", action="store_true", help="also the bare gather of Serve calls; starts Ray")
    parser.add_argument(
        "--rows", help="a file to which the figures are added, for one table of several scripts"
    )
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter with dbos and langgraph installed")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    loops.switch_quickly()  # as the service does
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        loops.run(ours(f"sqlite:///{folder}/bench.db", "SQLite", options.rounds, figures))
    if options.postgres:
        loops.run(ours(options.postgres, "PostgreSQL", options.rounds, figures))
    if options.ray:
        serve_gather(options.rounds, figures)
    if options.peers:
        peers(options.peers, options.rounds, figures)
    print(table(figures))
    for name, values in figures.items():
        what, _, who = name.partition(", ")
        whose = who if who.startswith(("LangGraph", "DBOS", "nothing")) else f"Anabranch, {who}"
        rows.append(options.rows, f"{what}, p50, ms", {whose: statistics.median(values)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
