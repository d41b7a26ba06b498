"""APR (arXiv 2504.15466): a spawn names nodes of the search; the results are never the model's to write."""

import pytest
from tests.dag.grammars.conftest import Reader

from anabranch.dag.decoding import Tag
from anabranch.dag.grammars.apr import Node, SubSearch, call_span, nodes, optimal_path, results, sub_searches

BODY = (
    "\n<Start Sub Search 0 at level 1> Moving to Node #0,0"
    "\n<Start Sub Search 1 at level 1> Moving to Node #0,1\n"
)
SPAWN = f"<Calling Sub Searches>{BODY}<End Calling Sub Searches>"
PARENT = """Moving to Node #0
Current State: 27:[22, 26, 31, 53], Operations: []
Exploring Operation: 53-22=31, Resulting Numbers: [26, 31, 31]
Generated Node #0,0: 27:[26, 31, 31] Operation: 53-22=31
Exploring Operation: 31-22=9, Resulting Numbers: [26, 53, 9]
Generated Node #0,1: 27:[26, 53, 9] Operation: 31-22=9
Moving to Node #0,1
Current State: 27:[26, 53, 9], Operations: ['31-22=9']
Generated Node #0,1,0: 27:[27, 9] Operation: 53-26=27
"""


def test_the_parent_stops_at_its_spawn(read: Reader) -> None:
    told = read("apr:strict", f"{PARENT}{SPAWN}\nand on")

    assert told.tags == [Tag(kind="spawn", body=BODY)]
    assert told.segments == [PARENT + SPAWN]
    assert told.stopped


def test_the_spawn_names_its_children() -> None:
    assert sub_searches(BODY) == (SubSearch(0, 1, "0,0"), SubSearch(1, 1, "0,1"))


# -- what children are sent -------------------------------------------------------------------------------------------


def test_a_child_is_sent_the_state_and_operations_of_its_node() -> None:
    assert nodes(PARENT)["0,0"].message == (
        "Moving to Node #0,0\nCurrent State: 27:[26, 31, 31], Operations: ['53-22=31']"
    )


def test_operations_grow_along_the_path_from_the_root() -> None:
    assert nodes(PARENT) == {
        "0": Node("0", "27:[22, 26, 31, 53]", ()),
        "0,0": Node("0,0", "27:[26, 31, 31]", ("53-22=31",)),
        "0,1": Node("0,1", "27:[26, 53, 9]", ("31-22=9",)),
        "0,1,0": Node("0,1,0", "27:[27, 9]", ("31-22=9", "53-26=27")),
    }


def test_a_message_is_read_as_it_was_written() -> None:
    for node in nodes(PARENT).values():
        assert nodes(node.message) == {node.ident: node}


def test_a_node_moved_to_is_told_by_its_last_state() -> None:
    again = "Moving to Node #0,1\nCurrent State: 27:[1, 2], Operations: ['a=1', 'b=2']\n"

    assert nodes(PARENT + again)["0,1"] == Node("0,1", "27:[1, 2]", ("a=1", "b=2"))


def test_a_node_generated_from_nowhere_is_unknown() -> None:
    assert nodes("Generated Node #3,0: 27:[26, 31] Operation: 1+1=2\n") == {}


# -- results are the runtime's ----------------------------------------------------------------------------------------


def test_a_model_that_writes_results_is_stopped_for_repair(read: Reader) -> None:
    told = read("apr:strict", f"{PARENT}<Sub Searches>\n<No Solution in Sub Search 0")

    assert told.tags == [Tag(kind="repair")]
    assert told.segments == [f"{PARENT}<Sub Searches>"]
    assert told.stopped


def test_also_within_a_spawn(read: Reader) -> None:
    told = read("apr", f"<Calling Sub Searches>{BODY}<Sub Searches>")

    assert told.tags == [Tag(kind="repair")]
    assert told.left is None


