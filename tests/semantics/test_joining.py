"""Joins: whom they block, what they give, in which order and in which bytes."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, kinds, of_kind
from tests.dag.policies.conftest import Listen
from tests.dag.policies.test_apr import SCRIPT as APR_RUN
from tests.dag.policies.test_async_think import TRAINED, paper_example
from tests.dag.policies.test_thread_weaver import JOINED, LONG, PLAN, REST
from tests.dag.policies.test_thread_weaver import SCRIPT as WOVEN
from tests.semantics.scenes import PUBLISHED, REFUSED, ask, inserted

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Budget, JobSpec, Problem
from anabranch.dag.journal.replay import replay
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say

# -- 1 ----------------------------------------------


def test_01_a_join_on_an_unfinished_branch_blocks_only_the_branch_that_asked(simulate: Simulate) -> None:
    """One child waits 50 for its own; its sibling forks, joins and ends meanwhile."""

    def team(problem: Problem) -> a.Policy:
        def lead() -> a.Policy:
            forked: a.Forked = yield a.Fork(children=(ask("x"),))
            joined: a.Joined = yield a.Join(targets=forked.branches)
            return a.Answer(text=joined.results[0].value)

        forked: a.Forked = yield a.Fork(children=(a.SubPolicy(run=lead), a.SubPolicy(run=lead)))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=" ".join(result.value for result in joined.results))

    simulation = simulate(team, {"0.1.1": words(50, "slow"), "0.2.1": words(5, "quick")})
    at = {r.event.branch: r.at.second for r in simulation.records if isinstance(r.event, e.BranchReturned)}
    assert (at[BranchId("0.2")], at[BranchId("0.1")]) == (5, 50)
    check(simulation)


def test_01_a_join_on_a_finished_branch_is_immediate(simulate: Simulate) -> None:
    """The paper's second join: asked for at 145, worker 2 ended at 130."""
    simulation = simulate("async-think", paper_example(), params=TRAINED)
    at = [
        (r.event.join, r.at)
        for r in simulation.records
        if isinstance(r.event, e.JoinRequested | e.BranchesJoined)
    ]
    asked, joined = (moment for join, moment in at if join == 2)
    assert asked == joined


def test_01_a_second_join_is_idempotent(simulate: Simulate) -> None:
    """AsyncThink leaves it open; chosen: the same text again, and no malformed action."""
    script = {
        "0": ["<FORK-1>a</FORK-1> <JOIN-1>", "<JOIN-1>", "<ANSWER>x</ANSWER>"],
        "0.1": "<RETURN>r</RETURN>",
    }
    simulation = simulate("async-think", script, params=TRAINED)
    assert inserted(simulation) == ["r</JOIN-1>\n"] * 2
    assert not of_kind(simulation, e.ActionMalformed)
    assert len([event for event in of_kind(simulation, e.SegmentStarted) if event.branch == "0.1"]) == 1


# -- 2 ----------------------------------------------


def test_02_a_join_of_an_unknown_id_is_malformed_and_answered_with_a_line(simulate: Simulate) -> None:
    simulation = simulate("async-think", {"0": ["<JOIN-7>", "<ANSWER>x</ANSWER>"]}, params=TRAINED)
    assert [event.problem for event in of_kind(simulation, e.ActionMalformed)] == ["unknown-id"]
    assert inserted(simulation) == ["there is no such fork</JOIN-7>\n"]


def test_02_a_join_of_a_failed_branch_is_answered_with_a_line_that_says_why(simulate: Simulate) -> None:
    script = {"0": ["<FORK-1>a</FORK-1> <JOIN-1>", "<ANSWER>x</ANSWER>"], "0.1": REFUSED}
    simulation = simulate("async-think", script, params=TRAINED)
    assert inserted(simulation) == ["[no result: refused: not here]</JOIN-1>\n"]
    assert of_kind(simulation, e.BranchesJoined)[0].failed == ("0.1",)


def test_02_a_join_of_a_cancelled_branch_is_answered_with_a_line_that_says_why() -> None:
    """A person cancels the worker that the organizer waits for."""

    def write(decode: Decode) -> str:
        first = {"0": "<FORK-1>a</FORK-1> <JOIN-1>", "0.1": words(50)}
        return (
            first[decode.branch] if decode.segment == 1 and decode.branch in first else "<ANSWER>x</ANSWER>"
        )

    spec = JobSpec(messages=(say("user", "q"),), policy="async-think", params=TRAINED)
    simulation = Simulation(spec, write)
    cancelled = e.BranchCancelled(branch=BranchId("0.1"), reason="not needed", by=e.CancelledBy.CLIENT)
    simulation._at(5, lambda: simulation.interpreter.feed(cancelled))
    simulation.run()
    assert inserted(simulation) == ["[no result: not needed]</JOIN-1>\n"]
    check(simulation)


