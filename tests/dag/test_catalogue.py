"""The catalogue: what every policy promises, whoever wrote it."""

import ast
import hashlib
import inspect
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.dag.journals import check

from anabranch.dag import events as e
from anabranch.dag.commands import Decode, Verify
from anabranch.dag.decoding import Fault
from anabranch.dag.errors import UnknownPreset
from anabranch.dag.job import Budget, JobSpec, Problem, Sampling
from anabranch.dag.policies.graphs.plan import EXAMPLES
from anabranch.dag.policy import Param, PolicyInfo, catalogue
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say

POLICIES = """
sequential self-consistency best-of-n skeleton-of-thought tree-of-thoughts graph-of-thoughts mcts async-think
thread-weaver multiverse apr para-thinker group-think hogwild plan
""".split()

LINES = {"graph-of-thoughts": 120, "mcts": 120, "self-consistency": 110}
MOST_LINES = 95
"""Of a whole file, docstring and imports included: a policy reads like its paper, or it is too clever."""

every_policy = pytest.mark.parametrize("info", catalogue().values(), ids=list(catalogue()))


def source_of(info: PolicyInfo) -> Path:
    return Path(inspect.getfile(info.function))


def parameters(info: PolicyInfo) -> dict[str, inspect.Parameter]:
    signature = inspect.signature(info.function).parameters
    return {name: each for name, each in signature.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}


def test_these_are_among_the_policies() -> None:
    """Clients name them; a new one is no fault."""
    assert set(POLICIES) <= set(catalogue())


def test_every_preset_is_data_and_starts_its_policy() -> None:
    """What a preset says must hold as if a client had said it."""
    for info in catalogue().values():
        for name, preset in info.presets.items():
            assert preset.about, name
            json.dumps(preset.params)
            assert set(preset.params) <= set(parameters(info)), name
            info.start(Problem.of((say("user", "What is due?"),), seed=0), {"preset": name})


def test_a_parameter_beside_a_preset_stands_over_it() -> None:
    info = catalogue()["tree-of-thoughts"]
    assert info.expand({"preset": "game-of-24", "beam": 1})["beam"] == 1
    assert info.expand({"preset": "game-of-24", "beam": 1})["depth"] == 4
    assert info.expand({"beam": 1}) == {"beam": 1}
    with pytest.raises(UnknownPreset, match="has no preset 'chess'; it has: game-of-24"):
        info.expand({"preset": "chess"})


@every_policy
def test_one_file_one_policy(info: PolicyInfo) -> None:
    assert source_of(info).stem.replace("_", "-") == info.name
    assert [each for each in catalogue().values() if source_of(each) == source_of(info)] == [info]


@every_policy
def test_it_is_short(info: PolicyInfo) -> None:
    lines = source_of(info).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES.get(info.name, MOST_LINES)


@every_policy
def test_it_imports_the_science_and_the_standard_library_alone(info: PolicyInfo) -> None:
    tree = ast.parse(source_of(info).read_text(encoding="utf-8"))
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    strangers = {name for name in plain | named if name.split(".")[0] not in sys.stdlib_module_names}
    assert not {name for name in strangers if not f"{name}.".startswith("anabranch.dag.")}


@every_policy
def test_it_says_what_it_is_and_when_to_use_it(info: PolicyInfo) -> None:
    assert info.title
    assert info.paper
    assert len(info.use_when.splitlines()) == 2
    assert max(map(len, info.use_when.splitlines())) <= 120
    assert re.search(r"\bT\b", inspect.getdoc(info.function) or ""), (
        "it does not say what its critical path T is"
    )


@every_policy
def test_every_parameter_has_a_meaning_and_a_default(info: PolicyInfo) -> None:
    hints = get_type_hints(info.function, include_extras=True)
    for name, parameter in parameters(info).items():
        assert parameter.default is not inspect.Parameter.empty, name
        json.dumps(parameter.default)
        assert get_origin(hints[name]) is Annotated, name
        [param] = [note for note in get_args(hints[name]) if isinstance(note, Param)]
        assert param.doc, name


@every_policy
def test_starting_it_does_nothing_yet(info: PolicyInfo) -> None:
    policy = info.start(Problem.of((say("user", "What is due?"),), seed=0), {})
    assert inspect.getgeneratorstate(policy) == inspect.GEN_CREATED


# -- whatever happens --------------------------------------------------------------------------------------------------

