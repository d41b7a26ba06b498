"""Forks and decodes: how deep, with which seed, and when a child may begin."""

import hashlib

import pytest
from tests.dag.conftest import Simulate
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.commands import Abort, Decode
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import TRUNK, child_of
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import Budget, JobSpec, Problem
from anabranch.dag.text import say


def inner() -> a.Policy:
    """Forks one child and tells whether it could."""
    forked: a.Forked = yield a.Fork(children=(a.Thought(label="leaf"),))
    yield a.Join(targets=forked.branches)
    return a.Answer(text=forked.rejected or "forked")


def nest(problem: Problem) -> a.Policy:
    forked: a.Forked = yield a.Fork(children=(a.SubPolicy(run=inner),))
    joined: a.Joined = yield a.Join(targets=forked.branches)
    return a.Answer(text=" ".join(result.value for result in joined.results) or forked.rejected or "")


@pytest.mark.parametrize(("depth", "told"), [(0, "budget:depth"), (1, "budget:depth"), (2, "forked")])
def test_a_budget_of_depth_counts_the_forks_above_a_branch(simulate: Simulate, depth: int, told: str) -> None:
    simulation = simulate(nest, {"0.1.1": "leaf"}, budget=Budget(depth=depth))
    assert answer(simulation).text == told
    assert len(of_kind(simulation, e.BranchForked)) == depth
    check(simulation)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_seed_is_31_bits_of_a_digest_of_the_jobs_seed_and_the_branch(simulate: Simulate, seed: int) -> None:
    """Journals hold it: another way to find it would make all earlier ones diverge."""
    script = {f"0.{number}": "7" for number in (1, 2, 3)}
    params = {"n": 3, "stop": "all"}
    simulation = simulate("self-consistency", script, seed=seed, params=params)
    for event in of_kind(simulation, e.SegmentStarted):
        digest = hashlib.sha256(f"{seed}/{event.branch}".encode()).hexdigest()
        assert event.seed == int(digest[:8], 16) // 2
    assert len({event.seed for event in of_kind(simulation, e.SegmentStarted)}) == 3


def test_a_merge_is_told_with_what_it_reads(simulate: Simulate) -> None:
    def two_into_one(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(label="one"), a.Thought(label="two")))
        merged: a.Forked = yield a.Merge(merged=forked.branches, child=a.Thought(label="both"))
        joined: a.Joined = yield a.Join(targets=merged.branches)
        return a.Answer(text=joined.results[0].value)

    simulation = simulate(two_into_one, {"0.1": "one", "0.2": "two", "0.3": "both"})
    [merged] = of_kind(simulation, e.BranchesMerged)
    assert (merged.branch, merged.into, merged.merged) == ("0", "0.3", ("0.1", "0.2"))
    assert answer(simulation).text == "both"
    check(simulation)


def test_a_merge_that_a_person_rejects_has_no_child(simulate: Simulate) -> None:
    def merges(problem: Problem) -> a.Policy:
        merged: a.Forked = yield a.Merge(merged=(), child=a.Thought(label="both"))
        return a.Answer(text=f"{merged.ids} {merged.rejected}")

    def reject(asked: e.ApprovalRequested) -> e.ApprovalDecided:
        return e.ApprovalDecided(approval=asked.approval, decision=e.Choice.REJECT)

    simulation = simulate(merges, {}, approvals=("fork",), decide=reject)
    assert answer(simulation).text == "(None,) approval"


@pytest.mark.parametrize("policy", ["self-consistency", "best-of-n", "mcts", "group-think"])
def test_a_job_whose_fork_a_person_rejected_says_so(simulate: Simulate, policy: str) -> None:
    def reject(asked: e.ApprovalRequested) -> e.ApprovalDecided:
        return e.ApprovalDecided(approval=asked.approval, decision=e.Choice.REJECT)

    simulation = simulate(policy, {}, approvals=("fork",), decide=reject)
    [failed] = of_kind(simulation, e.JobFailed)
    assert failed.type == "no-answer"
    assert failed.detail.startswith("a person rejected its fork: no")
    check(simulation)


def test_a_job_without_a_budget_for_forks_says_so(simulate: Simulate) -> None:
    simulation = simulate("self-consistency", {}, budget=Budget(depth=0))
    [failed] = of_kind(simulation, e.JobFailed)
    assert failed.detail == "its budget allows no deeper fork: no sample ran"


def test_a_branch_decodes_with_its_own_model_or_else_with_the_jobs(simulate: Simulate) -> None:
    def two(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(model="small"), a.Thought()))
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    models: dict[str, str | None] = {}

    def write(decode: Decode) -> str:
        models[decode.branch] = decode.model
        return "w"

    simulate(two, write, model="large")
    assert models == {"0.1": "small", "0.2": "large"}


def test_only_a_decode_that_runs_is_aborted() -> None:
    """Of two samples one has ended: the engine is told to stop the other alone."""
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "q"),), policy="self-consistency", params={"n": 2, "stop": "all"})
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
    interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    ended = Decoded(text="7", finish=Finish.EOS)
    step = interpreter.feed(e.SegmentFinished(branch=child_of(TRUNK, 1), segment=1, attempt=1, decoded=ended))
    assert not [command for command in step.commands if isinstance(command, Abort)]
    step = interpreter.feed(e.BranchCancelled(branch=TRUNK, reason="enough"))
    aborted = [command.branch for command in step.commands if isinstance(command, Abort)]
    assert aborted == [child_of(TRUNK, 2)]
