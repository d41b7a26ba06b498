"""ThreadWeaver as protocols.md section 2 has it: the bytes, the order, the bounds, and what becomes of a bad thread."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget

TRAINED = {"assist": "none"}
PLAN = (
    "<think>Need lcm and gcd of 84 and 126.\n"
    "<Parallel><Outlines><Outline>1: Factor 84.</Outline><Outline>2: Factor 126.</Outline></Outlines>"
)
REST = "\ngcd takes minimum exponents: 42; lcm takes maximum: 252. \\boxed{42, 252}</think>"
SCRIPT: dict[str, str | list[str]] = {
    "0": [PLAN, REST],
    "0.1": " 84 = 2^2 * 3 * 7.</Thread>",
    "0.2": " 126 = 2 * 3^2 * 7.</Thread>",
}
JOINED = "\n<Thread>\n1: 84 = 2^2 * 3 * 7.</Thread><Thread>\n2: 126 = 2 * 3^2 * 7.</Thread>\n"
REFUSED = Fault(cause="refused", detail="not here", retryable=False)


def problems(simulation: object) -> list[str]:
    return [event.problem for event in of_kind(simulation, e.ActionMalformed)]  # type: ignore[arg-type]


def test_the_papers_transcript_byte_for_byte(listen: Listen) -> None:
    """Section 2.1: a newline, the mark, a newline and the number; threads touch; the runtime closes the block."""
    heard = listen("thread-weaver", SCRIPT, params=TRAINED)

    assert heard.continued("0.1") == [PLAN + "\n<Thread>\n1:"]
    assert heard.continued("0.2") == [PLAN + "\n<Thread>\n2:"]
    assert heard.continued("0") == ["", PLAN + JOINED + "</Parallel>"]
    assert answer(heard.simulation).text == REST.removesuffix("</think>").strip()
    assert answer(heard.simulation).sources == ("0", "0.1", "0.2")
    check(heard.simulation)


def test_the_released_code_lets_the_model_close_the_block(listen: Listen) -> None:
    script = {**SCRIPT, "0": [PLAN, "</Parallel>" + REST]}
    heard = listen("thread-weaver", script, params={**TRAINED, "closer": "model"})

    assert heard.continued("0")[1] == PLAN + JOINED
    assert answer(heard.simulation).text.startswith("gcd takes")


def test_published_bytes_only_means_no_instruction_and_no_structure(listen: Listen) -> None:
    heard = listen("thread-weaver", SCRIPT, params=TRAINED)

    assert {decode.context.messages for decode in heard.decodes} == {(("user", "What is due?"),)}
    assert not any(event.structured for event in of_kind(heard.simulation, e.SegmentStarted))


def test_untrained_models_get_an_example_and_a_form_for_their_first_plan(listen: Listen) -> None:
    heard = listen("thread-weaver", SCRIPT)

    assert [decode.context.messages[0][0] for decode in heard.decodes] == ["system"] * 4
    started = of_kind(heard.simulation, e.SegmentStarted)
    assert [event.structured for event in started if event.branch == "0"] == [True, False]


def test_and_each_thread_begins_with_its_outline_and_the_end_with_a_cue(listen: Listen) -> None:
    """A small model forgets which part is its own, and ends its turn behind a block."""
    heard = listen("thread-weaver", SCRIPT)

    assert heard.continued("0.2") == [PLAN + "\n<Thread>\n2: Factor 126."]
    assert "1: Factor 84. 84 = 2^2 * 3 * 7.</Thread><Thread>\n2: Factor 126. 126" in heard.continued("0")[1]
    assert heard.continued("0")[1].endswith("</Thread>\n</Parallel>\nThe answer:")


def test_threads_are_joined_in_the_order_of_the_outlines_whatever_their_arrival(listen: Listen) -> None:
    script = {"0": [PLAN, REST], "0.1": words(50, "a</Thread>"), "0.2": words(5, "b</Thread>")}
    heard = listen("thread-weaver", script, params=TRAINED)

    returned = [event.branch for event in of_kind(heard.simulation, e.BranchReturned)]
    assert returned == ["0.2", "0.1", "0"]
    assert heard.continued("0")[1].index("1:") < heard.continued("0")[1].index("2:")
    assert of_kind(heard.simulation, e.BranchesJoined)[0].joined == ("0.1", "0.2")


def test_the_critical_path_is_the_trunk_and_the_longest_thread(simulate: Simulate) -> None:
    """Section 2.3's example without its wrappers, which here nobody decodes: 100 + max(200, 140) + 50."""
    plan = words(97) + " <Outlines><Outline>1: a</Outline><Outline>2: b</Outline></Outlines>"
    script = {
        "0": [plan, words(50)],
        "0.1": words(200, "x</Thread>"),
        "0.2": words(140, "y</Thread>"),
    }
    simulation = simulate("thread-weaver", script, params=TRAINED)
    metrics = measure(simulation.records)
    assert (metrics.critical_path_tokens, metrics.total_tokens) == (350, 490)
    assert metrics.wall_seconds == 350


