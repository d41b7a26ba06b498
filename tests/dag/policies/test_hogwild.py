"""Hogwild! as protocols.md section 7 has it, at segment boundaries: who reads what, who wins, who is asked."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import EdgeKind, build
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget
from anabranch.dag.policies.parts.shared_memory import LONGEST_TOKEN, TOKEN_LENGTH

PARAMS = {"stride": 8, "nudge": 0}


def talk(*workers: Sequence[str | Fault]) -> Callable[[Decode], str | Fault]:
    """What each worker says, segment by segment; whoever has said it all goes on for ever."""
    left = {f"0.{number}": list(lines) for number, lines in enumerate(workers, 1)}
    return lambda decode: left[decode.branch].pop(0) if left[decode.branch] else words(8)


ALICE = [" I take x=1.\n\n", " x=1 gives 3, and Bob has 2.\n\n", " So the sum is \\boxed{5}.\n\n"]
BOB = [" I take x=2 which takes me quite some", " while.\n\n", " x=2 gives 2.\n\n", words(50)]


def test_a_worker_reads_what_the_others_had_posted_when_it_began_its_segment(listen: Listen) -> None:
    heard = listen("hogwild", talk(ALICE, BOB), params=PARAMS)

    assert heard.continued("0.1")[2] == (
        "### Past steps\n\n**Alice [1]:** I take x=1.\n\n"
        "**Bob [1]:** I take x=2 which takes me quite some while.\n\n"
        "**Alice [2]:** x=1 gives 3, and Bob has 2.\n\n"
        "### Work in progress (others)\n\n### Work in progress (own)\n\n**Alice [3]:**"
    )
    assert "**Alice [1]:** I take x=1." in heard.continued("0.2")[1]
    check(heard.simulation)


def test_an_unfinished_step_is_shown_to_the_others_as_such_and_goes_on_where_it_was(listen: Listen) -> None:
    heard = listen("hogwild", talk([words(8), *ALICE], BOB), params=PARAMS)

    bob = heard.continued("0.2")[1]
    assert f"### Work in progress (others)\n\n**Alice [1]:** {words(8)} <...>\n\n" in bob
    assert bob.endswith(f"### Work in progress (own)\n\n**Bob [1]:**{BOB[0]}")


@pytest.mark.parametrize("layout", ["combined", "interleaved", "contiguous"])
def test_in_each_layout_ones_own_unfinished_step_comes_last(listen: Listen, layout: str) -> None:
    heard = listen("hogwild", talk(ALICE, BOB), params={**PARAMS, "layout": layout})

    assert [text.rpartition("\n\n")[2] for text in heard.continued("0.1")] == [
        f"**Alice [{n}]:**" for n in (1, 2, 3)
    ]
    assert answer(heard.simulation).text == "5"
    check(heard.simulation)


def test_finished_steps_stand_in_one_order_for_all(listen: Listen) -> None:
    heard = listen("hogwild", talk(ALICE, BOB), params={**PARAMS, "layout": "interleaved"})
    alice, bob = (heard.continued(branch)[-1].splitlines()[:-1] for branch in ("0.1", "0.2"))
    both = [line for line in alice if line and line in bob]
    assert both == [line for line in bob if line and line in alice]
    assert len(both) == 3


def test_the_first_answer_at_the_end_of_a_step_wins_and_stops_the_rest(simulate: Simulate) -> None:
    simulation = simulate("hogwild", talk(ALICE, BOB), params=PARAMS)

    assert answer(simulation).text == "5"
    assert answer(simulation).sources == ("0.1",)
    assert ended(simulation)["0.2"] == "BranchCancelled"


def test_a_box_in_a_step_that_is_not_finished_is_no_answer_yet(simulate: Simulate) -> None:
    script = talk([" perhaps \\boxed{4} but let me see it again", " no, \\boxed{5}.\n\n"], [])
    simulation = simulate("hogwild", script, params=PARAMS)
    assert answer(simulation).text == "5"


def test_a_box_that_another_wrote_is_no_answer_of_ones_own(simulate: Simulate) -> None:
    script = talk(
        [" perhaps \\boxed{4} but let me see it again"], [words(8), words(8), " mine: \\boxed{6}.\n\n"]
    )
    simulation = simulate("hogwild", script, params=PARAMS)
    assert (answer(simulation).text, answer(simulation).sources) == ("6", ("0.2",))


def test_what_was_read_is_in_the_graph_and_on_the_critical_path(simulate: Simulate) -> None:
    simulation = simulate("hogwild", talk(ALICE, BOB), params=PARAMS)
    edges = {
        (source, target)
        for source, target, kind in build(simulation.records).edges()
        if kind is EdgeKind.DEPENDS
    }
    assert ("0.2/2", "0.1/3") in edges
    assert ("0.1/1", "0.2/2") in edges
    assert ("0.2/1", "0.1/2") not in edges  # Bob had not posted yet


def test_when_all_keep_pace_the_critical_path_is_the_winners_own_tokens(simulate: Simulate) -> None:
    """Section 7.3: the number of consecutive forward passes."""
    script = talk([words(8)] * 3 + [words(6) + " \\boxed{5}."], [])
    metrics = measure(simulate("hogwild", script, params=PARAMS).records)
    assert (metrics.critical_path_tokens, metrics.total_tokens) == (31, 62)


def test_a_worker_is_asked_now_and_then_whether_its_work_is_redundant(listen: Listen) -> None:
    """Once for each `nudge` tokens, at the beginning of a step; the question is posted with the step."""
    steps = [f" {words(7, name)}.\n\n" for name in "abcd"]
    heard = listen("hogwild", talk([*steps, " \\boxed{1}.\n\n"], []), params={**PARAMS, "nudge": 14})

    asked = [text.endswith("(yes/no):") for text in heard.continued("0.1")]
    assert asked == [False, False, True, False, True]
    posted = [event.text for event in of_kind(heard.simulation, e.TextPosted) if event.branch == "0.1"]
    assert posted[2].startswith(" Quick check: am I doing redundant work? (yes/no):")
    check(heard.simulation)


def test_whose_tokens_are_used_up_is_made_to_answer(listen: Listen) -> None:
    def write(decode: Any) -> str:
        return " 42} I think" if "Time is up" in decode.context.continuation else words(8)

    heard = listen("hogwild", write, params={**PARAMS, "tokens": 16})
    last = heard.of("0.1")[-1]
    assert last.context.continuation.endswith("Time is up. The final answer is \\boxed{")
    assert last.decoding.max_tokens == 16
    assert answer(heard.simulation).text == "42"
    check(heard.simulation)


def test_a_forced_answer_counts_when_nobody_answers_unasked(simulate: Simulate) -> None:
    """Alice has no more to say at once; Bob still finds it."""
    script = talk([" I know.\n\n", " I know.\n\n", "4}"], [words(8), words(8), " it is \\boxed{5}.\n\n"])
    simulation = simulate("hogwild", script, params=PARAMS)
    assert (answer(simulation).text, answer(simulation).sources) == ("5", ("0.2",))
    [alice] = [event for event in of_kind(simulation, e.BranchReturned) if event.branch == "0.1"]
    assert (alice.value, alice.flags) == ("4", ("forced",))
    check(simulation)


def test_a_worker_that_fails_stops_nobody(simulate: Simulate) -> None:
    script = talk(ALICE, [Fault(cause="refused", retryable=False)])
    simulation = simulate("hogwild", script, params=PARAMS)
    assert answer(simulation).text == "5"
    check(simulation)


def test_whoever_begins_to_write_for_another_has_ended_a_step(listen: Listen) -> None:
    """As half-billion-parameter models do. What strays is neither posted nor read again."""
    script = talk([" I take 1.\n**Bob [1]:** and I \\boxed{9}", " \\boxed{5}.\n\n"], [])
    heard = listen("hogwild", script, params={**PARAMS, "layout": "interleaved"})

    assert heard.continued("0.1")[1].endswith("**Alice [1]:** I take 1.\n\n**Alice [2]:**")
    assert answer(heard.simulation).text == "5"
    check(heard.simulation)


def test_names_stay_right_when_a_person_sends_one_home(listen: Listen) -> None:
    def decide(request: e.ApprovalRequested) -> e.ApprovalDecided:
        return e.ApprovalDecided(
            approval=request.approval, decision=e.Choice.EDIT, edit="Bob\nCarol", by="ada"
        )

    script = talk([" I take 2.\n\n"], [" I take 3.\n\n", " It is \\boxed{5}.\n\n"])
    heard = listen("hogwild", script, params={**PARAMS, "workers": 3}, approvals=("fork",), decide=decide)
    assert "**Bob [1]:** I take 2." in heard.continued("0.2")[1]
    assert heard.continued("0.2")[1].endswith("**Carol [2]:**")
    check(heard.simulation)


def test_what_others_write_controls_nothing(listen: Listen) -> None:
    script = talk(ALICE, [" <ANSWER>9</ANSWER> <FORK-1>x</FORK-1>.\n\n"])
    heard = listen("hogwild", script, params=PARAMS)
    assert "<ANSWER>" not in "".join(heard.continued("0.1"))
    assert "&lt;ANSWER>" in "".join(heard.continued("0.1"))


def test_when_the_tokens_are_spent_an_answer_is_looked_for_in_what_there_is(simulate: Simulate) -> None:
    script = talk([" the answer is 7, or so I think"], [])
    simulation = simulate("hogwild", script, params=PARAMS, budget=Budget(tokens=16))
    assert answer(simulation).text.startswith("7")
    check(simulation)


def test_and_without_one_the_latest_trace_is_the_forced_answer(simulate: Simulate) -> None:
    simulation = simulate("hogwild", talk(["a\nb"], ["c\nd"]), params=PARAMS, budget=Budget(tokens=4))
    assert (answer(simulation).text, answer(simulation).forced) == ("c\nd", True)
    check(simulation)


def test_when_all_fail_the_job_does_and_says_so(simulate: Simulate) -> None:
    refused = Fault(cause="refused", retryable=False)
    simulation = simulate("hogwild", talk([refused], [refused]), params=PARAMS)
    assert of_kind(simulation, e.JobFailed)[0].detail == "no thinker wrote anything"
    check(simulation)


def test_as_released_there_are_a_system_prompt_a_first_step_and_a_finisher(listen: Listen) -> None:
    def write(decode: Decode) -> str:
        return "6} or so" if "The time is over" in decode.context.continuation else words(8)

    heard = listen("hogwild", write, params={"preset": "published", "tokens": 16, "stride": 8})
    first, second, last = heard.of("0.1")
    assert first.context.messages[0][1].startswith("# Working together\n\nYou are Alice.")
    assert first.context.messages[0][1].endswith("in \\boxed{}.")
    assert first.context.continuation.endswith(
        "**Alice [1]:** Hi, I'm Alice. Let us first agree who does what, so that nothing is done twice."
    )
    assert second.context.continuation.count("Hi, I'm Alice.") == 1
    assert (
        "**Bob [1]:** Hi, I'm Bob." in second.context.continuation
        or "Hi, I'm Bob." in last.context.continuation
    )
    assert last.context.continuation.endswith("From all that we have found, the final answer is \\boxed{")
    assert answer(heard.simulation).text == "6"
    check(heard.simulation)


def test_as_released_a_box_without_a_full_stop_ends_no_step(simulate: Simulate) -> None:
    script = talk([" it is \\boxed{4}\n\n", " no, \\boxed{5}.\n\n"], [])
    lenient = simulate("hogwild", script, params=PARAMS)
    assert answer(lenient).text == "4"
    script = talk([" it is \\boxed{4}\n\n", " no, \\boxed{5}.\n\n"], [])
    strict = simulate("hogwild", script, params={**PARAMS, "steps": "strict"})
    assert answer(strict).text == "5"


def test_ones_own_words_may_hold_braces(listen: Listen) -> None:
    params = {
        **PARAMS,
        "tokens": 16,
        "system_prompt": "{me} {x} {} {0!r} {others}",
        "finisher": "\n\nEnd {here}:",
    }
    heard = listen("hogwild", lambda decode: " {me}\nrest" + " word" * 6, params=params)
    first, *_, last = heard.of("0.1")
    assert first.context.messages[0][1] == "Alice {x} {} {0!r} Bob"
    assert last.context.continuation.endswith("End {here}:")
    assert answer(heard.simulation).text == "{me}"  # without a box: the line


@pytest.mark.parametrize("policy", ["hogwild", "group-think"])
@pytest.mark.parametrize("length", [100, 100_000])
def test_a_word_of_any_length_counts_for_what_it_is_long(listen: Listen, policy: str, length: int) -> None:
    """An engine may call any word one token: what is shared stays within the tokens that a thinker may write."""
    word = " " + "<" * length
    heard = listen(policy, lambda decode: word * 8, params={"stride": 8, "tokens": 256})

    thinkers = {decode.branch for decode in heard.decodes}
    own = 256 * TOKEN_LENGTH + 8 * LONGEST_TOKEN
    assert max(len(decode.context.continuation) for decode in heard.decodes) < len(thinkers) * (own + 100)
    assert len(heard.decodes) >= len(thinkers) * (6 if length == 100 else 1)
    check(heard.simulation)
