"""What a command line asks for, before anything is sent."""

from io import TextIOWrapper
from pathlib import Path

import pytest
import typer

from anabranch.service.cli.jobs.commands import job_request
from anabranch.service.cli.texts import read_question


def asked(*given: str) -> object:
    return job_request("What?", "plan", list(given))["policy"]["params"]


def test_a_parameter_is_json_where_it_can_be_read_as_json() -> None:
    assert asked("n=4", "on=true", 'names=["a"]', "text=four") == {
        "n": 4,
        "on": True,
        "names": ["a"],
        "text": "four",
    }


@pytest.mark.parametrize(
    "given", ["x=" + "[" * 3000 + "]" * 3000, "x=NaN", 'x="\\u0000"', 'x={"a": 1, "a": 2}']
)
def test_a_parameter_out_of_bounds_is_bad_usage(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="--set x"):
        asked(given)


def test_a_system_text_comes_before_the_question() -> None:
    assert job_request("What?", None, [], system="Be short.") == {
        "budget": {},
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "What?"}],
    }


def test_a_budget_is_what_was_given_of_it() -> None:
    limits = {"tokens": None, "cost": 0.5, "branches": 3, "seconds": None}
    assert job_request("What?", None, [], budget=limits)["budget"] == {"cost": 0.5, "branches": 3}


def test_a_question_comes_from_an_argument_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "question.txt"
    file.write_text("Why?\nWhat for?\n")
    assert read_question("Why?", None) == "Why?"
    assert read_question(None, file) == "Why?\nWhat for?"
    with file.open("rb") as said:
        monkeypatch.setattr("sys.stdin", TextIOWrapper(said))
        assert read_question("-", None) == "Why?\nWhat for?"
    file.write_text("Why?", encoding="utf-8-sig")
    assert read_question(None, file) == "Why?", "a mark of the encoding is none of the text"
