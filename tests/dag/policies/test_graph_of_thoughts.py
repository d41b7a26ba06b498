"""Graph of Thoughts: every operation, and every thought of it, begins as soon as its own inputs are there."""

from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import EdgeKind, build
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Verify
from anabranch.dag.decoding import Fault
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Budget
from anabranch.dag.policies.graphs.drafts import MOST_PARTS, split
from anabranch.dag.simulator import EPOCH
from anabranch.workers.checks.verifiers import verify

REFUSED = Fault(cause="refused", retryable=False)


def op(name: str, kind: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "op": kind, "after": list(after), **more}


def run(simulate: Simulate, script: Any, *operations: dict[str, Any], **rest: Any) -> Any:
    params = {"operations": list(operations)} if operations else {}
    simulation = simulate("graph-of-thoughts", script, params=params, **rest)
    check(simulation)
    return simulation


def starts(simulation: Any) -> dict[str, int]:
    """The second at which each branch began to decode."""
    times = ((record.event, record.at.minute * 60 + record.at.second) for record in simulation.records)
    return {event.branch: at for event, at in times if isinstance(event, e.SegmentStarted)}


USUAL = {
    "0.1": words(10, "a"), "0.2": words(20, "b"), "0.3": words(40, "c"), "0.4": words(30, "d"),
    "0.5": "3", "0.6": "9", "0.7": "1", "0.8": "6",
    "0.9": words(15, "b2"), "0.10": words(25, "d2"),
    "0.11": words(5, "bd"),
}  # fmt: skip


def test_the_usual_graph_improves_the_best_drafts_and_makes_one_answer_of_them(simulate: Simulate) -> None:
    """By hand: drafts until 40, its judge until 41, improvements until 56 and 66, the answer at 71."""
    simulation = run(simulate, USUAL)
    assert answer(simulation).text == words(5, "bd")
    assert answer(simulation).sources == ("0.11",)
    began = starts(simulation)
    assert [began[f"0.{i}"] for i in range(5, 9)] == [10, 20, 40, 30]
    assert [began[branch] for branch in ("0.9", "0.10", "0.11")] == [41, 41, 66]
    assert [(event.pruned, event.rule) for event in of_kind(simulation, e.BranchesPruned)] == [
        (("0.1", "0.3"), "keep-best")
    ]
    [merged] = of_kind(simulation, e.BranchesMerged)
    assert (merged.into, merged.merged) == ("0.11", ("0.9", "0.10"))
    metrics = measure(simulation.records)
    assert (metrics.critical_path_tokens, metrics.total_tokens, metrics.waste_tokens) == (71, 149, 50)


SORTING = (
    op("left", "generate", prompt="Sort the left half."),
    op("right", "generate", prompt="Sort the right half."),
    op("left2", "improve", "left"),
    op("right2", "improve", "right"),
    op("both", "aggregate", "left2", "right2", prompt="Merge the sorted halves."),
)
HALVES = {
    "0.1": words(10, "a"),
    "0.2": words(50, "b"),
    "0.3": words(30, "a2"),
    "0.4": words(5, "b2"),
    "0.5": words(7, "ab"),
}


def test_operations_do_not_wait_for_their_neighbours(simulate: Simulate) -> None:
    """By hand: left 10, improved 40; right 50, improved 55; merged at 62. Barriers between the steps would give 87."""
    simulation = run(simulate, HALVES, *SORTING)
    assert starts(simulation) == {"0.1": 0, "0.2": 0, "0.3": 10, "0.4": 50, "0.5": 55}
    assert {record.at for record in simulation.records if isinstance(record.event, e.BranchForked)} == {EPOCH}
    assert measure(simulation.records).critical_path_tokens == 62
    depends = {edge[:2] for edge in build(simulation.records).edges() if edge[2] is EdgeKind.DEPENDS}
    assert depends == {("0.1/1", "0.3/1"), ("0.2/1", "0.4/1"), ("0.3/1", "0.5/1"), ("0.4/1", "0.5/1")}


def test_a_thought_reads_the_problem_its_inputs_and_the_operations_prompt(simulate: Simulate) -> None:
    seen: dict[str, Any] = {}

    def write(decode: Any) -> str:
        seen[decode.branch] = decode.context.messages
        return HALVES[decode.branch]

    run(simulate, write, *SORTING)
    assert seen["0.1"] == (("user", "What is due?\n\nSort the left half."),)
    [(_, merging)] = seen["0.5"]
    assert merging == (
        f"What is due?\n\nDraft 1:\n{words(30, 'a2')}\nDraft 2:\n{words(5, 'b2')}\n\n\nMerge the sorted halves."
    )


def verified(command: Verify) -> e.BranchScored:
    scores, details = verify(command.verifier, command.values)
    return e.BranchScored(branch=command.branch, scores=scores, by=command.verifier.kind, details=details)


