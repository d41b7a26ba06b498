"""Forks: capacity, identity, tags that are none, and plans that cannot be carried out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind, steps_of
from tests.dag.policies.conftest import Listen
from tests.dag.policies.test_apr import CALL, PARENT
from tests.dag.policies.test_async_think import TRAINED
from tests.dag.policies.test_plan import a_plan
from tests.dag.policies.test_thread_weaver import ONE
from tests.dag.policies.test_thread_weaver import SCRIPT as WOVEN
from tests.semantics.scenes import PUBLISHED, ask, problems

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.analysis.graph import build
from anabranch.dag.analysis.metrics import longest_path, makespan, measure
from anabranch.dag.grammars import grammar_named
from anabranch.dag.job import Problem
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits

# -- 4, 5 ----------------------------------------------


def test_04_a_fork_over_capacity_is_rejected_in_the_papers_mode_and_the_record_says_so(
    simulate: Simulate,
) -> None:
    """At most c-1 workers, even while the organizer waits; the mode is the policy's, named in the job's record."""
    script = {
        "0": ["<FORK-1>a</FORK-1> <FORK-2>b</FORK-2> <FORK-3>c</FORK-3> <JOIN-1>", "<ANSWER>x</ANSWER>"],
        "0.1": words(50, "<RETURN>r</RETURN>"),
        "0.2": words(50, "<RETURN>r</RETURN>"),
    }
    simulation = simulate("async-think", script, params=TRAINED)
    assert [event.reason for event in of_kind(simulation, e.ForkRejected)] == ["capacity"]
    assert problems(simulation) == ["over-capacity"]
    assert of_kind(simulation, e.JobSubmitted)[0].spec.params["c"] == 3


def test_04_or_it_queues_which_counts_for_the_makespan_and_not_for_t(simulate: Simulate) -> None:
    def four(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(
            children=tuple(map(ask, "abcd")), capacity=2, overflow=a.Overflow.QUEUE
        )
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    simulation = simulate(four, {f"0.{i}": words(10) for i in (1, 2, 3, 4)})
    graph = build(simulation.records)
    assert (longest_path(graph)[0], makespan(graph, 2)) == (10, 20)
    assert measure(simulation.records).wall_seconds == 20


def test_04_a_parent_that_waits_in_a_join_holds_no_place(simulate: Simulate) -> None:
    """Width bounds decodes, not branches: with room for one, parent and two children take turns."""
    simulation = simulate("thread-weaver", WOVEN, params=PUBLISHED, limits=Limits(width=1))
    assert answer(simulation).sources == ("0", "0.1", "0.2")
    metrics = measure(simulation.records)
    assert metrics.wall_seconds == metrics.total_tokens


def test_05_nested_forks_never_deadlock_however_few_places_there_are(simulate: Simulate) -> None:
    def nest(depth: int) -> a.Policy:
        if depth == 0:
            segment: a.Segment = yield a.Think()
            return a.Answer(text=segment.text)
        children = tuple(a.SubPolicy(run=lambda: nest(depth - 1)) for _ in range(2))
        forked: a.Forked = yield a.Fork(children=children, capacity=1, overflow=a.Overflow.QUEUE)
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=" ".join(result.value for result in joined.results))

    simulation = simulate(lambda problem: nest(4), lambda decode: "leaf", limits=Limits(width=1))
    assert answer(simulation).text.split() == ["leaf"] * 16
    check(simulation)


# -- 6 ----------------------------------------------


def test_06_a_used_id_is_malformed_and_forks_nothing(simulate: Simulate) -> None:
    script = {
        "0": ["<FORK-1>a</FORK-1> <FORK-1>b</FORK-1> <JOIN-1>", "<ANSWER>x</ANSWER>"],
        "0.1": "<RETURN>r</RETURN>",
    }
    simulation = simulate("async-think", script, params=TRAINED)
    assert problems(simulation) == ["duplicate-id"]
    assert len(of_kind(simulation, e.BranchForked)) == 1


def test_06_after_a_crash_no_id_is_given_twice(simulate: Simulate) -> None:
    """A branch is named by its path: whoever takes the job up asks for the same branches, and then for new ones."""

    def twice(problem: Problem) -> a.Policy:
        for _ in range(2):
            forked: a.Forked = yield a.Fork(children=(ask("x"), ask("y")))
            yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    records = simulate(twice, lambda decode: "w").records
    third = next(r.seq for r in records if isinstance(r.event, e.BranchForked) and r.event.child == "0.3")
    lost = max(length for length in steps_of(records) if length < third)
    resumed = replay(records[:lost])
    resumed.feed(e.JobClaimed(owner="second", attempt=2))
    step = resumed.feed(records[lost].event)
    assert [event.child for event in step.events if isinstance(event, e.BranchForked)] == ["0.3", "0.4"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("I ask <FORK-1>what is", "unclosed-fork"),
        ("I ask <FORK-1>" + words(90), "unclosed-fork"),
        ("so <ANSWER>4", "unclosed-answer"),
    ],
)
def test_06_a_tag_that_never_closes_is_malformed_whatever_ended_the_text(
    simulate: Simulate, text: str, problem: str
) -> None:
    simulation = simulate("async-think", {"0": text}, params=TRAINED, max_tokens=40)
    assert problems(simulation) == [problem]
    assert not of_kind(simulation, e.BranchForked)
    check(simulation)


def test_06_a_quoted_tag_is_text(simulate: Simulate) -> None:
    simulation = simulate(
        "async-think", {"0": "I could write `<FORK-1>` here. <ANSWER>x</ANSWER>"}, params=TRAINED
    )
    assert not of_kind(simulation, e.BranchForked)
    assert answer(simulation).text == "x"


def test_06_results_that_a_model_writes_itself_are_taken_back_and_it_goes_on(listen: Listen) -> None:
    """APR's repair rule."""
    inside = CALL.removeprefix("<Calling Sub Searches>")
    script = {"0": [PARENT + "<Sub Searches>", inside, "done"], "0.1": "no", "0.2": "no"}
    heard = listen("apr", script, params=PUBLISHED)
    assert heard.continued("0")[1] == PARENT + "<Calling Sub Searches>"
    assert problems(heard.simulation) == ["results-by-model"]


