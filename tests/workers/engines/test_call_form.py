"""Calls in plain JSON: what a model is told, what holds it to the form, and what is read."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anabranch.dag.decoding import Structure
from anabranch.dag.decoding.tools import Call, Tool, Tools
from anabranch.workers.engines.call_form import read, schema_for, words_for

NESTED = {
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/place"}, "again": {"$ref": "#"}},
    "required": ["at"],
    "$defs": {"place": {"type": "string", "minLength": 2}},
}
TOOLS = Tools(offered=(Tool(name="weather", description="Tells it.", parameters=NESTED), Tool(name="time")))


def holds(written: Any, tools: Tools, structure: Structure | None = None) -> bool:
    schema = schema_for(tools, structure)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).is_valid(written)


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"calls": list(calls)}


ROME = {"name": "weather", "arguments": {"at": "Rome"}}


def test_calls_keep_to_their_tools_schema_whose_references_lead_to_itself() -> None:
    assert holds(calling(ROME), TOOLS)
    assert holds(calling({"name": "weather", "arguments": {"at": "Rome", "again": {"at": "Oslo"}}}), TOOLS)
    assert not holds(calling({"name": "weather", "arguments": {"at": "R"}}), TOOLS)
    assert not holds(calling({"name": "weather", "arguments": {"at": "Rome", "again": {}}}), TOOLS)
    assert not holds(calling({"name": "weather", "arguments": {}}), TOOLS)
    assert not holds(calling({"name": "weather", "arguments": {"at": "Rome", "else": 1}}), TOOLS)
    assert not holds(calling({"name": "rain", "arguments": {}}), TOOLS)
    assert holds(calling({"name": "time", "arguments": {}}), TOOLS)
    assert not holds(calling({"name": "time", "arguments": {"at": 1}}), TOOLS)
    assert not holds(calling(), TOOLS)


def test_where_a_call_must_come_there_is_no_answer() -> None:
    assert holds({"answer": "sunny"}, TOOLS)
    required = Tools(offered=TOOLS.offered, required=True, several=False)
    assert not holds({"answer": "sunny"}, required)
    assert holds(calling(ROME), required)
    assert not holds(calling(ROME, ROME), required)


@pytest.mark.parametrize(
    ("structure", "good", "bad"),
    [
        (Structure(json_schema=NESTED), {"at": "Rome"}, {"at": "R"}),
        (Structure(regex="[0-9]+"), "42", "x42"),
        (Structure(choice=("yes", "no")), "yes", "maybe"),
    ],
)
def test_an_answer_keeps_to_its_form(structure: Structure, good: Any, bad: Any) -> None:
    assert holds({"answer": good}, TOOLS, structure)
    assert not holds({"answer": bad}, TOOLS, structure)
    text, calls = read(json.dumps({"answer": good}), structure)
    assert (text, calls) == (good if isinstance(good, str) else json.dumps(good), ())


def test_calls_are_read() -> None:
    text, calls = read(json.dumps(calling(ROME, {"name": "time", "arguments": {}})), None)
    assert text == ""
    assert calls == (Call(name="weather", arguments='{"at": "Rome"}'), Call(name="time", arguments="{}"))


def test_the_model_is_told_what_there_is_and_how_to_call() -> None:
    told = words_for(TOOLS, None)
    assert json.dumps({"name": "weather", "description": "Tells it.", "parameters": NESTED}) in told
    assert '"calls"' in told and '"answer"' in told
    assert '"answer"' not in words_for(Tools(offered=TOOLS.offered, required=True), None)


@given(st.text(max_size=30), st.integers(0, 60), st.booleans())
@example("\\u00e4\\", 2, False)
@example("a\\", 3, False)
def test_of_an_answer_that_a_limit_cut_the_words_are_kept(said: str, cut: int, ascii_only: bool) -> None:
    written = json.dumps({"answer": said}, ensure_ascii=ascii_only)
    head = '{"answer": "'
    text, calls = read(written[: len(head) + cut], None)
    assert calls == ()
    half = text and "\ud800" <= text[-1] <= "\udbff"  # of a character in two escapes; the replica mends it
    assert said.startswith(text[:-1] if half else text)


def test_what_has_no_form_is_text() -> None:
    for written in ("", "sunny", "[1]", '{"other": 1}', '{"calls": "weather"}'):
        assert read(written, None) == (written, ())
