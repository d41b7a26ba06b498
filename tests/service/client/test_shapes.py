"""The client's results have the shapes of the API's views: what one tells, the other reads, and nothing is lost."""

from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel
from tests.service.client.conftest import Asked

from anabranch.service.api.routes import approvals, journals, policies
from anabranch.service.api.views import evaluations
from anabranch.service.api.views import job as views
from anabranch.service.api.views.requests import JobRequest
from anabranch.service.client import evaluations as client_evaluations
from anabranch.service.client import journals as client_journals
from anabranch.service.client import policies as client_policies
from anabranch.service.client import results
from anabranch.service.client.calls import JobFields

PAIRS: list[tuple[type[BaseModel], type[BaseModel]]] = [
    (views.JobPage, results.JobPage),
    (journals.Graph, client_journals.Graph),
    (journals.Audit, client_journals.Audit),
    (approvals.Approvals, results.Approvals),
    (policies.Policies, client_policies.Policies),
    (evaluations.EvaluationList, client_evaluations.Evaluations),
    (evaluations.EvaluationView, client_evaluations.Evaluation),
    (evaluations.TrialView, client_evaluations.Trial),
]


def shape(model: type[BaseModel]) -> dict[str, Any]:
    """What JSON the model stands for: names and types, definitions put in their places, prose left out."""
    told = model.model_json_schema(mode="serialization")
    definitions = told.get("$defs", {})

    def plain(schema: Any) -> Any:
        if isinstance(schema, list):
            return sorted(map(plain, schema), key=repr)
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return plain(definitions[schema["$ref"].rpartition("/")[2]])
        if "enum" in schema or "const" in schema:
            return "string"
        if "properties" in schema:
            return {name: plain(inner) for name, inner in schema["properties"].items()}
        if "anyOf" in schema:
            return plain(schema["anyOf"])
        if schema.get("type") == "array":
            return ["each", plain(schema.get("items", {}))]
        if isinstance(inner := schema.get("additionalProperties"), dict) and inner:
            return {"*": plain(inner)}
        return schema.get("type", "any")

    found: dict[str, Any] = plain(told)
    return found


@pytest.mark.parametrize(("view", "result"), PAIRS, ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_a_result_has_the_fields_of_its_view(view: type[BaseModel], result: type[BaseModel]) -> None:
    assert loosen(shape(result)) == loosen(shape(view))


def loosen(found: Any) -> Any:
    """An object whose fields the client leaves as they come is any object."""
    match found:
        case {"*": _}:
            return "object"
        case dict():
            return {name: loosen(inner) for name, inner in found.items()}
        case list():
            return [loosen(inner) for inner in found]
        case _:
            return found


def test_a_job_can_be_told_all_that_the_service_takes() -> None:
    assert set(JobFields.__annotations__) == set(JobRequest.model_fields) - {"question"}


def unread(model: type[BaseModel], told: Any, path: str = "") -> list[str]:
    """Fields that stand on one side only."""
    names = set(model.model_fields)
    found = [f"{path}.{name}" for name in set(told) ^ names]
    for name in names & set(told):
        inner = model_in(model.model_fields[name].annotation)
        values = told[name] if isinstance(told[name], list) else [told[name]]
        if inner is not None:
            found += [lost for value in values if value for lost in unread(inner, value, f"{path}.{name}")]
    return found


def model_in(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in (Union, UnionType, tuple):
        return next(filter(None, map(model_in, get_args(annotation))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


async def test_a_branch_and_an_event_are_read_whole(asked: Asked) -> None:
    """Their views are no models: what a service really tells is compared."""
    policy = {"name": "self-consistency", "params": {"n": 2}}
    job = await asked("submit", "What is six times seven?", policy=policy)
    await asked("wait", job.id)
    branch = (await asked("branch", job.id, "0.1")).as_json()
    branch["consumed_by"] = [one for one in branch["consumed_by"] if one["kind"] == "join"]
    branch["usage"] |= {"cost": 0.0}  # told of whole jobs only
    assert branch["segments"]
    assert unread(client_journals.Branch, branch) == []
    for event in await asked.all("events", job.id):
        assert unread(results.Event, event.as_json()) == []


def test_fields_that_are_not_known_are_kept_and_are_no_error() -> None:
    told = {"text": "42", "sources": [], "forced": False, "truncated": False, "mood": "good"}
    answer = results.Answer.model_validate(told)
    assert answer.text == "42"
    assert answer.as_json() == told
