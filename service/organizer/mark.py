"""Marks which job this process is computing, in memory that outlives the process, so that a guardian can read it.

Writing it costs a microsecond and no system call, so each step may do so. There are two places: the event loop computes
one step at a time, and beside it one journal at a time is replayed in a thread.
"""

import os
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from mmap import mmap
from typing import Self

from anabranch.dag.ids import JobId

_PLACE = struct.Struct("=dq64p")
"""Since when (monotonic seconds, the same clock for all processes of a machine; 0: nothing), epoch, job."""


class Place(IntEnum):
    """Who computes."""

    LOOP = 0
    REPLAY = 1


SIZE = len(Place) * _PLACE.size


@dataclass(frozen=True, slots=True)
class Computed:
    """A job that was being computed."""

    place: Place
    job: JobId
    epoch: int
    since: float


class Mark:
    """The mark of one process."""

    def __init__(self, memory: bytearray | mmap) -> None:
        self._memory = memory

    @classmethod
    def private(cls) -> Self:
        """One that nobody else reads."""
        return cls(bytearray(SIZE))

    @classmethod
    def shared(cls) -> tuple[Self, int]:
        """One that other processes read through the file descriptor (`of_file`), which is the caller's to close."""
        with tempfile.TemporaryFile() as file:
            file.truncate(SIZE)
            descriptor = os.dup(file.fileno())
        return cls.of_file(descriptor), descriptor

    @classmethod
    def of_file(cls, descriptor: int) -> Self:
        return cls(mmap(descriptor, SIZE))

    @contextmanager
    def computing(self, job: JobId, epoch: int, place: Place = Place.LOOP) -> Iterator[None]:
        """Marks the job while the block runs."""
        at = place * _PLACE.size
        _PLACE.pack_into(self._memory, at, time.monotonic(), epoch, job.encode())
        try:
            yield
        finally:
            _PLACE.pack_into(self._memory, at, 0.0, 0, b"")

    def read(self) -> tuple[Computed, ...]:
        found = ((place, _PLACE.unpack_from(self._memory, place * _PLACE.size)) for place in Place)
        return tuple(
            Computed(place, JobId(job.decode()), epoch, since)
            for place, (since, epoch, job) in found
            if since
        )
