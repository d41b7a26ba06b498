"""ParaThinker as protocols.md section 5 has it: the first finish stops all, and what the losers wrote is still read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dag.conftest import Simulate, words, written
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget, JobSpec, Sampling
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say

REFUSED = Fault(cause="refused", detail="not here", retryable=False)


def test_the_first_finish_stops_all_and_their_text_is_read_in_the_order_of_the_paths(listen: Listen) -> None:
    script = {"0.1": words(90, "slow"), "0.2": words(10, "quick"), "0.3": words(50), "0.4": "15"}
    heard = listen("para-thinker", script, params={"paths": 3})

    assert [ended(heard.simulation)[f"0.{i}"] for i in (1, 2, 3)] == [
        "BranchCancelled",
        "BranchReturned",
        "BranchCancelled",
    ]
    read = heard.of("0.4")[0].context.messages[-1][1]
    assert f"Line 1:\n{words(10)}\n\nLine 2:\n{words(10, 'quick')}\n\nLine 3:\n{words(10)}\n\n" in read
    assert answer(heard.simulation).text == "15"
    assert answer(heard.simulation).sources == ("0.1", "0.2", "0.3", "0.4")
    check(heard.simulation)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 80), min_size=2, max_size=8), st.integers(1, 40), st.booleans())
def test_the_critical_path_is_the_shortest_path_and_the_summary(
    lengths: list[int], summary: int, first: bool
) -> None:
    """Section 5.3: min over i of len_i, plus the summary; waiting for all, the maximum. Nothing is waste."""
    script = {f"0.{i}": words(length) for i, length in enumerate(lengths, 1)}
    script[f"0.{len(lengths) + 1}"] = words(summary)
    params = {"paths": len(lengths), "stop": "first" if first else "all"}
    spec = JobSpec(
        messages=(say("user", "q"),), policy="para-thinker", params=params, sampling=Sampling(max_tokens=999)
    )
    simulation = Simulation(spec, written(script))
    metrics = measure(simulation.run())
    assert metrics.critical_path_tokens == (min if first else max)(lengths) + summary
    assert metrics.wall_seconds == metrics.critical_path_tokens
    assert metrics.waste_tokens == 0
    check(simulation)


TRAINED = {"paths": 2, "assist": "none"}
ASKED = (
    "What is due? You FIRST think about the reasoning process as an internal monologue     and then summarize the "
    "reasoning process to get the final answer. The summary process MUST BE enclosed     within <summary> </summary> "
    "tags. The final answer MUST BE put in \\boxed{}."
)
CONCLUDED = "<summary>By analyzing multiple reasoning processes above, I concluded that: The final answer is"


def test_the_published_bytes_and_nothing_else(listen: Listen) -> None:
    """Sections 5.1 and 13: prompt, path tokens, a closer for the finished path alone, the summary's sentence."""
    script = {
        "0.1": " need three 5s ... n = 15 </think1> and on",
        "0.2": " " + words(90),
        "0.3": " 15</summary>",
    }
    heard = listen("para-thinker", script, params=TRAINED)

    assert heard.continued("0.1") == ["<think><think1>"]
    assert heard.continued("0.2") == ["<think><think2>"]
    assert heard.continued("0.3")[0] == (
        "<think><think1> need three 5s ... n = 15 </think1><think2> word word word word word word word word"
        + CONCLUDED
    )
    assert {decode.context.messages for decode in heard.decodes} == {(("user", ASKED),)}
    assert answer(heard.simulation).text == "15"
    check(heard.simulation)


def test_a_raw_prompt_is_the_users_own_to_the_last_byte(listen: Listen) -> None:
    script = {"0.1": " 7</think1>", "0.2": " " + words(90), "0.3": " 7</summary>"}
    prompt = "<｜User｜>What is due?<｜Assistant｜><think>"
    heard = listen("para-thinker", script, params=TRAINED, question=prompt, raw=True)

    assert heard.continued("0.2") == [prompt + "<think2>"]
    assert heard.continued("0.3")[0].startswith(prompt + "<think1> 7</think1><think2>")
    assert {decode.context.messages for decode in heard.decodes} == {()}


