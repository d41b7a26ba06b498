"""Holds the latest records of one followed journal, for all who follow it."""

from collections.abc import Sequence

from anabranch.dag.events import AT_THE_END, Record


class Tail:
    """The records behind `floor`, at least the last `size` of them that were read."""

    def __init__(self, floor: int, size: int, *, ended: bool = False) -> None:
        self.floor = floor
        """The seq before the first record held."""
        self.ended = ended
        self._size = size
        self._records: list[Record] = []

    @property
    def head(self) -> int:
        return self.floor + len(self._records)

    def push(self, record: Record) -> bool:
        """Whether it is the next one; it may have been read twice."""
        if record.seq != self.head + 1:
            return False
        self._records.append(record)
        self.ended = isinstance(record.event, AT_THE_END)
        if len(self._records) > 2 * self._size:  # not one by one: a list is moved as a whole
            del self._records[: -self._size]
            self.floor = record.seq - self._size
        return True

    def over_at(self, seq: int) -> bool:
        """Whether the job has ended, and all that is held was read by then: ratings that follow are in the table."""
        return self.ended and seq >= self.head

    def after(self, seq: int) -> Sequence[Record]:
        return self._records[max(0, seq - self.floor) :]
