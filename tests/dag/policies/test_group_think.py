"""GroupThink as protocols.md section 6 has it, in strides: all see what all wrote; their shared trace is the result."""

from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.actions import Result
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Budget
from anabranch.dag.simulator import Simulation

PARAMS = {"thinkers": 2, "stride": 4}
CITIES = {
    "0.1": [" Athens, Accra, Aden, Amman,", " Bern."],
    "0.2": [" I take B: Berlin,", " oh, then C: Cairo.", ""],
}


def test_a_thinker_sees_what_all_had_written_when_it_began_its_stride(listen: Listen) -> None:
    heard = listen("group-think", CITIES, params=PARAMS)

    assert heard.continued("0.1") == [
        "### Work in progress (others)\n\n### Work in progress (own)\n\n**Thinker 1 [1]:**",
        "### Work in progress (others)\n\n### Work in progress (own)\n\n**Thinker 1 [1]:** Athens, Accra, Aden, Amman,",
    ]
    assert heard.continued("0.2")[1] == (
        "### Work in progress (others)\n\n**Thinker 1 [1]:** Athens, Accra, Aden, Amman, <...>\n\n"
        "### Work in progress (own)\n\n**Thinker 2 [1]:** I take B: Berlin,"
    )
    check(heard.simulation)


def test_without_one_final_answer_the_shared_trace_is_the_result(simulate: Simulate) -> None:
    simulation = simulate("group-think", CITIES, params=PARAMS)
    assert answer(simulation).text == (
        "Athens, Accra, Aden, Amman, Bern.\n\nI take B: Berlin, oh, then C: Cairo."
    )
    assert answer(simulation).sources == ("0.1", "0.2")


def test_the_first_answer_wins_and_stops_the_rest(simulate: Simulate) -> None:
    script = {"0.1": [words(4), " so \\boxed{7}"], "0.2": [words(4)] * 9}
    simulation = simulate("group-think", script, params=PARAMS)
    assert (answer(simulation).text, answer(simulation).sources) == ("7", ("0.1",))
    assert ended(simulation)["0.2"] == "BranchCancelled"
    check(simulation)


def test_the_critical_path_is_the_number_of_steps_and_not_of_tokens(simulate: Simulate) -> None:
    """Section 6.3, when all keep pace: K steps of N tokens each."""
    script = {f"0.{i}": [words(4)] * 3 + [words(3)] for i in (1, 2, 3)}
    metrics = measure(simulate("group-think", script, params={"thinkers": 3, "stride": 4}).records)
    assert (metrics.critical_path_tokens, metrics.total_tokens) == (15, 45)


def test_a_thinker_that_fails_stops_nobody(simulate: Simulate) -> None:
    script = {**CITIES, "0.2": Fault(cause="refused", retryable=False)}
    simulation = simulate("group-think", script, params=PARAMS)
    assert answer(simulation).text == "Athens, Accra, Aden, Amman, Bern."
    check(simulation)


def test_who_repeats_itself_has_no_more_to_say(simulate: Simulate) -> None:
    script = {"0.1": [" Athens.\n\n", " Accra.\n\n", " Athens.\n\n"], "0.2": " Bern."}
    simulation = simulate("group-think", script, params=PARAMS)
    assert answer(simulation).text == "Athens.\n\n Accra.\n\n Athens.\n\nBern."
    check(simulation)


def test_nobody_writes_more_than_its_share(simulate: Simulate) -> None:
    simulation = simulate("group-think", lambda decode: words(50), params={**PARAMS, "tokens": 10})
    assert [result.tokens for result in _results(simulation)] == [12, 12]


def _results(simulation: Simulation) -> list[Result]:
    branches = simulation.interpreter.state.branches
    return [branches[BranchId(branch)].result() for branch in ("0.1", "0.2")]


def test_silence_fails_the_job(simulate: Simulate) -> None:
    simulation = simulate("group-think", lambda decode: "", params=PARAMS)
    assert of_kind(simulation, e.JobFailed)[0].type == "no-answer"
    check(simulation)


def test_when_the_tokens_are_spent_the_answer_is_what_there_is(simulate: Simulate) -> None:
    simulation = simulate("group-think", CITIES, params=PARAMS, budget=Budget(tokens=8))
    assert answer(simulation).text == "Athens, Accra, Aden, Amman,\n\nI take B: Berlin,"
    check(simulation)
