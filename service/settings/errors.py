"""Words what is wrong with a setting."""

import difflib
from collections.abc import Collection
from typing import Any


class BadSettings(Exception):
    """A setting is unknown or has a value it cannot have. The message names the variable and what it may be."""


def suggest(name: str, known: Collection[str]) -> str:
    """Which of the known names was meant."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(known))}"


def describe_option_fault(fault: Any) -> str:
    """A fault of the engine's settings: of one of its options, or of several together."""
    where = ".".join(str(part) for part in fault["loc"][:1])
    return f"{where}: {describe_fault(fault)}" if where else describe_fault(fault)


def describe_fault(fault: Any) -> str:
    """Pydantic's words, or those of our own that it carries."""
    return str(fault["msg"]).removeprefix("Value error, ")