def test_02_a_policy_that_joins_what_is_not_its_child_fails_and_does_not_hang(simulate: Simulate) -> None:
    def wild(problem: Problem) -> a.Policy:
        yield a.Join(targets=(BranchId("0.9"),))
        return a.Answer(text="never")

    [failed] = of_kind(simulate(wild, {}), e.JobFailed)
    assert (failed.type, "there is no branch 0.9" in failed.detail) == ("policy-error", True)


# -- 9, 10 ----------------------------------------------


def test_09_a_barrier_renders_in_plan_order_whatever_the_arrival(listen: Listen) -> None:
    script = {"0": [PLAN, REST], "0.1": words(50, "a</Thread>"), "0.2": words(5, "b</Thread>")}
    swapped = {"0": [PLAN, REST], "0.1": words(5, "a</Thread>"), "0.2": words(50, "b</Thread>")}
    orders = [
        of_kind(listen("thread-weaver", each, params=PUBLISHED).simulation, e.BranchesJoined)[0].joined
        for each in (script, swapped)
    ]
    assert orders == [("0.1", "0.2")] * 2


def test_09_where_arrival_decides_the_order_is_an_event_and_is_replayed(simulate: Simulate) -> None:
    script = {"0.1": words(30, "7"), "0.2": words(10, "7"), "0.3": words(20, "7")}
    simulation = simulate("self-consistency", script, params={"n": 3, "stop": "all"})
    assert [event.joined for event in of_kind(simulation, e.BranchesJoined)] == [("0.2", "0.3", "0.1")]
    assert answer(simulation).sources == ("0.2", "0.3", "0.1")
    assert replay(simulation.records).state.answer == answer(simulation)


def test_10_the_published_bytes_and_nothing_more(listen: Listen) -> None:
    """A newline before the first thread only, none between threads, and whatever was decoded stays as it was."""
    heard = listen("thread-weaver", WOVEN, params=PUBLISHED)
    assert heard.continued("0")[1] == PLAN + JOINED + "</Parallel>"
    assert heard.of("0")[1].context.messages == heard.of("0")[0].context.messages


@pytest.mark.parametrize(
    ("policy", "script", "params"),
    [
        ("async-think", paper_example(), TRAINED),
        ("thread-weaver", WOVEN, PUBLISHED),
    ],
)
def test_10_a_turn_only_ever_grows_by_what_was_decoded_and_what_was_inserted(
    listen: Listen, policy: str, script: dict[str, object], params: dict[str, object]
) -> None:
    heard = listen(policy, script, params=params)
    own, grown = "", []
    for record in heard.simulation.records:
        match record.event:
            case e.SegmentStarted(branch="0") as started:
                own += started.inserted
                if not started.continues:
                    grown.append(own)
            case e.SegmentFinished(branch="0") as finished:
                own += finished.decoded.text
            case _:
                pass
    assert heard.continued("0") == grown


# -- 11, 12, 13 ----------------------------------------------


def test_11_an_appending_splice_keeps_the_prefix_and_a_replacing_one_keeps_it_up_to_the_span(
    listen: Listen,
) -> None:
    appended = listen("thread-weaver", WOVEN, params=PUBLISHED).continued("0")
    assert appended[1].startswith(PLAN)
    heard = listen("apr", APR_RUN, params=PUBLISHED)
    [_, after] = [event for event in of_kind(heard.simulation, e.SegmentStarted) if event.branch == "0"]
    before = APR_RUN["0"][0]
    assert heard.continued("0")[1].startswith(before[: len(before) - after.removed])
    assert not heard.continued("0")[1].startswith(before)


def test_11_what_the_runtime_inserts_is_never_credited_to_the_model(simulate: Simulate) -> None:
    """In the journal it stands with the segment's beginning, apart from text and tokens that were decoded."""
    simulation = simulate("async-think", paper_example(), params=TRAINED)
    decoded = [event.decoded for event in of_kind(simulation, e.SegmentFinished) if event.branch == "0"]
    assert sum(each.usage.completion_tokens for each in decoded) == 145
    assert "39.95" not in "".join(each.text for each in decoded)
    assert inserted(simulation)[0] == "39.95</JOIN-1>\n"


