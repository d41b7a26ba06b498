"""What a policy takes is read off its signature, and nothing else is let through."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from anabranch.dag.policy import Param, PolicyInfo, catalogue
from anabranch.service.policies import check_params, effective_params, params_model, params_schema


def sample(
    problem: object,
    *,
    n: Annotated[int, Param("branches to fork", ge=1, le=64)] = 8,
    quorum: Annotated[float | None, Param("share of votes that decides", ge=0, le=1)] = None,
    mode: Annotated[str, Param("when to stop", choices=("all", "first"))] = "all",
    stages: tuple[str, ...] = (),
) -> Any:
    """A policy's signature."""


def info(function: Callable[..., Any]) -> PolicyInfo:
    return PolicyInfo(name="sample", title="t", paper="p", use_when="u", function=function)


def test_the_schema_tells_meaning_limits_and_defaults() -> None:
    schema = params_schema(info(sample))
    assert schema["additionalProperties"] is False
    assert schema["properties"]["n"] == {
        "default": 8, "description": "branches to fork", "maximum": 64, "minimum": 1, "title": "N", "type": "integer",
    }  # fmt: skip
    assert schema["properties"]["mode"]["enum"] == ["all", "first"]
    assert "required" not in schema


@pytest.mark.parametrize(
    "given", ['{"n": 2}', '{"quorum": 1}', '{"mode": "first"}', '{"stages": ["a"]}', "{}"]
)
def test_what_fits_passes(given: str) -> None:
    params_model(info(sample)).model_validate_json(given)


@pytest.mark.parametrize(
    "given",
    [
        '{"n": "2"}',
        '{"n": 0}',
        '{"n": 2.5}',
        '{"n": true}',
        '{"quorum": 2}',
        '{"mode": "last"}',
        '{"m": 1}',
        '{"n": NaN}',
    ],
)
def test_what_does_not_fit_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        params_model(info(sample)).model_validate_json(given)


def test_every_catalogued_policy_has_a_schema_and_takes_its_own_defaults() -> None:
    for found in catalogue().values():
        assert params_schema(found)["type"] == "object"
        params_model(found)()


def test_every_preset_is_what_a_client_may_send() -> None:
    for found in catalogue().values():
        for name, preset in found.presets.items():
            check_params(found.name, preset.params)
            assert check_params(found.name, {"preset": name}) == {"preset": name}


def test_a_policy_with_presets_takes_their_names_and_no_other() -> None:
    with pytest.raises(ValidationError):
        check_params("tree-of-thoughts", {"preset": "chess"})
    with pytest.raises(ValidationError):
        check_params("sequential", {"preset": "game-of-24"})


def test_a_value_of_the_right_type_that_makes_no_sense_is_refused() -> None:
    graph = [{"id": "a", "op": "improve", "after": ["b"]}]
    with pytest.raises(ValidationError, match="operation 'a' comes after 'b', which does not exist"):
        check_params("graph-of-thoughts", {"operations": graph})


def test_a_trace_tells_the_parameters_of_the_preset() -> None:
    info = catalogue()["tree-of-thoughts"]
    told = effective_params(info.name, info.version, {"preset": "game-of-24", "k": 5})
    assert (told["preset"], told["k"], told["beam"]) == ("game-of-24", 5, 5)