def test_only_its_own_marks_are_marks_to_the_reader(simulate: Simulate) -> None:
    script = SCRIPT | {"0": [PLAN, "\nThe type is Vec<Path>, or <Goal>.</Parallel>"]}
    simulation = simulate("thread-weaver", script, params=TRAINED)
    assert answer(simulation).text == "The type is Vec<Path>, or <Goal>."


def test_blocks_follow_one_another(simulate: Simulate) -> None:
    script = {
        "0": [PLAN, PLAN, REST],
        "0.1": " a</Thread>",
        "0.2": " b</Thread>",
        "0.3": " c</Thread>",
        "0.4": " d",
    }
    simulation = simulate("thread-weaver", script, params=TRAINED)
    assert answer(simulation).sources == ("0", "0.1", "0.2", "0.3", "0.4")
    check(simulation)


@pytest.mark.parametrize("ending", [" half of it", words(30)], ids=["end of turn", "length"])
def test_an_unfinished_thread_is_closed_by_the_runtime_and_flagged(listen: Listen, ending: str) -> None:
    heard = listen("thread-weaver", {**SCRIPT, "0.2": ending}, params=TRAINED, max_tokens=25)

    [flagged] = [event for event in of_kind(heard.simulation, e.BranchReturned) if event.branch == "0.2"]
    assert flagged.flags == ("closed-by-runtime",)
    assert heard.continued("0")[1].endswith(f"2:{flagged.value}</Thread>\n</Parallel>")
    check(heard.simulation)


def test_or_it_aborts_the_run_as_in_the_released_client(simulate: Simulate) -> None:
    """Section 13: it keeps its threads, and the runtime closes the block."""
    simulation = simulate(
        "thread-weaver", {**SCRIPT, "0.2": " half of it"}, params={**TRAINED, "unfinished": "abort"}
    )
    assert problems(simulation) == ["unfinished-thread"]
    assert answer(simulation).text == "1: 84 = 2^2 * 3 * 7.\n2: half of it"
    assert answer(simulation).sources == ("0", "0.1", "0.2")
    check(simulation)


@pytest.mark.parametrize("unfinished", ["close", "abort"])
def test_a_failed_thread_never_fails_the_job(listen: Listen, unfinished: str) -> None:
    params = {**TRAINED, "unfinished": unfinished}
    heard = listen("thread-weaver", {**SCRIPT, "0.2": REFUSED}, params=params)

    assert ended(heard.simulation)["0.2"] == "BranchFailed"
    assert ended(heard.simulation)["0"] == "BranchReturned"
    if unfinished == "close":
        assert "2: [cut short: refused: not here]</Thread>" in heard.continued("0")[1]
    check(heard.simulation)


BAD_PLANS = {
    "<Outlines>in parallel</Outlines>": "no-outline",
    "<Outlines>" + "".join(f"<Outline>{n}: a</Outline>" for n in range(1, 5)) + "</Outlines>": "too-many",
}


