"""Describes changes of rows that need no look at the row: they set, they add, or they give a first value.

So changes of one row can be put together before they are written, and a journal folded at once gives what it gave event
by event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """What one or more events do to one row."""

    table: str
    key: tuple[Any, ...] = ()
    """The row's key after the job's id."""
    insert: bool = False
    """This makes the row; `set` then holds all of its columns."""
    set: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, float] = field(default_factory=dict)
    first: Mapping[str, Any] = field(default_factory=dict)
    """Values for columns that have none yet."""

    def then(self, later: "Change") -> "Change":
        """Makes one change of this and a later one."""
        values = {**self.set, **later.set}
        if self.insert:
            values.update((column, values[column] + amount) for column, amount in later.add.items())
            values.update((column, value) for column, value in later.first.items() if values[column] is None)
            return Change(self.table, self.key, insert=True, set=values)
        sums = {column: self.add.get(column, 0) + amount for column, amount in later.add.items()}
        mine = {column: value for column, value in self.first.items() if value is not None}
        return Change(
            self.table, self.key, set=values, add={**self.add, **sums}, first={**later.first, **mine}
        )


def merge_changes(changes: Iterable[Change]) -> list[Change]:
    """Merges the changes of one job into one per row."""
    merged: dict[tuple[str, tuple[Any, ...]], Change] = {}
    for change in changes:
        row = (change.table, change.key)
        merged[row] = merged[row].then(change) if row in merged else change
    return list(merged.values())
