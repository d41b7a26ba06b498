"""What the tests of the pure core share: a way to run any policy function, in virtual time, with a written model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from anabranch.dag import policy as catalogue
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget, JobSpec, Sampling
from anabranch.dag.limits import Limits
from anabranch.dag.policy import PolicyFunction, PolicyInfo
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say

Written = str | Fault | Sequence[str | Fault]


def written(script: Mapping[str, Written]) -> Callable[[Decode], str | Fault]:
    """A model by rote: what each branch writes; of a list, one after the other."""
    left = {
        branch: texts if isinstance(texts, str | Fault) else list(texts) for branch, texts in script.items()
    }

    def write(decode: Decode) -> str | Fault:
        text = left[decode.branch]
        return text.pop(0) if isinstance(text, list) else text

    return write


def words(count: int, last: str = "") -> str:
    """Text of exactly so many tokens, the last one given."""
    return " ".join(["word"] * (count - bool(last)) + ([last] if last else []))


Simulate = Callable[..., Simulation]


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch) -> Simulate:
    """Run a catalogued policy by name, or any policy function, to its end."""

    def run(policy: str | PolicyFunction, script: Any, **rest: Any) -> Simulation:
        if not isinstance(policy, str):
            info = PolicyInfo(name="under-test", title="", paper="", use_when="", function=policy)
            monkeypatch.setitem(catalogue._CATALOGUE, "under-test", info)
            policy = "under-test"
        fields = {
            name: rest.pop(name)
            for name in ("params", "approvals", "seed", "raw", "messages", "answer_format", "model")
            if name in rest
        }
        fields.setdefault("messages", (say("user", rest.pop("question", "What is due?")),))
        spec = JobSpec(
            policy=policy,
            budget=rest.pop("budget", Budget()),
            sampling=Sampling(max_tokens=rest.pop("max_tokens", 1000)),
            **fields,
        )
        write = written(script) if isinstance(script, dict) else script
        simulation = Simulation(spec, write, rest.pop("limits", Limits()), **rest)
        simulation.run()
        return simulation

    return run
