"""Serves the policy catalogue, as clients choose from it."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from anabranch.dag.policy import catalogue
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.policies import params_schema

router = APIRouter(prefix="/v1")


class PresetView(BaseModel):
    about: str
    params: dict[str, Any]


class PolicyInfoView(BaseModel):
    name: str
    title: str
    paper: str
    use_when: str
    version: str
    params: dict[str, Any]
    presets: dict[str, PresetView]
    default: bool
    answer_format: bool = Field(
        description="Whether its answer can be held to a form and a length, and told with logprobs."
    )
    efforts: dict[str, dict[str, Any]] = Field(
        description="Its parameters by chat's reasoning_effort, where they are not its defaults."
    )
    tools: bool = Field(description="Whether its answer may call tools of the client's.")
    raw_thoughts: bool = Field(
        description="Whether it reads thoughts, too (with assist: none, where it has that parameter): its model was "
        "trained to write its tags among them."
    )


class Policies(BaseModel):
    items: list[PolicyInfoView]


@router.get("/policies", tags=["policies"])
async def policies(deps: Injected) -> Policies:
    """The policies, each with its source and the JSON Schema of its parameters."""
    found = sorted(catalogue().values(), key=lambda info: info.name)
    return Policies(
        items=[
            PolicyInfoView(
                name=info.name,
                title=info.title,
                paper=info.paper,
                use_when=info.use_when,
                version=info.version,
                params=params_schema(info),
                presets={
                    name: PresetView(about=preset.about, params=dict(preset.params))
                    for name, preset in info.presets.items()
                },
                default=info.name == deps.settings.policy,
                answer_format=info.marks_answer,
                tools=info.may_call,
                efforts={name: dict(params) for name, params in info.efforts.items()},
                raw_thoughts=info.raw_thoughts,
            )
            for info in found
        ]
    )
