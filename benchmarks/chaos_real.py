"""Kills real processes of a real service with SIGKILL, at random, while jobs come in by REST, and looks at every
journal after.

    python benchmarks/chaos_real.py --jobs 200 --seconds 600 --seed 1 [--each] [--postgres | --cluster]

The service is `anabranch up`, with two organizers and two scripted replicas on Ray Serve. Killed are organizers and
replicas by their pid, the process of `up` itself, Ray's head, or everything at once; with --postgres, a server of the
script's own is crashed and started again. Organizers are also stopped for longer than their lease.

With --cluster it is the cluster of tests/cluster: a head, two workers and two REST processes in network namespaces, on
PostgreSQL, the head's memory in Redis. Killed are organizers, replicas, workers, the head, REST processes and
PostgreSQL; workers are cut off from the network, or told to end; the same config is put again.

A client that gets no answer asks again with the same key, and reads the answer as it is written, by the job's events or
as a streamed chat completion. Told at the end:
broken promises, and how long after each kill the jobs that it hit had their next event.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import httpx
from benchmarks.chaos_cluster import ClusterWorld
from benchmarks.chaos_run import PATIENCE, Run, World
from benchmarks.chaos_service import SCRIPT, Service
from benchmarks.chaos_up import UpWorld
from tests import databases
from tests.cluster.bed import laid_bed

from anabranch.service.store.sql import schema
from anabranch.service.store.sql.database import Database
from anabranch.service.store.store import Store


async def run(options: argparse.Namespace, world: World) -> int:
    began = time.monotonic()
    async with Store(world.database) as store, httpx.AsyncClient(timeout=10) as http:
        dice, fate = random.Random(options.seed), random.Random(options.seed)
        run = Run(world, store, Database(world.database), http, dice, fate)
        killing = asyncio.create_task(run.kill(options.pause, options.first, each=options.each))
        await run.submit(options.jobs, options.seconds)
        run.over.set()
        await killing  # it may be starting the service again
        await run.ended()
        await asyncio.wait_for(asyncio.gather(*run.reading), PATIENCE)
        found = await run.broken(options.jobs)
        print(run.table(await run.silences()))
        await run.database.close()
    seconds, load = time.monotonic() - began, os.getloadavg()[2]
    print(f"{len(run.jobs)} jobs in {seconds:.0f} s, load {load:.1f} in the last 15 minutes")
    print(f"{sum(reader.pieces for reader in run.readers)} pieces of answers were read as they came")
    print("\n".join(found) or "no promise was broken")
    return 1 if found else 0


@contextmanager
def cluster() -> Iterator[World]:
    pool = {"engine": "scripted", "script": "/etc/anabranch/script.json", "replicas": 2, "max_decodes": 64}
    with laid_bed({"pools": {"default": pool}}, SCRIPT) as bed:
        bed.storage = "redis"
        bed.start()
        yield ClusterWorld(bed)


@contextmanager
def alone(options: argparse.Namespace) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        if not options.postgres:
            with on_one_machine(options, Path(folder), f"sqlite:///{folder}/anabranch.db", None) as world:
                yield world
            return
        binaries = databases.system_binaries()
        if binaries is None:
            raise SystemExit("--postgres needs PostgreSQL's programs on this machine")
        with (
            databases.started(binaries) as server,
            on_one_machine(options, Path(folder), server.url, server) as world,
        ):
            yield world


@contextmanager
def on_one_machine(
    options: argparse.Namespace, folder: Path, database: str, server: databases.PostgresServer | None
) -> Iterator[World]:
    asyncio.run(schema.upgrade(database))
    script = folder / "script.json"
    script.write_text(json.dumps(SCRIPT))
    settings = {
        "ANABRANCH_DATABASE": database,
        "ANABRANCH_ENGINE": "scripted",
        "ANABRANCH_SCRIPT": str(script),
        "ANABRANCH_ORGANIZERS": "2",
        "ANABRANCH_REPLICAS": "2",
        "ANABRANCH_PORT": str(databases.free_port()),
    }
    service = Service(settings, f"{os.getpid()}-{options.seed}", folder / "up.log")
    service.start()
    try:
        yield UpWorld(service, database, server)
    finally:
        service.kill_all()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600.0, help="over which the jobs come in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=12.0, help="seconds between two kills, on average")
    parser.add_argument(
        "--first", nargs="*", default=(), help="what dies first, in this order: organizer head …"
    )
    parser.add_argument(
        "--each", action="store_true", help="everything dies once before what dies next is left to chance"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--postgres",
        action="store_true",
        help="on a PostgreSQL server of this machine, which is crashed, too",
    )
    where.add_argument(
        "--cluster", action="store_true", help="on a cluster in network namespaces; wants root"
    )
    options = parser.parse_args()
    with cluster() if options.cluster else alone(options) as world:
        return asyncio.run(run(options, world))


if __name__ == "__main__":
    sys.exit(main())
