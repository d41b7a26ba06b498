"""Compares simulated with measured time: four policies on vLLM on this machine's CPU, and the same jobs simulated.

    python benchmarks/simulation.py [--rounds 3] [--jobs 2] [--clients 3]

A store, an organizer and one replica of vLLM (SmolLM2-135M) run in this process. Short rounds of jobs take turns: one
is for the fit of the step-time model (`dag/simulation/engines/fitting.py`), the next, of other questions, for the
comparison. Each of its jobs is simulated with the outputs and the arrival that it had; what may differ is time alone.
The error of the medians of each policy is told; the goal is 15 %. A machine that does other work meanwhile is now
faster, now slower than its own fit, so the error is told as well with each compared round's own fit: what is left there
is more of the model, and less of the machine.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
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
from anabranch.dag.simulation.engines.fitting import Fit, fit
from anabranch.dag.simulation.models.recorded import Journal
from anabranch.dag.simulation.outcome import Ended
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


Round = list[list[e.Record]]
"""Journals."""


async def measure(folder: Path, rounds: int, jobs: int, clients: int) -> list[Round]:
    """Twice as many rounds, in turn for the fit and for the comparison."""
    url = f"sqlite:///{folder}/anabranch.db"
    await schema.upgrade(url)
    engine = VllmEngine(VllmSettings(model="smollm2-135m", max_model_len=2048, kv_cache_gib=1))
    async with Store(url) as store:
        pool = LocalPool(engine, max_decodes=PLACES)
        traces = Traces(store, "vllm")
        organizer = Organizer(store, pool, LocalChecks({}), traces, name="one", lease_seconds=60.0)
        working = asyncio.create_task(organizer.run())
        await ask_all(store, organizer, 1, 2, 1000)  # the first decodes compile
        asked = [await ask_all(store, organizer, jobs, clients, 50 * turn) for turn in range(2 * rounds)]
        journals = [[list(await store.journal.read(JobId(row.id))) for row in rows] for rows in asked]
        await organizer.drain()
        await working
        await pool.close()
    return journals


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


def compare(rounds: Sequence[Round], fitted: Fit) -> float:
    """Prints measured beside simulated medians; the largest error of them."""
    measured, simulated, of_itself = (defaultdict[str, list[float]](list) for _ in range(3))
    for journals in rounds:
        itself = fit(journals)
        for records, model, closest in zip(
            journals, simulate(journals, fitted), simulate(journals, itself), strict=True
        ):
            for name in (model.kind, "all"):
                measured[name].append(records[-1].at.timestamp() - records[0].at.timestamp())
                simulated[name].append(model.latency)
                of_itself[name].append(closest.latency)
    worst = 0.0
    print(f"{'policy':18}  jobs  measured  simulated  error   with a fit to the round itself")
    for name in (*POLICIES, "all"):
        real, told, best = (statistics.median(found[name]) for found in (measured, simulated, of_itself))
        worst = max(worst, abs(told / real - 1))
        print(f"{name:18}  {len(measured[name]):4}  {real:6.2f} s  {told:7.2f} s  {told / real - 1:+6.1%}  "
              f"{best / real - 1:+6.1%}")  # fmt: skip
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
    parser.add_argument("--rounds", type=int, default=3, help="for the fit, and as many for the comparison")
    parser.add_argument("--jobs", type=int, default=2, help="of each policy, in each round")
    parser.add_argument("--clients", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = asyncio.run(measure(Path(folder), options.rounds, options.jobs, options.clients))
    for_fit, compared = rounds[::2], rounds[1::2]
    fitted = fit([records for journals in for_fit for records in journals])
    tell(fitted)
    worst = compare(compared, fitted)
    load = os.getloadavg()[1] / (os.cpu_count() or 1)
    print(f"largest error of a median: {worst:.1%} (goal {GOAL:.0%}); in the last five minutes {load:.1f} programs "
          "wanted each processor")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
