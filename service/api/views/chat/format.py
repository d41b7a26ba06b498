"""Reads the form that chat completions ask of the answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from anabranch.service.api.views.fields import JsonObject, JsonSchema


class TextFormat(BaseModel):
    type: Literal["text"]


class JsonObjectFormat(BaseModel):
    type: Literal["json_object"]


class NamedSchema(BaseModel):
    """Name and description are taken, and change nothing. `strict` is told to an upstream; engines of our own always
    keep to the schema."""

    form: JsonSchema = Field(alias="schema")
    strict: bool | None = None


class JsonSchemaFormat(BaseModel):
    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]


def schema_of(asked: ResponseFormat | None) -> JsonObject | None:
    match asked:
        case JsonObjectFormat():
            return {"type": "object"}
        case JsonSchemaFormat():
            return asked.json_schema.form
        case _:
            return None


def is_strict(asked: ResponseFormat | None) -> bool:
    return isinstance(asked, JsonSchemaFormat) and bool(asked.json_schema.strict)