@pytest.mark.parametrize("stop", ["</think>", "</think7>", "</summary>", ""])
def test_whatever_ends_a_path_is_rewritten_to_its_own_closer(listen: Listen, stop: str) -> None:
    """Section 13; without a mark it is the end of the turn that ends it."""
    script = {"0.1": f" so 7{stop}", "0.2": " " + words(90), "0.3": " 7</summary>"}
    heard = listen("para-thinker", script, params=TRAINED)
    assert heard.continued("0.3")[0].startswith("<think><think1> so 7</think1><think2>")


def test_a_path_that_a_limit_cuts_gets_no_closer(listen: Listen) -> None:
    script = {"0.1": words(40), "0.2": words(9, "ends</think2>"), "0.3": " 7</summary>"}
    heard = listen("para-thinker", script, params={**TRAINED, "stop": "all"}, max_tokens=12)
    assert heard.continued("0.3")[0] == (
        f"<think><think1>{words(12)}<think2>{words(9, 'ends')}</think2>{CONCLUDED}"
    )


def test_path_tokens_that_a_path_writes_by_mistake_are_escaped(listen: Listen) -> None:
    script = {"0.1": "a<think2><summary>9</think1>", "0.2": words(90), "0.3": "15"}
    heard = listen("para-thinker", script, params=TRAINED)
    assert "a&lt;think2>&lt;summary>9</think1>" in heard.continued("0.3")[0]


def test_a_path_that_fails_stops_nobody(simulate: Simulate) -> None:
    script = {"0.1": REFUSED, "0.2": words(20), "0.3": "7"}
    simulation = simulate("para-thinker", script, params={"paths": 2})
    assert answer(simulation).text == "7"
    assert measure(simulation.records).critical_path_tokens == 21
    check(simulation)


def test_when_all_fail_the_job_does_and_says_so(simulate: Simulate) -> None:
    simulation = simulate("para-thinker", {"0.1": REFUSED, "0.2": REFUSED}, params={"paths": 2})
    assert of_kind(simulation, e.JobFailed)[0].type == "no-answer"
    check(simulation)


def test_paths_too_long_for_the_summary_are_cut_with_a_mark(listen: Listen) -> None:
    script = {"0.1": words(800), "0.2": words(900), "0.4": "7"}
    heard = listen("para-thinker", script, params={"paths": 2}, room=6000)

    assert heard.of("0.4")[0].context.messages[-1][1].count("characters cut") == 2
    assert answer(heard.simulation).text == "7"
    check(heard.simulation)


def test_without_a_summary_the_finished_path_is_the_answer(simulate: Simulate) -> None:
    script = {"0.1": words(90), "0.2": "so it is 7", "0.3": REFUSED}
    simulation = simulate("para-thinker", script, params={"paths": 2})
    assert answer(simulation).text == "so it is 7"
    assert answer(simulation).sources == ("0.1", "0.2")
    check(simulation)


@pytest.mark.parametrize("budget", [Budget(branches=0), Budget(branches=1)])
def test_fewer_paths_than_asked_for(simulate: Simulate, budget: Budget) -> None:
    simulation = simulate("para-thinker", {"0.1": "so it is 7"}, params={"paths": 3}, budget=budget)
    if budget.branches:
        assert answer(simulation).text == "so it is 7"
    else:
        assert of_kind(simulation, e.JobFailed)[0].type == "no-answer"
    check(simulation)


def test_when_the_tokens_are_spent_the_answer_is_what_there_is(simulate: Simulate) -> None:
    script = {"0.1": words(30, "9"), "0.2": words(30, "8")}
    simulation = simulate(
        "para-thinker", script, params={"paths": 2}, budget=Budget(tokens=60), max_tokens=30
    )
    assert answer(simulation).text.endswith(("9", "8"))
    check(simulation)