@pytest.mark.parametrize(
    ("overflow", "marks"),
    [("summary", ["in short"] * 2), ("truncate", ["characters cut"] * 2), ("refuse", [])],
)
def test_12_a_join_over_the_context_is_summarised_or_cut_or_refused(
    listen: Listen, overflow: str, marks: list[str]
) -> None:
    script = {"0": [PLAN, REST], **LONG, "0.3": "in short a", "0.4": "in short b"}
    heard = listen("thread-weaver", script, params={**PUBLISHED, "overflow": overflow}, room=2800)
    if marks:
        assert heard.continued("0")[-1].count(marks[0]) == len(marks)
    else:
        assert of_kind(heard.simulation, e.JobFailed)[0].type == "prompt-too-long"
    check(heard.simulation)


def test_12_the_budget_is_charged_for_all_branches_and_not_for_the_longest(simulate: Simulate) -> None:
    script = {f"0.{i}": words(30, "7") for i in range(1, 9)}
    simulation = simulate(
        "self-consistency", script, params={"n": 8}, budget=Budget(tokens=60), max_tokens=30
    )
    assert measure(simulation.records).total_tokens == 60
    assert "BudgetExceeded" in kinds(simulation)


@pytest.mark.parametrize("ending", [Finish.EOS, Finish.LENGTH])
def test_13_a_branch_without_its_closing_tag_is_closed_and_joined_with_a_flag(
    listen: Listen, ending: Finish
) -> None:
    half = " half of it" if ending is Finish.EOS else words(60)
    heard = listen(
        "thread-weaver", {**WOVEN, "0": [PLAN, REST], "0.2": half}, params=PUBLISHED, max_tokens=25
    )
    [cut] = [event for event in of_kind(heard.simulation, e.BranchReturned) if event.branch == "0.2"]
    assert cut.flags == ("closed-by-runtime",)
    assert f"{cut.value}</Thread>" in heard.continued("0")[1]


def test_13_or_it_aborts_the_run_where_that_is_asked_for(simulate: Simulate) -> None:
    script = {**WOVEN, "0": [PLAN, REST], "0.2": " half of it"}
    simulation = simulate("thread-weaver", script, params={**PUBLISHED, "unfinished": "abort"})
    assert [event.problem for event in of_kind(simulation, e.ActionMalformed)] == ["unfinished-thread"]
    assert len([event for event in of_kind(simulation, e.SegmentStarted) if event.branch == "0"]) == 1


# -- 14 ----------------------------------------------


def test_14_a_deadline_join_takes_what_there_is_and_the_straggler_can_be_stopped(simulate: Simulate) -> None:
    def hurry(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(ask("quick"), ask("slow")))
        joined: a.Joined = yield a.Join(targets=forked.branches, mode=a.Mode.DEADLINE, seconds=20)
        yield a.Cancel(branches=joined.pending, reason="out of time")
        return a.Answer(text=joined.results[0].value, sources=joined.pending)

    simulation = simulate(hurry, {"0.1": words(10, "ten"), "0.2": words(500)})
    assert answer(simulation).sources == ("0.2",)
    assert of_kind(simulation, e.BranchesJoined)[0].expired
    assert measure(simulation.records).wall_seconds == 20
    check(simulation)


def test_14_the_first_m_to_return_are_enough(simulate: Simulate) -> None:
    def first_two(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=tuple(map(ask, "abcd")))
        joined: a.Joined = yield a.Join(targets=forked.branches, mode=a.Mode.FIRST_K, count=2)
        return a.Answer(text="", sources=tuple(result.branch for result in joined.results if result.ok))

    script = {"0.1": words(40), "0.2": words(10), "0.3": words(30), "0.4": REFUSED}
    assert answer(simulate(first_two, script)).sources == ("0.2", "0.3")


def test_14_a_vote_stops_once_the_leader_cannot_be_caught(simulate: Simulate) -> None:
    script = {f"0.{i}": words(10 * i, "19") for i in range(1, 6)}
    simulation = simulate("self-consistency", script, params={"n": 5})
    assert len(answer(simulation).sources) == 3
    assert measure(simulation.records).critical_path_tokens == 30


def test_14_a_first_finish_keeps_what_the_losers_had_written(simulate: Simulate) -> None:
    def race(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(ask("quick"), ask("slow")))
        first: a.Joined = yield a.Join(targets=forked.branches, mode=a.Mode.FIRST)
        yield a.Cancel(branches=first.pending, reason="enough")
        both: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=both.results[1].text)

    simulation = simulate(race, {"0.1": words(5), "0.2": words(50)})
    assert answer(simulation).text == words(5)
    check(simulation)


def test_14_a_branch_has_its_own_limit_of_tokens(simulate: Simulate) -> None:
    script = {"0": ["<FORK-1>a</FORK-1> <JOIN-1>", "<ANSWER>x</ANSWER>"], "0.1": words(500)}
    simulation = simulate("async-think", script, params={**TRAINED, "worker_tokens": 30})
    assert simulation.interpreter.state.branches[BranchId("0.1")].usage.completion_tokens == 30
