"""Words what is wrong with a setting."""

from typing import Any


class BadSettings(Exception):
    """A setting is unknown or has a value it cannot have. The message names the variable and what it may be."""


def option_told(fault: Any) -> str:
    """A fault of the engine's settings: of one of its options, or of several together."""
    where = ".".join(str(part) for part in fault["loc"][:1])
    return f"{where}: {words(fault)}" if where else words(fault)


def words(fault: Any) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")