def test_a_verifier_may_score_and_only_the_valid_are_kept(simulate: Simulate) -> None:
    graph = (
        op("drafts", "generate", count=3),
        op("marks", "score", "drafts", verifier="regex", spec={"pattern": r"\d"}),
        op("valid", "keep-valid", "marks"),
        op("answer", "aggregate", "valid"),
    )
    script = {"0.1": "seven", "0.2": "7", "0.3": "eight 8", "0.4": "15"}
    simulation = run(simulate, script, *graph, verify=verified)
    assert answer(simulation).text == "15"
    assert of_kind(simulation, e.BranchesMerged)[0].merged == ("0.2", "0.3")
    assert of_kind(simulation, e.BranchesPruned)[0].pruned == ("0.1",)


def test_the_best_thought_of_the_last_operation_is_the_answer(simulate: Simulate) -> None:
    graph = (op("drafts", "generate", count=2), op("marks", "score", "drafts"))
    simulation = run(simulate, {"0.1": "a", "0.2": "b", "0.3": "2", "0.4": "8"}, *graph)
    assert answer(simulation).text == "b"


def test_each_input_of_a_generate_is_thought_on(simulate: Simulate) -> None:
    graph = (
        op("a", "generate", count=2),
        op("b", "generate", "a", count=2),
        op("c", "aggregate", "b", count=1),
    )
    script = {**{f"0.{i}": f"t{i}" for i in range(1, 7)}, "0.7": "all"}
    simulation = run(simulate, script, *graph)
    after = {event.child: event.after for event in of_kind(simulation, e.BranchForked)}
    assert [after[BranchId(f"0.{i}")] for i in range(3, 7)] == [("0.1",), ("0.1",), ("0.2",), ("0.2",)]
    assert after[BranchId("0.7")] == ("0.3", "0.4", "0.5", "0.6")


def test_a_failed_draft_is_neither_judged_nor_kept(simulate: Simulate) -> None:
    simulation = run(simulate, {**USUAL, "0.2": REFUSED, "0.10": words(25, "a2")})
    assert ended(simulation)["0.6"] == "BranchCancelled"
    assert [event.after for event in of_kind(simulation, e.BranchForked) if event.role == "improve"] == [
        ("0.4",), ("0.1",),
    ]  # fmt: skip
    assert answer(simulation).text == words(5, "bd")


def test_what_would_improve_a_failed_thought_does_not_begin(simulate: Simulate) -> None:
    simulation = run(simulate, {**HALVES, "0.1": REFUSED}, *SORTING)
    assert ended(simulation)["0.3"] == "BranchCancelled"
    assert "0.3" not in starts(simulation)
    assert answer(simulation).text == words(7, "ab")


def test_if_the_last_operation_gives_nothing_the_one_before_it_answers(simulate: Simulate) -> None:
    simulation = run(simulate, {**USUAL, "0.11": REFUSED})
    assert answer(simulation).sources == ("0.9",)


def test_a_budget_of_branches_cuts_the_graph_not_the_answer(simulate: Simulate) -> None:
    simulation = run(simulate, USUAL, budget=Budget(branches=8))
    assert answer(simulation).sources == ("0.2",)


def test_no_thought_at_all_is_no_answer(simulate: Simulate) -> None:
    simulation = run(simulate, {f"0.{i}": REFUSED for i in range(1, 5)})
    assert of_kind(simulation, e.JobFailed)[0].detail == "no operation gave a thought"


def test_a_bad_graph_fails_the_job_before_anything_is_forked(simulate: Simulate) -> None:
    simulation = run(simulate, {}, op("a", "improve", "b"))
    [failed] = of_kind(simulation, e.JobFailed)
    assert failed.detail == "operation 'a' comes after 'b', which does not exist"
    assert not of_kind(simulation, e.BranchForked)


# -- parts, states, and what is improved until it is right ------------------------------------------------------------

HALVES_OF = (
    op("plan", "generate", prompt="Split: {question}"),
    op("halves", "split", "plan"),
    op("left", "select", "halves", parts=["L"]),
    op("right", "select", "halves", places=[2]),
    op("left2", "generate", "left", prompt="Sort {part}: {input}"),
    op("right2", "generate", "right", prompt="Sort {part}: {input}"),
    op("both", "aggregate", "left2", "right2", prompt="Merge\n{inputs}of {question}"),
)


def test_the_parts_of_a_split_are_thoughts_of_their_own(listen: Listen) -> None:
    script = {
        "0.1": 'So: {"L": [3, 1], "R": "{input} <ANSWER>"} it is',
        "0.2": "1 3",
        "0.3": "x",
        "0.4": "1 3 x",
    }
    heard = listen("graph-of-thoughts", script, params={"operations": list(HALVES_OF)}, question="a {part} b")
    asked = [heard.of(f"0.{n}")[0].context.messages for n in range(1, 5)]
    assert asked == [
        (("user", "Split: a {part} b"),),
        (("user", "Sort L: [3, 1]"),),
        (("user", "Sort R: {input} &lt;ANSWER>"),),
        (("user", "Merge\n1: 1 3\n2: x\nof a {part} b"),),
    ]
    assert answer(heard.simulation).text == "1 3 x"
    check(heard.simulation)


