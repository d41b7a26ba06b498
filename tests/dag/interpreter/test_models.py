"""A branch may be decoded by another model than its job; money is counted by what each segment was asked of."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import Budget, JobSpec, Problem, Sampling
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import OTHERS, Limits, Price
from anabranch.dag.policy import catalogue
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say

Simulate = Callable[..., Simulation]


def asked(simulation: Simulation) -> dict[tuple[str, int], str | None]:
    """Of which model each segment was asked."""
    events = [record.event for record in simulation.records]
    return {(each.branch, each.segment): each.model for each in events if isinstance(each, e.SegmentStarted)}


def inherits(_problem: Problem) -> a.Policy:
    """Thinks of its own accord, with another model, and forks two lines, below one of which two more are forked."""
    yield a.Think()
    yield a.Think(model="planner")

    def below() -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(), a.Thought(model="leaf")))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        segment: a.Segment = yield a.Think()
        return a.Answer(text=segment.text + joined.results[0].value)

    forked: a.Forked = yield a.Fork(children=(a.SubPolicy(run=below, model="worker"), a.Thought()))
    yield a.Join(targets=forked.branches)
    return a.Answer(text="done")


@pytest.mark.parametrize("model", [None, "mine"])
def test_a_segment_is_asked_of_its_thoughts_model_or_of_the_nearest_branchs(
    simulate: Simulate, model: str | None
) -> None:
    simulation = simulate(inherits, lambda _decode: "word", model=model)
    assert asked(simulation) == {
        ("0", 1): model,
        ("0", 2): "planner",
        ("0.1", 1): "worker",
        ("0.1.1", 1): "worker",
        ("0.1.2", 1): "leaf",
        ("0.2", 1): model,
    }


def test_what_is_asked_of_the_pool_is_what_the_journal_says(simulate: Simulate) -> None:
    commands: list[Decode] = []

    def write(decode: Decode) -> str:
        commands.append(decode)
        return "word"

    told = asked(simulate(inherits, write, model="mine"))
    assert {(each.branch, each.segment): each.model for each in commands} == told


ROLES: dict[str, dict[str, set[str]]] = {
    "best-of-n": {"judge_model": {"judge"}},
    "mcts": {"judge_model": {"judge"}},
    "tree-of-thoughts": {"judge_model": {"judge", "voter"}},
    "graph-of-thoughts": {"judge_model": {"judge"}},
    "plan": {"planner_model": {"planner"}, "worker_model": {"subtask"}},
    "skeleton-of-thought": {"planner_model": {"router", "trunk"}, "worker_model": {"point"}},
    "async-think": {"worker_model": {"worker"}},
    "apr": {"worker_model": {"search"}},
    "thread-weaver": {"worker_model": {"thread"}},
    "multiverse": {"worker_model": {"path"}},
    "parallel-r1": {"worker_model": {"path"}},
    "npr": {"worker_model": {"step"}},
    "retrieval": {"worker_model": {"source"}},
    "auto": {"planner_model": {"router"}},
}


def test_policies_with_judges_planners_or_workers_let_a_job_name_their_models() -> None:
    names = dict.fromkeys(("judge_model", "planner_model", "worker_model"), "m")
    found = {name: set(info.models_in(names)) for name, info in catalogue().items() if info.models_in(names)}
    assert {name: found.get(name) for name in ROLES} == {name: set(roles) for name, roles in ROLES.items()}


def test_a_model_is_named_beside_a_preset_too() -> None:
    info = catalogue()["tree-of-thoughts"]
    assert info.models_in({"preset": "game-of-24", "judge_model": "big"}) == {"judge_model": "big"}
    assert info.models_in({"preset": "game-of-24", "judge_model": None}) == {}


PLANNED = (
    '{"parallel": true, "subtasks": [{"id": "a", "question": "What is first?", "after": []}, '
    '{"id": "b", "question": "What is second?", "after": ["a"]}], "synthesis": "Say both."}'
)


def block(decode: Decode, opens: str, closes: str, ends: str) -> str:
    """What a trunk that plans two outlines writes, and what their lines do."""
    if decode.branch != "0":
        return f"said{ends}"
    return (
        f"{opens}<Outline>1: One</Outline>\n<Outline>2: Two</Outline>\n{closes}"
        if decode.segment == 1
        else "7"
    )


WRITTEN: dict[str, Callable[[Decode], str]] = {
    "best-of-n": lambda decode: "7",
    "mcts": lambda decode: "7",
    "tree-of-thoughts": lambda decode: "7",
    "graph-of-thoughts": lambda decode: "7",
    "plan": lambda decode: PLANNED if decode.branch == "0.1" else "said",
    "skeleton-of-thought": lambda decode: {"0": "1. A\n2. B\n3. C\n", "0.1": "A"}.get(decode.branch, "said"),
    "async-think": lambda decode: (
        {1: "<FORK-1>sum</FORK-1><JOIN-1>", 3: "<ANSWER>7</ANSWER>"}[decode.segment]
        if decode.branch == "0"
        else "<RETURN>7</RETURN>"
    ),
    "thread-weaver": lambda decode: block(decode, "<Parallel>\n<Outlines>\n", "</Outlines>", "</Thread>"),
    "multiverse": lambda decode: block(decode, "<Parallel>\n<Goal>\n", "</Goal>", "</Path>"),
    "parallel-r1": lambda decode: "<Parallel>" if decode.segment == 1 and decode.branch == "0" else "7",
    "npr": lambda decode: (
        "<guideline><plan>1: One</plan><plan>2: Two</plan></guideline>"
        if decode.segment == 1 and decode.branch == "0"
        else "7"
    ),
    "retrieval": lambda decode: "7",
    "auto": lambda decode: "easy answer" if decode.branch == "0.1" else "7",
}


@pytest.mark.parametrize("policy", WRITTEN)
def test_each_role_is_asked_of_its_own_model_and_nothing_else_is(simulate: Simulate, policy: str) -> None:
    roles = ROLES[policy]
    small = {"mcts": {"iterations": 1}, "tree-of-thoughts": {"depth": 1, "k": 2, "beam": 1}}.get(policy, {})
    params = {role: role for role in roles} | small
    simulation = simulate(policy, WRITTEN[policy], params=params, model="mine", tool=lambda call: "It is 7.")
    played: dict[str, set[str | None]] = {}
    roles_of = {branch: state.role for branch, state in simulation.interpreter.state.branches.items()}
    for (branch, _), model in asked(simulation).items():
        played.setdefault("trunk" if branch == "0" else roles_of[BranchId(branch)], set()).add(model)
    assert played.pop("tool", {None}) == {None}  # a tool is no model
    for role, models in played.items():
        own = next((name for name, of in roles.items() if role in of), "mine")
        assert models <= {own, "mine"} and own in models, (role, models)
    missing = set().union(*roles.values()) - {"voter"} - set(played)
    assert not missing, f"nobody played {missing}"


# -- money

PRICES = Limits(
    width=1,
    completion_price=0.01,
    prices={"mine": Price(completion=0.01), "big": Price(prompt=0.001, completion=0.1), "free": Price()},
)


def three(_problem: Problem) -> a.Policy:
    """Thinks once with each model."""
    for model in (None, "big", "free"):
        yield a.Think(model=model)
    return a.Answer(text="done")


def run(budget: Budget, limits: Limits, policy: str, usage: Usage) -> list[e.Event]:
    """All events of the job, where each decode uses so much, and no more than it is allowed."""
    interpreter = Interpreter()
    spec = JobSpec(
        messages=(say("user", "q"),),
        policy=policy,
        model="mine",
        budget=budget,
        sampling=Sampling(max_tokens=10),
    )
    events = list(interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v", limits=limits)).events)
    step = interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    while True:
        events += step.events
        begun = [event for event in step.events if isinstance(event, e.SegmentStarted)]
        if not begun:
            break
        used = min(usage.completion_tokens, begun[0].max_tokens or usage.completion_tokens)
        spent = replace(usage, completion_tokens=used)
        decoded = limits.priced(Decoded(text="7", finish=Finish.EOS, usage=spent), begun[0].model)
        fact = e.SegmentFinished(branch="0", segment=begun[0].segment, attempt=1, decoded=decoded)  # type: ignore[arg-type]
        step = interpreter.feed(fact)
    assert interpreter.over and interpreter.state.reserved.tokens == 0
    return events


@pytest.fixture
def three_models(simulate: Simulate) -> str:
    """The policy `three`, in the catalogue."""
    simulate(three, lambda _decode: "x")
    return "under-test"


def test_each_segment_costs_what_its_model_does(three_models: str) -> None:
    events = run(Budget(), PRICES, three_models, Usage(prompt_tokens=10, completion_tokens=10))
    costs = [event.decoded.cost for event in events if isinstance(event, e.SegmentFinished)]
    assert costs == pytest.approx([0.1, 0.01 + 1.0, 0.0])


@pytest.mark.parametrize(
    ("cost", "allowed"),
    [
        (2.0, [10, 10, 10]),
        (0.6, [10, 5, 10]),  # ten tokens of its own, five of the big one
        (0.15, [10, 10]),  # the big one is out of reach; what costs nothing is not
        (0.04, [4, 10]),
    ],
)
def test_a_budget_of_money_buys_tokens_at_each_models_price(
    cost: float, allowed: list[int], three_models: str
) -> None:
    events = run(Budget(cost=cost), PRICES, three_models, Usage(completion_tokens=10))
    assert [event.max_tokens for event in events if isinstance(event, e.SegmentStarted)] == allowed
    spent = sum(event.decoded.cost for event in events if isinstance(event, e.SegmentFinished))
    assert spent <= cost + 1e-9


def test_models_that_no_price_names_cost_what_all_others_do() -> None:
    limits = Limits(completion_price=1.0, prices={"a": Price(completion=2.0), OTHERS: Price(completion=3.0)})
    assert [limits.price_of(model).completion for model in (None, "a", "b")] == [1.0, 2.0, 3.0]
    assert Limits(completion_price=1.0).price_of("b").completion == 1.0


def test_a_journal_from_before_models_were_told_replays(simulate: Simulate) -> None:
    """Its segments name no model, and all cost what the job's does."""
    simulation = simulate(inherits, lambda _decode: "word", model="mine", limits=Limits(completion_price=0.5))
    old = [
        replace(record, event=replace(record.event, model=None))
        if isinstance(record.event, e.SegmentStarted)
        else record
        for record in simulation.records
    ]
    assert replay(old).state.usage == simulation.interpreter.state.usage
