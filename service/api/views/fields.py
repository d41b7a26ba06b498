"""Lists the types of fields that bodies are made of."""

from typing import Annotated, Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from anabranch.service.bounded_json import check_text

MAX_SEED = 2**53 - 1
"""The largest number that every JSON reader holds exactly."""
MAX_TOKENS = 2**31 - 1
MAX_SECONDS = 1e9
"""Thirty years. Later moments soon lie behind the last year that a date can have."""


def _check_written(value: str) -> str:
    if not value.strip():
        raise ValueError("there is nothing in it")
    return value


WrittenText = Annotated[str, AfterValidator(_check_written)]
EditText = Annotated[str, AfterValidator(check_text)]
"""What takes the place of a model's text; a policy may read it as JSON."""
JsonObject = dict[str, Any]
Tokens = Annotated[int, Field(ge=1, le=MAX_TOKENS)]
Seconds = Annotated[float, Field(gt=0, le=MAX_SECONDS)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopK = Annotated[int, Field(ge=-1, le=MAX_TOKENS)]
LikelyTokens = Annotated[int, Field(ge=0, le=20)]
MinP = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
RepetitionPenalty = Annotated[float, Field(gt=0, le=10)]
TopP = Annotated[float, Field(gt=0, le=1)]


class Sent(BaseModel):
    """Base of all bodies: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _is_an_object(cls, sent: Any) -> Any:
        if isinstance(sent, dict | cls):
            return sent
        raise ValueError(f"an object is wanted here, of the fields {', '.join(cls.model_fields)}")


def _check_schema(schema: JsonObject) -> JsonObject:
    """Takes patterns unread: they are ECMA-262's, and Python has others. Who is held to one says whether it can be."""
    dialect = _dialect_of(schema)
    fault = next(dialect(dialect.META_SCHEMA).iter_errors(schema), None)
    if fault is not None:
        raise ValueError(f"this is no JSON Schema: {fault.message[:200]}")
    return schema


def _dialect_of(schema: JsonObject) -> type[Validator]:
    match schema.get("$schema", ""):
        case str():
            try:
                return validator_for(schema, default=Draft202012Validator)
            except ValueError as error:
                raise ValueError(f"this is no JSON Schema: $schema is no address ({error})") from error
        case _:
            raise ValueError("this is no JSON Schema: $schema is a text, the address of its dialect")


JsonSchema = Annotated[JsonObject, AfterValidator(_check_schema)]
StopText = Annotated[str, Field(min_length=1, max_length=1000)]
Stops = Annotated[list[StopText], Field(max_length=64)]
