"""Marks fields that are taken and do nothing here: with any value, or in their neutral value alone."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler


@dataclass(frozen=True, slots=True, eq=False)
class Only:
    """Marks a field of which the neutral values alone are taken; `instead` is told to who sends another.

    Two of them are never equal: `Annotated` keeps one of equal marks, and for Python false equals 0.
    """

    neutral: tuple[Any, ...]
    instead: str

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> Any:
        return handler.generate_schema(Annotated[Any, AfterValidator(self._check)])

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"enum": [*self.neutral, None], "description": f"Any other value is refused: {self.instead}."}

    def _check(self, value: Any) -> Any:
        if value is None or any(_same(value, neutral) for neutral in self.neutral):
            return value
        told = " or ".join(repr(neutral) for neutral in self.neutral) or "null"
        raise ValueError(f"only {told} is taken here; {self.instead}")


def _same(value: Any, neutral: Any) -> bool:
    """Equality as JSON has it: false is not 0."""
    return bool(value == neutral) and isinstance(value, bool) == isinstance(neutral, bool)


Taken = Annotated[Any, Field(description="Taken, and changes nothing.")]
