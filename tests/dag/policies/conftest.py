"""Listening to what branches are sent, byte for byte."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.dag.conftest import Simulate, written

from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Fault
from anabranch.dag.simulator import Simulation


class Heard:
    """A simulation, and every decode that it asked for."""

    def __init__(self, simulation: Simulation, decodes: list[Decode]) -> None:
        self.simulation = simulation
        self.decodes = decodes

    def of(self, branch: str) -> list[Decode]:
        return [decode for decode in self.decodes if decode.branch == branch]

    def continued(self, branch: str) -> list[str]:
        """The assistant's turn as it stood before each decode of a branch."""
        return [decode.context.continuation for decode in self.of(branch)]


Listen = Callable[..., Heard]


@pytest.fixture
def listen(simulate: Simulate) -> Listen:
    """Run a policy as `simulate` does. With `room`, contexts of more characters are refused, as an engine would."""

    def run(policy: str, script: Any, *, room: int | None = None, **rest: Any) -> Heard:
        decodes: list[Decode] = []
        write = written(script) if isinstance(script, dict) else script

        def listening(decode: Decode) -> str | Fault:
            decodes.append(decode)
            told = [text for _, text in decode.context.messages]
            length = sum(map(len, told)) + len(decode.context.continuation)
            if room is not None and length > room:
                return Fault(cause="prompt-too-long", detail=f"{length} of {room}", retryable=False)
            return write(decode)

        return Heard(simulate(policy, listening, **rest), decodes)

    return run
