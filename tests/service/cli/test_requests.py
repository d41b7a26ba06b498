"""What a command line asks for, before anything is sent."""

import pytest
import typer

from anabranch.service.cli.jobs import job_request


def asked(*given: str) -> object:
    return job_request("What?", "plan", list(given), None, None, None)["policy"]["params"]


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