def test_after_the_repair_decoding_goes_on_within_the_spawn(read: Reader) -> None:
    told = read("apr-calling:strict", f"{BODY}<End Calling Sub Searches>")

    assert told.tags == [Tag(kind="spawn", body=BODY)]


def test_and_may_be_malformed_or_unclosed_there(read: Reader) -> None:
    assert read("apr-calling", "\nhm\n<End Calling Sub Searches>").tags[0].problem == "no-sub-search"
    assert read("apr-calling", BODY).left == Tag(kind="spawn", body=BODY, problem="unclosed")
    assert read("apr-calling", BODY + "<Sub Searches>").tags == [Tag(kind="repair")]


# -- strict and lenient -----------------------------------------------------------------------------------------------

LINE = "<Start Sub Search {} at level {}> Moving to Node #0,{}\n"
DEPARTURES = {
    "\n" + LINE.format(0, 1, 0) + LINE.format(2, 1, 1): "numbering",
    "\n" + LINE.format(1, 1, 0): "numbering",
    "\n" + LINE.format(0, 2, 0): "level",
    LINE.format(0, 1, 0): "stray-text",
    "\nLet me see.\n" + LINE.format(0, 1, 0): "stray-text",
    "\n" + LINE.format(0, 1, 0).lower(): "stray-text",
}


@pytest.mark.parametrize(("body", "problem"), DEPARTURES.items())
def test_the_strict_reading_reports_departures_that_the_lenient_one_takes(
    read: Reader, body: str, problem: str
) -> None:
    span = f"<Calling Sub Searches>{body}<End Calling Sub Searches>"

    assert read("apr:strict", span).tags == [Tag(kind="spawn", body=span, problem=problem)]
    assert read("apr", span).tags == [Tag(kind="spawn", body=body)]


@pytest.mark.parametrize(("body", "problem"), [("\n", "empty"), ("\nhm\n", "no-sub-search")])
def test_a_spawn_of_nothing_is_malformed(read: Reader, body: str, problem: str) -> None:
    (tag,) = read("apr", f"<Calling Sub Searches>{body}<End Calling Sub Searches>").tags

    assert tag.problem == problem


# -- results --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("No solution", None),
        ("so Goal Reached\n4*6=24 ", None),
        (
            "24 equal: Goal Reached\nMoving to #0\n24 equal: Goal Reached\n",
            "Moving to #0\n24 equal: Goal Reached",
        ),
        ("a Goal Reached b Goal Reached c", "b Goal Reached c"),
        ("a Goal Reached b Goal Reached c Goal Reached d", "c Goal Reached d"),
    ],
)
def test_a_child_returns_what_stands_behind_its_second_to_last_goal(text: str, path: str | None) -> None:
    assert optimal_path(text) == path


def test_results_are_a_line_for_each_child() -> None:
    """Section 13: a newline behind the goal line, and numbers that are those of the places."""
    found = [("0,0", "4*6=24"), ("0,1", None)]

    assert results(found) == (
        "<Sub Searches>\n<Goal Reached in Sub Search 0 at level 1 at Node #0,0>\n4*6=24\n"
        "<No Solution in Sub Search 1 at level 1 at Node #0,1>\n<End Sub Searches>\n"
    )


@pytest.mark.parametrize("begin", ["<Calling Sub Searches>", "< calling  sub searches >"])
def test_the_last_call_is_what_the_results_replace(begin: str) -> None:
    call = f"{begin}{BODY}<End Calling Sub Searches>"

    assert call_span(f"{PARENT}{SPAWN} and {call}") == len(call)
    assert call_span(PARENT) == 0


def test_a_line_may_say_in_words_what_to_search() -> None:
    line = "<Start Sub Search 0 at level 1> Moving to Node #0,0: Who wrote Faust? \n"

    assert sub_searches(line) == (SubSearch(0, 1, "0,0", "Who wrote Faust?"),)