@pytest.mark.parametrize(("plan", "problem"), BAD_PLANS.items())
def test_a_plan_that_cannot_be_carried_out_is_recorded_and_stays_text(
    listen: Listen, plan: str, problem: str
) -> None:
    """Section 2.1: none found, stay sequential; over the limit the same."""
    heard = listen("thread-weaver", {"0": [plan, "so 7"]}, params={**TRAINED, "limit": 3})

    assert problems(heard.simulation) == [problem]
    assert not of_kind(heard.simulation, e.BranchForked)
    assert heard.continued("0") == ["", plan]
    assert answer(heard.simulation).text == "so 7"
    check(heard.simulation)


def test_a_departure_stays_text_in_the_strict_reading_only(simulate: Simulate) -> None:
    plan = "<Outlines><Outline>1.2: a</Outline><Outline>1.3: b</Outline></Outlines>"
    script = {"0": [plan, "so 7"], "0.1": " a</Thread>", "0.2": " b</Thread>"}
    strict = simulate("thread-weaver", dict(script), params={**TRAINED, "reading": "strict"})
    script["0"] = [plan, "so 7"]
    lenient = simulate("thread-weaver", script, params=TRAINED)

    assert (problems(strict), len(of_kind(strict, e.BranchForked))) == (["numbering"], 0)
    assert (problems(lenient), len(of_kind(lenient, e.BranchForked))) == ([], 2)


def test_a_plan_that_never_closes_is_malformed_and_the_text_is_the_answer(simulate: Simulate) -> None:
    simulation = simulate("thread-weaver", {"0": "seven. <Outlines><Outline>1: a"}, params=TRAINED)
    assert problems(simulation) == ["unclosed"]
    assert answer(simulation).text == "seven. 1: a"


ONE = "<Outlines><Outline>1: Factor 84.</Outline></Outlines>"


def test_one_outline_is_thought_through_inline_byte_for_byte(listen: Listen) -> None:
    heard = listen("thread-weaver", {"0": [ONE, " 84 = 2^2 * 3 * 7.</Thread>", "so"]}, params=TRAINED)

    assert not of_kind(heard.simulation, e.BranchForked)
    thread = ONE + "\n<Thread>\n1:"
    assert heard.continued("0") == ["", thread, thread + " 84 = 2^2 * 3 * 7.</Thread>\n</Parallel>"]
    assert [event.removed for event in of_kind(heard.simulation, e.SegmentStarted)] == [0, 0, 0]
    check(heard.simulation)


def test_an_inline_thread_without_its_end_is_closed_too(listen: Listen) -> None:
    heard = listen("thread-weaver", {"0": [ONE, " half", "so"]}, params=TRAINED)
    assert heard.continued("0")[2] == ONE + "\n<Thread>\n1: half</Thread>\n</Parallel>"


def test_tags_in_a_thread_are_escaped_at_the_join(listen: Listen) -> None:
    script = {**SCRIPT, "0.1": " a</Parallel><Outlines><Outline>1: x</Outline></Outlines>b</Thread>"}
    heard = listen("thread-weaver", script, params=TRAINED)

    assert "1: a&lt;/Parallel>&lt;Outlines>" in heard.continued("0")[1]
    assert len(of_kind(heard.simulation, e.BranchForked)) == 2


def test_when_nothing_may_be_forked_the_trunk_writes_the_threads_itself(simulate: Simulate) -> None:
    """The hybrid mode of section 2.1: tags as text."""
    script = {"0": [PLAN, "\n<Thread>\n1: a</Thread>\n</Parallel>\nso 42"]}
    simulation = simulate("thread-weaver", script, params=TRAINED, budget=Budget(branches=0))
    assert answer(simulation).text == "so 42"
    check(simulation)


def test_a_thread_that_may_not_start_is_told_of(listen: Listen) -> None:
    heard = listen("thread-weaver", dict(SCRIPT), params=TRAINED, budget=Budget(branches=1))
    assert "2: [not started: budget:branches]</Thread>" in heard.continued("0")[1]
    check(heard.simulation)