def test_what_lists_no_parts_is_recorded_and_the_latest_thought_answers(simulate: Simulate) -> None:
    simulation = run(simulate, {"0.1": "no list at all"}, *HALVES_OF)
    assert [(each.problem, each.span) for each in of_kind(simulation, e.ActionMalformed)] == [
        ("no-parts", "no list at all")
    ]
    assert answer(simulation).text == "no list at all"


@pytest.mark.parametrize(
    ("form", "text", "parts"),
    [
        ("json", '```json\n["a", {"b": 1}, null, ""]\n```', [("1", "a"), ("2", '{"b": 1}'), ("3", "null")]),
        ("json", "{" * 5000, []),
        ("json", '{"a": ' * 50_000, []),
        ("json", "[" + "9" * 5000 + "]", []),
        ("json", "", []),
        ("list", "Here:\n1. a\n2. b", [("1", "a"), ("2", "b")]),
        ("lines", "a\n\n b \n", [("1", "a"), ("2", "b")]),
        ("paragraphs", "a\nb\n \n\nc\n", [("1", "a\nb"), ("2", "c")]),
    ],
)
def test_a_text_is_split_by_its_form(form: str, text: str, parts: list[tuple[str, str]]) -> None:
    assert split(text, form) == parts


def test_no_text_has_more_parts_than_a_graph_can_bear() -> None:
    assert len(split("a\n" * 1000, "lines")) == MOST_PARTS


VALIDATED = (
    op("parts", "generate", count=2),
    op("sum", "aggregate", "parts"),
    op(
        "valid", "validate-and-improve", "sum", tries=3, least=1.0, verifier="python-score", spec={"code": "…"},
        prompt="Of\n{inputs}not {input}",
    ),
    op("answer", "keep-valid", "valid", least=1.0),
)  # fmt: skip


def test_a_thought_is_improved_until_the_check_is_content(simulate: Simulate) -> None:
    """An improved thought keeps the state of the one it improves: the check and the prompt see what was added."""
    states: list[Any] = []

    def checked(command: Verify) -> e.BranchScored:
        states.append((dict(command.values), command.verifier.spec["state"]["inputs"]))
        scores = {branch: float(value == "9") for branch, value in command.values.items()}
        return e.BranchScored(branch=command.branch, scores=scores, by="python-score")

    script = {"0.1": "4", "0.2": "5", "0.3": "7", "0.4": "8", "0.5": "9"}
    simulation = run(simulate, script, *VALIDATED, verify=checked)
    assert answer(simulation).text == "9"
    assert states == [({"0.3": "7"}, ["4", "5"]), ({"0.4": "8"}, ["4", "5"]), ({"0.5": "9"}, ["4", "5"])]


def test_what_is_valid_at_once_is_neither_improved_nor_checked_again(simulate: Simulate) -> None:
    checks: list[Verify] = []

    def checked(command: Verify) -> e.BranchScored:
        checks.append(command)
        return e.BranchScored(
            branch=command.branch, scores=dict.fromkeys(command.values, 1.0), by="python-score"
        )

    simulation = run(simulate, {"0.1": "4", "0.2": "5", "0.3": "9"}, *VALIDATED, verify=checked)
    assert (answer(simulation).text, len(checks)) == ("9", 1)


def test_what_never_becomes_valid_is_given_up_after_so_many_tries(simulate: Simulate) -> None:
    def checked(command: Verify) -> e.BranchScored:
        return e.BranchScored(
            branch=command.branch, scores=dict.fromkeys(command.values, 0.0), by="python-score"
        )

    script = {f"0.{n}": str(n) for n in range(1, 6)}
    simulation = run(simulate, script, *VALIDATED, verify=checked)
    assert len(of_kind(simulation, e.BranchForked)) == 5
    assert answer(simulation).text == "5"  # kept by nothing: the latest operation that gave a thought has it


def test_a_judge_may_say_what_is_valid(simulate: Simulate) -> None:
    graph = (op("draft", "generate"), op("valid", "validate-and-improve", "draft", tries=2))
    simulation = run(simulate, {"0.1": "bad", "0.2": "3", "0.3": "good", "0.4": "9"}, *graph)
    assert answer(simulation).text == "good"


def test_an_aggregate_of_failed_thoughts_does_not_begin(simulate: Simulate) -> None:
    simulation = run(simulate, {"0.1": REFUSED, "0.2": REFUSED}, *SORTING)
    assert "0.5" not in starts(simulation)
    assert of_kind(simulation, e.JobFailed)[0].detail == "no operation gave a thought"


@pytest.mark.parametrize("preset", ["sorting-32", "set-intersection-32", "keyword-counting"])
def test_a_model_that_follows_no_preset_ends_the_job_all_the_same(simulate: Simulate, preset: str) -> None:
    simulation = simulate("graph-of-thoughts", lambda decode: "{} I cannot. {", params={"preset": preset})
    assert answer(simulation).text == "{} I cannot. {"
    check(simulation)
