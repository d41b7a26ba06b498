"""Parallel-R1 as its released rollout has it: equal paths, a summary, byte for byte."""

from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault, Structure
from anabranch.dag.job import Budget

TRAINED = {"assist": "none"}
SCRIPT: dict[str, str | list[str]] = {
    "0": ["Let me see.<Parallel>", "Both say 36.</Summary>", "\nSo \\boxed{36}"],
    "0.1": "10 % is 24, 5 % is 12.</Path>",
    "0.2": "0.15 * 240 = 36.</Path>",
}
JOINED = "<Path>10 % is 24, 5 % is 12.</Path><Path>0.15 * 240 = 36.</Path></Parallel>\n<Summary>"
REFUSED = Fault(cause="refused", detail="not here", retryable=False)


def test_the_released_bytes(listen: Listen) -> None:
    heard = listen("parallel-r1", SCRIPT, params=TRAINED)
    opened = "Let me see.<Parallel>"
    assert heard.continued("0.1") == heard.continued("0.2") == [opened + "<Path>"]
    assert heard.continued("0") == ["", opened + JOINED, opened + JOINED + "Both say 36.</Summary>"]
    assert answer(heard.simulation).text == "So \\boxed{36}"
    assert answer(heard.simulation).sources == ("0", "0.1", "0.2")
    assert {decode.context.messages for decode in heard.decodes} == {(("user", "What is due?"),)}
    assert not any(event.structured for event in of_kind(heard.simulation, e.SegmentStarted))
    assert all(decode.decoding.raw_thoughts for decode in heard.decodes)
    check(heard.simulation)


def test_paths_differ_by_their_seeds_alone(listen: Listen) -> None:
    heard = listen("parallel-r1", SCRIPT, params=TRAINED)
    [one], [two] = heard.of("0.1"), heard.of("0.2")
    assert one.context == two.context
    assert one.decoding == two.decoding
    assert one.decoding.temperature == 1.0
    assert one.seed != two.seed


def test_the_runtime_closes_what_ends_without_its_mark(listen: Listen) -> None:
    script = {**SCRIPT, "0": ["<Parallel>", "Both say 36.", " So 36."], "0.1": "10 % is 24"}
    heard = listen("parallel-r1", script, params=TRAINED)
    assert heard.continued("0")[1].startswith("<Parallel><Path>10 % is 24</Path><Path>0.15")
    assert heard.continued("0")[2].endswith("Both say 36.</Summary>")
    assert answer(heard.simulation).text == "So 36."
    check(heard.simulation)


def test_blocks_do_not_nest(listen: Listen) -> None:
    script = {**SCRIPT, "0.1": "again <Parallel> or </Parallel><Summary>no</Summary></Path>"}
    heard = listen("parallel-r1", script, params=TRAINED)
    assert (
        "again &lt;Parallel> or &lt;/Parallel>&lt;Summary>no&lt;/Summary></Path>" in heard.continued("0")[1]
    )
    check(heard.simulation)


def test_other_models_begin_with_a_block(listen: Listen) -> None:
    script = {**SCRIPT, "0": ["<Parallel>", "Both say 36.</Summary>", " 36"]}
    heard = listen("parallel-r1", script)
    first = heard.of("0")[0]
    assert first.decoding.structure == Structure(choice=("<Parallel>",))
    assert first.context.messages[0][0] == "system"
    assert heard.continued("0")[2].endswith("</Summary>\nThe answer:")
    assert answer(heard.simulation).text == "The answer: 36"
    check(heard.simulation)


def test_the_critical_path_is_the_trunk_and_the_longest_path(simulate: Simulate) -> None:
    script = {
        "0": [words(8, "<Parallel>"), words(6, "</Summary>"), words(5)],
        "0.1": words(26, "</Path>"),
        "0.2": words(18, "</Path>"),
    }
    simulation = simulate("parallel-r1", script, params=TRAINED)
    assert measure(simulation.records).critical_path_tokens == 8 + 26 + 6 + 5
    check(simulation)


def test_a_path_that_failed_says_why_and_no_place_means_no_block(listen: Listen) -> None:
    heard = listen("parallel-r1", {**SCRIPT, "0.2": REFUSED}, params=TRAINED)
    assert "<Path> [cut short: refused: not here]</Path></Parallel>" in heard.continued("0")[1]
    alone = listen("parallel-r1", {"0": ["<Parallel>", "So 36."]}, params=TRAINED, budget=Budget(branches=0))
    assert answer(alone.simulation).text == "So 36."
    check(alone.simulation)


def test_so_many_blocks_and_no_more(listen: Listen) -> None:
    script = {"0": ["<Parallel>", "a</Summary>", "<Parallel>", "b</Summary>", "<Parallel>"]}
    script |= {f"0.{i}": f"{i}</Path>" for i in range(1, 5)}  # type: ignore[misc]
    heard = listen("parallel-r1", script, params={**TRAINED, "blocks": 2})
    assert [event.problem for event in of_kind(heard.simulation, e.ActionMalformed)] == ["too-many-blocks"]
    check(heard.simulation)


def test_a_trajectory_that_ends_behind_its_last_block_wanted_no_more(listen: Listen) -> None:
    script = {"0": ["<Parallel>", "a</Summary>", "So 36."], "0.1": "1</Path>", "0.2": "2</Path>"}
    heard = listen("parallel-r1", script, params={**TRAINED, "blocks": 1})
    assert of_kind(heard.simulation, e.ActionMalformed) == []
    check(heard.simulation)
