"""A simulation beside the real organizer on the scripted engine: of the same scripts both have the same T and L."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.dag.policies.test_every_policy import PARAMS
from tests.dag.policies.writers import part
from tests.service.organizer.conftest import House

from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoding
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.limits import Limits
from anabranch.dag.policy import catalogue
from anabranch.dag.simulation.cluster import Asked, ClusterRun
from anabranch.dag.simulation.description import Arrivals, Cluster, Scenario
from anabranch.dag.simulation.engines.step_time import StepTime
from anabranch.dag.simulation.models.outputs import Output, write_pieces
from anabranch.dag.simulation.models.recorded import Journal
from anabranch.dag.simulation.outcome import Ended
from anabranch.dag.text import Context, say
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import tokens_of
from anabranch.workers.messages import DecodeRequest

CLUSTER = Cluster(step=StepTime(points=((1, 0.01), (8, 0.02))))
"""One replica, on which all decodes go in step, as those of a scripted engine that never waits. Policies that join
whoever comes first have another critical path when another one comes first, here as in the runtime."""
WAITING: dict[str, dict[str, Any]] = {
    "self-consistency": {"stop": "all"},
    "para-thinker": {"stop": "all"},
}
"""Who stops a branch in the middle of its text stops it at another token each time, in the runtime, too."""
SKIPPED = {"retrieval"}  # its tools are an operator's


def simulated(asked: Asked) -> Ended:
    scenario = Scenario(cluster=CLUSTER, arrivals=Arrivals(process="trace", times=(0.0,), jobs=1), kinds=())
    [ended] = ClusterRun(scenario, lambda _number: asked).run().jobs
    return ended


OWN_WORDS = " ".join(f"w{number}" for number in range(23))


def script(policy: str, branch: str, segment: int, context: Context, decoding: Decoding) -> str:
    """What both models write."""
    if decoding.structure is not None and decoding.structure.choice:
        return decoding.structure.choice[len(branch) % len(decoding.structure.choice)]
    return part(policy, _Asked(branch, segment, context), OWN_WORDS)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Asked:
    """All that a part looks at."""

    branch: str
    segment: int
    context: Context


def measured(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: metrics[name] for name in ("critical_path_tokens", "total_tokens", "waste_tokens", "branches")
    }


def spec_of(policy: str) -> JobSpec:
    return JobSpec(
        messages=(say("user", "What is due?"),),
        policy=policy,
        params={**PARAMS.get(policy, {}), **WAITING.get(policy, {})},
        sampling=Sampling(max_tokens=400),
    )


def model_of(policy: str) -> Callable[[Decode], Output]:
    def write(decode: Decode) -> Output:
        text = script(policy, decode.branch, decode.segment, decode.context, decode.decoding)
        return write_pieces(decode.decoding, [(token, 1) for token in tokens_of(text)])

    return write


async def test_t_and_l_of_every_policy_equal_the_runtimes(house: House) -> None:
    policies = sorted(set(catalogue()) - SKIPPED)
    asked: dict[str, str] = {}

    def recite(request: DecodeRequest) -> Line:
        key, policy = request.key, asked[request.key.job]
        return Line(text=script(policy, key.branch, key.segment, request.context, request.decoding))

    for policy in policies:
        asked[await house.submit_spec(spec_of(policy))] = policy
    async with house.organizer(recite):
        rows = {policy: await house.ended(JobId(job), seconds=200) for job, policy in asked.items()}
    real = {policy: (row.status, measured(row.metrics or {})) for policy, row in rows.items()}
    limits = Limits(final_thoughts=True)
    of_scripts = {
        policy: simulated(Asked(kind=policy, spec=spec_of(policy), write=model_of(policy), limits=limits))
        for policy in policies
    }
    assert {policy: told(ended) for policy, ended in of_scripts.items()} == real

    journals = {policy: Journal.read(await house.store.journal.read(row.id)) for policy, row in rows.items()}
    of_journals = {
        policy: simulated(
            Asked(kind=policy, spec=read.spec, write=read.model(), limits=read.limits, tool=read.tool)
        )
        for policy, read in journals.items()
    }
    assert {policy: told(ended) for policy, ended in of_journals.items()} == real


def told(ended: Ended) -> tuple[str, dict[str, Any]]:
    return ended.status, measured(asdict(ended.metrics))