PHRASES = (
    "", "7", "10", "A", "no", "yes", "so it goes on and on", "\\boxed{7}", "The answer is 7.", "Final answer: 7", "\n",
    "1. Rent\n2. Trains\n3. Risk\n", '{"direct":true}', '{"subtasks":[', "<FORK-1>one</FORK-1>", "<FORK-2>two</FORK-2>",
    "<JOIN-1>", "<JOIN-2>", "<JOIN-9>", "<ANSWER>7</ANSWER>", "<ANSWER>", "<RETURN>7</RETURN>", "<Parallel>",
    "</Parallel>", "<Outlines>", "<Outline>1: a</Outline>", "<Outline>2: b</Outline>", "</Outlines>",
    "<Thread>1: x</Thread>", "<Conclusion>c</Conclusion>", "<Goal>", "</Goal>", "<Path>1: x</Path>", "<think1>",
    "</think1>", "<summary>", *(plan.as_json() for plan in EXAMPLES.values()),
)  # fmt: skip
FAULTS = (
    Fault(cause="refused", retryable=False),
    Fault(cause="engine-error"),
    Fault(cause="prompt-too-long", retryable=False),
)


def babble(seed: int, decode: Decode) -> str | Fault:
    """A model that writes anything: a few phrases, now and then a fault. The same again for the same decode."""
    name = f"{seed}/{decode.branch}/{decode.segment}/{decode.attempt}"
    digest = hashlib.sha256(name.encode()).digest()
    if digest[0] < 24:
        return FAULTS[digest[0] % len(FAULTS)]
    structure = decode.decoding.structure
    if structure is not None and structure.choice and digest[0] < 200:
        return structure.choice[digest[1] % len(structure.choice)]
    return " ".join(PHRASES[each % len(PHRASES)] for each in digest[2 : 3 + digest[1] % 6])


@every_policy
@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    tokens=st.none() | st.integers(1, 300),
    branches=st.none() | st.integers(0, 12),
)
def test_whatever_a_model_writes_the_job_ends_and_replays(
    info: PolicyInfo, seed: int, tokens: int | None, branches: int | None
) -> None:
    simulation = simulated(info, seed, Budget(tokens=2000 if tokens is None else tokens, branches=branches))
    simulation.run()
    check(simulation)


@pytest.mark.parametrize(
    ("info", "preset"), [(info, name) for info in catalogue().values() for name in info.presets]
)
@settings(max_examples=5)
@example(seed=17)  # a vote that a worker was asked about, and decodes began before it was counted
@given(seed=st.integers(0, 2**32))
def test_whatever_a_model_writes_a_presets_job_ends_and_replays(
    info: PolicyInfo, preset: str, seed: int
) -> None:
    simulation = simulated(info, seed, Budget(tokens=1000, branches=60), {"preset": preset})
    simulation.run()
    check(simulation)
    assert isinstance(simulation.records[-1].event, e.JobSucceeded | e.JobFailed)


@every_policy
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), soon=st.integers(0, 60), later=st.integers(1, 40))
def test_when_time_runs_out_there_is_an_answer_from_what_there_is(
    info: PolicyInfo, seed: int, soon: int, later: int
) -> None:
    """Two words, as an organizer says them: wind up, stop. After the second the job is over at once."""
    simulation = simulated(info, seed, Budget(tokens=2000, seconds=soon + later))
    for at in (soon, soon + later):
        simulation._at(
            at,
            lambda: simulation.interpreter.feed(
                e.BudgetExceeded(resource=e.Resource.SECONDS, limit=1, spent=1)
            ),
        )
    simulation.run()
    check(simulation)
    assert simulation.now <= soon + later
    values = [
        event for event in events(simulation, e.BranchReturned) if event.value and "aside" not in event.flags
    ]
    was_told = events(simulation, e.BudgetExceeded)  # else the job had ended by itself, well or not
    if values and was_told:
        assert events(simulation, e.AnswerCommitted)


def simulated(
    info: PolicyInfo, seed: int, budget: Budget, params: Mapping[str, Any] | None = None
) -> Simulation:
    spec = JobSpec(
        messages=(say("user", "What is due?"),),
        policy=info.name,
        params=params or {},
        budget=budget,
        sampling=Sampling(max_tokens=40),
    )
    return Simulation(
        spec, lambda decode: babble(seed, decode), verify=verify, tool=lambda call: f"so says {call.tool}"
    )


def verify(command: Verify) -> e.BranchScored:
    """A check that gives the same text the same score."""
    scores = {branch: len(value) % 5 / 4 for branch, value in command.values.items()}
    return e.BranchScored(branch=command.branch, scores=scores, by=command.verifier.kind)


def events(simulation: Simulation, kind: type[Any]) -> list[Any]:
    return [record.event for record in simulation.records if isinstance(record.event, kind)]
