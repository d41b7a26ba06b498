"""Nesting, the organizer's stream, and which prefix a child shares."""

from tests.dag.conftest import Simulate, words
from tests.dag.journals import check, ended, of_kind
from tests.dag.policies.conftest import Listen
from tests.dag.policies.test_async_think import TRAINED, paper_example
from tests.dag.policies.test_multiverse import NESTED
from tests.dag.policies.test_plan import a_plan
from tests.dag.policies.test_thread_weaver import PLAN
from tests.dag.policies.test_thread_weaver import SCRIPT as WOVEN
from tests.semantics.scenes import PUBLISHED, ask

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Budget, Problem


def test_18_nested_children_have_dotted_names_and_are_joined_by_their_own_parent(simulate: Simulate) -> None:
    simulation = simulate("multiverse", NESTED, params=PUBLISHED)
    assert sorted(ended(simulation)) == ["0", "0.1", "0.1.1", "0.1.2", "0.2"]
    joins = {event.branch: event.joined for event in of_kind(simulation, e.BranchesJoined)}
    assert joins == {"0": ("0.1", "0.2"), "0.1": ("0.1.1", "0.1.2")}


def test_18_nobody_joins_another_ones_child(simulate: Simulate) -> None:
    def thief(problem: Problem) -> a.Policy:
        def parent() -> a.Policy:
            yield a.Fork(children=(ask("mine"),))
            segment: a.Segment = yield a.Think()
            return a.Answer(text=segment.text)

        yield a.Fork(children=(a.SubPolicy(run=parent),))
        yield a.Think()
        yield a.Join(targets=(BranchId("0.1.1"),))
        return a.Answer(text="stolen")

    [failed] = of_kind(simulate(thief, lambda decode: words(5)), e.JobFailed)
    assert "0.1.1 is no child of 0" in failed.detail


def test_18_depth_and_branches_are_the_whole_jobs_budget(simulate: Simulate) -> None:
    script = {**NESTED, "0.1": [NESTED["0.1"][0], " alone</Path>"]}
    for budget, reason in ((Budget(depth=1), "budget:depth"), (Budget(branches=2), "budget:branches")):
        simulation = simulate("multiverse", script, params=PUBLISHED, budget=budget)
        assert {event.reason for event in of_kind(simulation, e.ForkRejected)} == {reason}
        check(simulation)


def test_18_cancelling_reaches_all_below(simulate: Simulate) -> None:
    simulation = simulate("multiverse", {**NESTED, "0.1.1": words(90)}, params=PUBLISHED, cancel_at=12)
    assert {ended(simulation)[branch] for branch in ("0", "0.1", "0.1.1")} == {"BranchCancelled"}
    check(simulation)


def test_18_joins_may_cross(simulate: Simulate) -> None:
    """fork 1, fork 2, join 1, join 2: no series-parallel graph, and T is right all the same."""
    simulation = simulate("async-think", paper_example(), params=TRAINED)
    assert [event.joined for event in of_kind(simulation, e.BranchesJoined)] == [("0.1",), ("0.2",)]
    assert measure(simulation.records).critical_path_tokens == 175


def test_18_general_dependencies_are_declared_with_after(simulate: Simulate) -> None:
    plan = a_plan({"t1": [], "t2": [], "t3": ["t1"], "t4": ["t2", "t3"]})
    simulation = simulate("plan", {"0.1": plan, **{f"0.{i}": f"r{i}" for i in range(2, 7)}})
    after = {event.child: event.after for event in of_kind(simulation, e.BranchForked)}
    assert (after[BranchId("0.4")], after[BranchId("0.5")]) == (("0.2",), ("0.3", "0.4"))
    check(simulation)


def test_19_parsing_a_fork_does_not_stop_the_organizers_stream(listen: Listen) -> None:
    """One decode goes through both forks up to the join; a join stops it, whichever id it names: an unknown one is
    answered too."""
    heard = listen("async-think", paper_example(), params=TRAINED)
    assert len(heard.of("0")) == 3  # up to join 1, up to join 2, to the end
    trunk = [event for event in of_kind(heard.simulation, e.SegmentStarted) if event.branch == "0"]
    assert [event.continues for event in trunk] == [False, True, True, False, False]
    assert {decode.decoding.stop for decode in heard.of("0")} == {()}


def test_20_children_that_share_a_prefix_have_one_affinity(listen: Listen) -> None:
    """Threads with their parent, samples with the problem, isolated workers with nobody."""
    woven = listen("thread-weaver", WOVEN, params=PUBLISHED)
    sampled = listen("self-consistency", lambda decode: "7", params={"n": 3})
    organized = listen("async-think", paper_example(), params=TRAINED)
    assert {decode.affinity for decode in woven.decodes} == {"0"}
    assert {decode.affinity for decode in sampled.decodes} == {"0"}
    assert {decode.branch: decode.affinity for decode in organized.decodes} == {
        "0": "0",
        "0.1": "0.1",
        "0.2": "0.2",
    }


def test_20_only_the_first_rendered_thread_extends_a_cached_prefix(listen: Listen) -> None:
    heard = listen("thread-weaver", WOVEN, params=PUBLISHED)
    joined = heard.continued("0")[1]
    texts = {branch: heard.continued(branch)[0] + str(WOVEN[branch]) for branch in ("0.1", "0.2")}
    assert joined.startswith(texts["0.1"])
    assert not joined.startswith(texts["0.2"][: len(PLAN) + 12])