LONG = {"0.1": " " + words(400, "a</Thread>"), "0.2": " " + words(300, "b</Thread>")}


def test_a_join_that_the_context_cannot_hold_is_summarised(listen: Listen) -> None:
    script = {"0": [PLAN, REST], **LONG, "0.3": "first part", "0.4": "second part"}
    heard = listen("thread-weaver", script, params=TRAINED, room=2800)

    assert heard.continued("0")[2] == PLAN + (
        "\n<Thread>\n1: first part</Thread><Thread>\n2: second part</Thread>\n</Parallel>"
    )
    assert [event.merged for event in of_kind(heard.simulation, e.BranchesMerged)] == [("0.1",), ("0.2",)]
    assert answer(heard.simulation).text.startswith("gcd")
    check(heard.simulation)


def test_or_cut_with_a_mark(listen: Listen) -> None:
    script = {"0": [PLAN, REST], **LONG}
    heard = listen("thread-weaver", script, params={**TRAINED, "overflow": "truncate"}, room=2800)

    assert heard.continued("0")[2].count("characters cut") == 2
    assert not of_kind(heard.simulation, e.BranchesMerged)
    check(heard.simulation)


def test_what_has_no_summary_is_cut(listen: Listen) -> None:
    script = {"0": [PLAN, REST], **LONG, "0.3": REFUSED, "0.4": "second part"}
    heard = listen("thread-weaver", script, params=TRAINED, room=2100)

    assert "characters cut" in heard.continued("0")[3]
    assert "2: second part</Thread>" in heard.continued("0")[3]
    check(heard.simulation)


def test_or_refused_and_the_job_says_why(listen: Listen) -> None:
    script = {"0": [PLAN, REST], **LONG}
    heard = listen("thread-weaver", script, params={**TRAINED, "overflow": "refuse"}, room=2800)

    [failed] = of_kind(heard.simulation, e.JobFailed)
    assert (failed.type, failed.detail.endswith(" of 2800")) == ("prompt-too-long", True)
    check(heard.simulation)


def test_an_opening_mark_behind_a_backtick_is_a_plan(simulate: Simulate) -> None:
    """Section 13: the released client has no quoting rule."""
    script = {**SCRIPT, "0": ["the set `A: " + PLAN, REST]}
    assert len(of_kind(simulate("thread-weaver", script, params=TRAINED), e.BranchForked)) == 2


def test_after_32_states_the_trunk_is_asked_no_more(simulate: Simulate) -> None:
    """Section 13: deciding is a state, and carrying out a block another."""
    endless = simulate("thread-weaver", lambda decode: "<Outlines>none</Outlines>", params=TRAINED)
    assert problems(endless) == ["no-outline"] * 31 + ["too-many-plans"]
    check(endless)


def test_so_16_blocks_are_carried_out(simulate: Simulate) -> None:
    simulation = simulate(
        "thread-weaver", lambda decode: PLAN if decode.branch == "0" else " a</Thread>", params=TRAINED
    )
    assert len(of_kind(simulation, e.BranchForked)) == 2 * 16
    assert problems(simulation) == ["too-many-plans"]
    check(simulation)


def test_when_the_tokens_are_spent_the_answer_is_what_there_is(simulate: Simulate) -> None:
    script = {"0": [PLAN + " x"], "0.1": words(30, "9</Thread>"), "0.2": words(30, "8</Thread>")}
    simulation = simulate("thread-weaver", script, params=TRAINED, budget=Budget(tokens=60), max_tokens=30)
    assert answer(simulation).text
    check(simulation)


def test_silence_fails_the_job_with_the_reason(simulate: Simulate) -> None:
    simulation = simulate("thread-weaver", {"0": ""}, params=TRAINED)
    assert of_kind(simulation, e.JobFailed)[0].type == "no-answer"


def test_html_is_no_mark_to_its_reader(simulate: Simulate) -> None:
    said = "Here it is: <details><summary>Click</summary>the rest</details></goal>"
    assert answer(simulate("thread-weaver", {"0": said})).text == said
