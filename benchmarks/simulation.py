"""Compares simulated with measured time: four policies on vLLM on this machine's CPU, and the same jobs simulated.

    python benchmarks/simulation.py [--jobs 8] [--clients 3]

A store, an organizer and one replica of vLLM (SmolLM2-135M) run in this process. One round of jobs is for the fit of
the step-time model (`dag/simulation/fitting.py`), a second one, of other questions, for the comparison: each of its
jobs is simulated with the outputs and the arrival that it had. What may differ is time alone. The error of the medians
of each policy is told; the goal is 15 %. A machine that does other work meanwhile is now faster and now slower than its
own fit: run it on a quiet one.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from anabranch.dag import events as e
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.policy import policy_named
from anabranch.dag.simulation.cluster import Asked, ClusterRun
from anabranch.dag.simulation.description import Arrivals, Cluster, Scenario
from anabranch.dag.simulation.fitting import Fit, fit
from anabranch.dag.simulation.outcome import Ended
from anabranch.dag.simulation.recorded import Journal
from anabranch.dag.text import say
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.rows import JobRow, NewJob
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.checks.local import LocalChecks
from anabranch.workers.engines.vllm.engine import VllmEngine
from anabranch.workers.engines.vllm.settings import VllmSettings
from anabranch.workers.pool.local import LocalPool

POLICIES: dict[str, dict[str, Any]] = {
    "sequential": {},
    "self-consistency": {"n": 4},
    "best-of-n": {"n": 3},
    "para-thinker": {"paths": 3},
}
TOKENS = 96
PLACES = 8
GOAL = 0.15
NAMES = ("Ada", "Bela", "Chen", "Dora", "Emil", "Fatma", "Goran", "Hana")


def job(policy: str, number: int) -> NewJob:
    name = NAMES[number % len(NAMES)]
    question = (
        f"{name} has {number + 3} apples, buys {2 * number + 5} more and gives away 4. How many are left?"
    )
    spec = JobSpec(
        messages=(say("user", question),),
        policy=policy,
        params=POLICIES[policy],
        sampling=Sampling(max_tokens=TOKENS, temperature=0.8),
        seed=number,
    )
    return NewJob(spec=spec, policy_version=policy_named(policy).version, trace_id="a" * 32)


async def ask_all(store: Store, organizer: Organizer, jobs: int, clients: int, first: int) -> list[JobRow]:
    """So many jobs of each policy, in turn, by clients who each ask the next when they have an answer."""
    numbers, rows = count(), list[JobRow]()

    async def client() -> None:
        while (number := next(numbers)) < jobs * len(POLICIES):
            policy = list(POLICIES)[number % len(POLICIES)]
            asked = (await store.jobs.submit(job(policy, first + number))).job
            organizer.nudge()
            while (row := await store.jobs.get(asked.id)).finished_at is None:  # noqa: ASYNC110 - as a client
                await asyncio.sleep(0.02)
            rows.append(row)
            print(f"\r{len(rows)} of {jobs * len(POLICIES)}", end="", file=sys.stderr, flush=True)

    await asyncio.gather(*(client() for _ in range(clients)))
    print(file=sys.stderr)
    return sorted(rows, key=lambda row: row.created_at)


async def measure(folder: Path, jobs: int, clients: int) -> tuple[list[list[e.Record]], list[list[e.Record]]]:
    """The journals of a round for the fit, and of one for the comparison."""
    url = f"sqlite:///{folder}/anabranch.db"
    await schema.upgrade(url)
    engine = VllmEngine(VllmSettings(model="smollm2-135m", max_model_len=2048, kv_cache_gib=1))
    async with Store(url) as store:
        pool = LocalPool(engine, max_decodes=PLACES)
        traces = Traces(store, "vllm")
        organizer = Organizer(store, pool, LocalChecks({}), traces, name="one", lease_seconds=60.0)
        working = asyncio.create_task(organizer.run())
        await ask_all(store, organizer, 1, 2, 1000)  # the first decodes compile
        rounds = [await ask_all(store, organizer, jobs, clients, first) for first in (0, 500)]
        journals = [[list(await store.journal.read(JobId(row.id))) for row in rows] for rows in rounds]
        await organizer.drain()
        await working
        await pool.close()
    return journals[0], journals[1]


def simulate(journals: Sequence[Sequence[e.Record]], fitted: Fit) -> tuple[Ended, ...]:
    """The jobs of these journals with their outputs and arrivals, on a replica with this step time."""
    read = [Journal.read(records) for records in journals]
    began = journals[0][0].at.timestamp()
    arrivals = tuple(records[0].at.timestamp() - began for records in journals)
    scenario = Scenario(
        cluster=Cluster(step=fitted.step, max_decodes=PLACES, overhead=fitted.overhead),
        arrivals=Arrivals(process="trace", times=arrivals, jobs=len(read)),
        kinds=(),
    )

    def ask(number: int) -> Asked:
        journal = read[number]
        return Asked(
            kind=journal.spec.policy,
            spec=journal.spec,
            write=journal.model(),
            limits=journal.limits,
            tool=journal.tool,
        )

    return ClusterRun(scenario, ask).run().jobs


def compare(journals: Sequence[Sequence[e.Record]], ended: Sequence[Ended]) -> float:
    """Prints measured beside simulated medians; the largest error of them."""
    worst = 0.0
    print(f"{'policy':18}  jobs  measured  simulated  error")
    for policy in POLICIES:
        pairs = [
            (records[-1].at.timestamp() - records[0].at.timestamp(), job)
            for records, job in zip(journals, ended, strict=True)
            if job.kind == policy
        ]
        real = statistics.median(seconds for seconds, _ in pairs)
        model = statistics.median(job.latency for _, job in pairs)
        error = model / real - 1
        worst = max(worst, abs(error))
        print(f"{policy:18}  {len(pairs):4}  {real:7.2f} s  {model:8.2f} s  {error:+6.1%}")
    real = statistics.median(records[-1].at.timestamp() - records[0].at.timestamp() for records in journals)
    model = statistics.median(job.latency for job in ended)
    print(f"{'all':18}  {len(ended):4}  {real:7.2f} s  {model:8.2f} s  {model / real - 1:+6.1%}")
    return worst


def tell(fitted: Fit) -> None:
    one, two = (seconds for _, seconds in fitted.step.points)
    print(f"fitted on {fitted.decodes} decodes: a step takes {one * 1e3:.1f} ms alone, {(two - one) * 1e3:.2f} ms "
          f"more with each sequence, {fitted.step.per_context_token * 1e6:.2f} µs more with each token of context, "
          f"{fitted.step.per_prefill_token * 1e6:.0f} µs with each of a prompt; overhead "
          f"{fitted.overhead * 1e3:.0f} ms; half of the decodes are told within {fitted.median_error:.1%}, "
          f"nine of ten within {fitted.worst_error:.1%}")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=8, help="of each policy, in each of two rounds")
    parser.add_argument("--clients", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        for_fit, journals = asyncio.run(measure(Path(folder), options.jobs, options.clients))
        fitted = fit(for_fit)
        tell(fitted)
        worst = compare(journals, simulate(journals, fitted))
        print(f"largest error of a policy's median: {worst:.1%} (goal {GOAL:.0%})")
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
