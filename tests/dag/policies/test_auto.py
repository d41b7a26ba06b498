"""Auto: the question and the budget choose the policy and its width, and the journal says why."""

import json

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Fault
from anabranch.dag.errors import BadParameters
from anabranch.dag.job import Budget
from anabranch.dag.limits import Limits, Price
from anabranch.dag.policies.parts.routing import CHOICES, Look, choose, paths_within, read_look, width_of
from anabranch.dag.policy import catalogue
from anabranch.dag.simulator import Simulation


def routed(simulation: Simulation) -> tuple[str, dict[str, float]]:
    """The first route, and what it was chosen by."""
    first = of_kind(simulation, e.ReasonGiven)[0]
    assert first.about == "route"
    return first.text, dict(first.numbers)


def paths(count: int) -> dict[str, str]:
    return {f"0.{number}": words(5, str(number)) for number in range(2, count + 2)}


@pytest.mark.parametrize(("difficulty", "width"), [("easy", 4), ("medium", 8), ("hard", 16)])
def test_four_paths_for_a_simple_question_sixteen_for_a_hard_one(
    simulate: Simulate, difficulty: str, width: int
) -> None:
    simulation = simulate("auto", {"0.1": f"{difficulty} answer", **paths(width)})
    assert len(of_kind(simulation, e.BranchForked)) == 1 + width
    text, numbers = routed(simulation)
    assert text.startswith(f"self-consistency: {difficulty}, asks for one short answer")
    assert numbers == {"width": width, "n": width}
    check(simulation)


def test_the_look_is_one_short_constrained_call_behind_the_question(listen: Listen) -> None:
    heard = listen("auto", {"0.1": "easy answer", **paths(4)})
    [look] = heard.of("0.1")
    assert look.decoding.structure is not None
    assert look.decoding.structure.choice == CHOICES
    assert look.decoding.max_tokens == 8
    [(role, text)] = look.context.messages
    assert role == "user"
    assert text.startswith("What is due?\n\nDo not answer this question yet.")
    [returned] = [event for event in of_kind(heard.simulation, e.BranchReturned) if event.branch == "0.1"]
    assert "aside" in returned.flags


def test_it_costs_the_look_and_what_it_chose(simulate: Simulate) -> None:
    script = {"0.1": "easy answer", "0.2": words(9, "7"), "0.3": words(20, "7"), "0.4": words(30, "7")}
    simulation = simulate("auto", {**script, "0.5": words(90)}, params={"simple": 4})
    assert answer(simulation).text == "7"
    assert measure(simulation.records).critical_path_tokens == 2 + 20
    check(simulation)


def test_parts_are_planned_and_texts_are_judged(simulate: Simulate) -> None:
    plan = (
        '{"subtasks":[{"id":"t1","question":"a?","after":[]},{"id":"t2","question":"b?","after":[]}],'
        '"synthesis":"s"}'
    )
    parts = simulate(
        "auto", {"0.1": "hard parts", "0.2": plan, "0.3": "so a", "0.4": "so b", "0.5": "a and b"}
    )
    assert routed(parts)[0].startswith("plan: hard")
    assert answer(parts).text == "a and b"
    check(parts)
    judged = {"0.1": "medium text", **{f"0.{i}": f"draft {i}" for i in range(2, 6)}}
    judged |= {f"0.{i}": str(i) for i in range(6, 10)}
    texts = simulate("auto", judged)
    assert routed(texts)[0].startswith("best-of-n: medium")
    assert answer(texts).text == "draft 5"
    check(texts)


def test_an_easy_text_is_written_in_one_go(simulate: Simulate) -> None:
    simulation = simulate("auto", {"0.1": "easy text", "0": "A poem."})
    assert routed(simulation)[0].startswith("sequential: easy")
    assert answer(simulation).text == "A poem."
    check(simulation)


def test_the_budget_cuts_the_width_and_the_journal_says_so(simulate: Simulate) -> None:
    budget = Budget(tokens=3000)
    simulation = simulate("auto", {"0.1": "hard answer", **paths(5)}, budget=budget, max_tokens=100)
    text, numbers = routed(simulation)
    assert text.endswith("5 of 16 paths within the budget")
    assert numbers == {"width": 16, "allowed": 5, "n": 5}
    check(simulation)


def test_without_a_second_path_nobody_looks(simulate: Simulate) -> None:
    simulation = simulate("auto", {"0": "So 7."}, budget=Budget(tokens=1000))
    assert routed(simulation)[0] == "sequential: the budget allows no second path"
    assert not of_kind(simulation, e.BranchForked)
    assert answer(simulation).text == "So 7."
    check(simulation)


