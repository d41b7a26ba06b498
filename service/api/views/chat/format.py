"""Reads the form that chat completions ask of the answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from anabranch.service.api.views.fields import JsonObject, JsonSchema


class TextFormat(BaseModel):
    type: Literal["text"]


class JsonObjectFormat(BaseModel):
    type: Literal["json_object"]


class NamedSchema(BaseModel):
    """Name, description and `strict` are taken, and change nothing: the schema is always kept to."""

    form: JsonSchema = Field(alias="schema")


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