@given(st.data())
def test_06_a_tag_may_be_split_over_chunks_in_any_way(data: st.DataObject) -> None:
    text = "so <FORK-12>what is a < b?</FORK-12> and <JOIN-12>"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1))))
    parser = grammar_named("async-think").parser()
    found = [
        cut
        for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)
        for cut in parser.feed(text[begin:end])
    ]
    assert [(cut.tag.kind, cut.tag.ident, cut.tag.body) for cut in found] == [
        ("fork", "12", "what is a < b?"),
        ("join", "12", ""),
    ]


# -- 7, 8 ----------------------------------------------


def test_07_a_malformed_plan_falls_back_to_sequential_and_its_raw_span_is_recorded(
    simulate: Simulate,
) -> None:
    plan = "Let me see. <Outlines>in parallel</Outlines>"
    simulation = simulate("thread-weaver", {"0": [plan, "so 7"]}, params=PUBLISHED)
    [malformed] = of_kind(simulation, e.ActionMalformed)
    assert (malformed.problem, malformed.span) == ("no-outline", plan)
    assert answer(simulation).text == "so 7"


@pytest.mark.parametrize(
    "after", [{"t1": ["t9"], "t2": []}, {"t1": ["t2"], "t2": ["t1"]}, {"t1": ["t1"], "t2": []}]
)
def test_07_unknown_dependencies_and_cycles_are_rejected_when_the_plan_is_read(
    simulate: Simulate, after: dict[str, list[str]]
) -> None:
    """Repaired once, then answered directly: nothing of a bad plan is ever started."""
    simulation = simulate("plan", {"0.1": a_plan(after), "0.2": a_plan(after), "0": "so 7"})
    assert problems(simulation) == ["bad-plan", "bad-plan"]
    assert [event.role for event in of_kind(simulation, e.BranchForked)] == ["planner", "planner"]
    assert answer(simulation).text == "so 7"


@pytest.mark.parametrize(
    ("policy", "plan"),
    [
        ("thread-weaver", "<Outlines>{}</Outlines>"),
        ("multiverse", "<Parallel><Goal>{}</Goal>"),
    ],
)
@pytest.mark.parametrize(
    ("count", "forks", "problem"), [(0, 0, "empty"), (1, 0, ""), (2, 2, ""), (5, 5, ""), (6, 0, "too-many")]
)
def test_08_none_and_too_many_stay_text_and_one_runs_inline(
    simulate: Simulate, policy: str, plan: str, count: int, forks: int, problem: str
) -> None:
    body = "".join(f"<Outline>{n}: a</Outline>" for n in range(1, count + 1))
    texts = [plan.format(body), " inline", "so 7", "so 7"]
    script = {"0": texts, **{f"0.{n}": " x" for n in range(1, 6)}}
    simulation = simulate(policy, script, params={**PUBLISHED, "limit": 5})
    assert len(of_kind(simulation, e.BranchForked)) == forks
    assert problems(simulation) == ([problem] if problem else [])
    check(simulation)


def test_08_one_outline_inline_has_the_bytes_of_a_thread(listen: Listen) -> None:
    heard = listen("thread-weaver", {"0": [ONE, " a</Thread>", "so"]}, params=PUBLISHED)
    assert heard.continued("0")[2] == ONE + "\n<Thread>\n1: a</Thread>\n</Parallel>"