@pytest.mark.parametrize("said", ["", "maybe", "answer", Fault(cause="refused", retryable=False)])
def test_a_router_that_says_nothing_of_use_leads_to_a_plan(simulate: Simulate, said: str | Fault) -> None:
    simulation = simulate("auto", {"0.1": said, "0.2": '{"direct":true}', "0": "So 7."})
    assert routed(simulation)[0].startswith("plan: the router saw nothing; taken as medium")
    assert answer(simulation).text == "So 7."
    odd = [event.problem for event in of_kind(simulation, e.ActionMalformed)]
    assert odd == (["no-look"] if isinstance(said, str) and said else [])
    check(simulation)


def test_where_nothing_can_be_compared_after_all_one_line_of_thought_answers(simulate: Simulate) -> None:
    script = {"0.1": "easy answer", **{f"0.{i}": "A poem\nof\nseas" for i in range(2, 6)}, "0": "A poem."}
    simulation = simulate("auto", script)
    assert answer(simulation).text == "A poem."
    assert "self-consistency found no answer" in of_kind(simulation, e.ReasonGiven)[1].text
    check(simulation)


@pytest.mark.parametrize(
    ("said", "look"),
    [
        ("hard parts", Look("hard", "parts")),
        ("Difficulty: Medium.\nIt asks for text, not an answer", Look("medium", "text")),
        ("hardly parts", None),
        ("hard", None),
    ],
)
def test_a_look_is_read_leniently(said: str, look: Look | None) -> None:
    assert read_look(said) == look


@pytest.mark.parametrize(
    ("budget", "allowed"),
    [
        (Budget(), None),
        (Budget(seconds=60), None),
        (Budget(tokens=5119), 9),
        (Budget(tokens=9999, branches=4), 3),
        (Budget(branches=0), 0),
        (Budget(depth=0), 0),
    ],
)
def test_paths_are_counted_by_tokens_and_branches(budget: Budget, allowed: int | None) -> None:
    assert paths_within(budget, 512) == allowed


@pytest.mark.parametrize(("cost", "price", "allowed"), [(0.3, 1e-4, 3), (0.29, 1e-4, 2), (0.3, 0.0, None)])
def test_paths_are_counted_by_money_where_tokens_cost_any(
    cost: float, price: float, allowed: int | None
) -> None:
    assert paths_within(Budget(cost=cost), 1000, price) == allowed
    assert paths_within(Budget(cost=cost, tokens=1999), 1000, price) == 1


def test_money_cuts_the_width_and_the_journal_says_so(simulate: Simulate) -> None:
    """By the price of the job's own model."""
    dear = Limits(prices={"dear": Price(completion=1e-3)}, completion_price=1e-6)
    asked = {"params": {"path_tokens": 100}, "budget": Budget(cost=0.3), "limits": dear}
    cut = simulate("auto", {"0.1": "hard answer", **paths(3)}, model="dear", **asked)
    text, numbers = routed(cut)
    assert text.endswith("3 of 16 paths within the budget")
    assert numbers == {"width": 16, "allowed": 3, "n": 3}
    whole = simulate("auto", {"0.1": "hard answer", **paths(16)}, **asked)
    assert routed(whole)[1]["n"] == 16
    check(cut)


@pytest.mark.parametrize("look", ["hard answer", "hard text", "hard parts"])
@pytest.mark.parametrize("branches", range(1, 9))
def test_what_is_chosen_has_room_in_the_budget(simulate: Simulate, look: str, branches: int) -> None:
    """Judges, planner and synthesis are branches, too: none of them is refused."""
    subtasks = [{"id": name, "question": "What?", "after": []} for name in "ab"]

    def write(decode: Decode) -> str:
        if decode.branch == "0.1":
            return look
        planned = look == "hard parts" and decode.branch == "0.2"
        return json.dumps({"subtasks": subtasks, "synthesis": "Both."}) if planned else "It is \\boxed{7}."

    simulation = simulate("auto", write, budget=Budget(branches=branches))
    assert of_kind(simulation, e.ForkRejected) == []
    check(simulation)


def test_every_look_has_a_route_that_its_policy_takes() -> None:
    """Whatever is seen, and however narrow or wide."""
    for choice in CHOICES:
        look = read_look(choice)
        assert look is not None
        for allowed in (None, 0, 1, 2, 3, 1000):
            for simple, hard in ((1, 1), (1, 4), (4, 16), (256, 256)):
                route = choose(look, width_of(look, simple, hard), allowed)
                catalogue()[route.name].check(route.params)
                assert max(route.params.values(), default=1) <= (hard if allowed is None else max(allowed, 2))


def test_a_simple_question_gets_no_more_than_a_hard_one() -> None:
    with pytest.raises(BadParameters, match="simple is at most hard"):
        catalogue()["auto"].check({"simple": 9, "hard": 4})
