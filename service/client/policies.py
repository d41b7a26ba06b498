"""Describes policies as the service tells them, typed."""

from pydantic import Field

from anabranch.service.client.results import Json, Told


class Preset(Told):
    about: str
    params: Json


class PolicyInfo(Told):
    """A policy of the catalogue; `params` is the JSON Schema of its parameters."""

    name: str
    title: str
    paper: str
    use_when: str = ""
    version: str = ""
    params: Json
    presets: dict[str, Preset] = Field(default_factory=dict)
    default: bool = False
    answer_format: bool = False
    tools: bool = False
    efforts: dict[str, Json] = Field(default_factory=dict)
    """Its parameters by chat's `reasoning_effort`, where they are not its defaults."""
    raw_thoughts: bool = False
    """It reads all that is decoded, thoughts included."""


class Policies(Told):
    items: tuple[PolicyInfo, ...]
