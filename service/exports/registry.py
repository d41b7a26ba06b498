"""Registers the forms in which a journal is exported: each is one module of this folder, which makes one
`ExportFormat`.

REST, its document, the command line and the dashboard offer what is found here, so a new form is one new file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from anabranch.dag.events import Record
from anabranch.dag.training.samples import Reward
from anabranch.service import exports
from anabranch.service.telemetry.ids import TraceOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedJob:
    """What any form may be made of."""

    records: Sequence[Record]
    """The journal, finished or not; not empty."""
    origin: TraceOrigin
    """The trace that the job belongs to."""
    pool_model: str
    """The model of decodes that asked for none."""
    rewards: Sequence[Reward] = ()
    """What its answer was found to be worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """One form, and how a job is written in it."""

    name: str
    """As users ask for it; also the file's suffix."""
    title: str
    """What it is good for, for a person who chooses."""
    media_type: str
    write: Callable[[ExportedJob], Iterator[str]]
    """Gives the file in pieces."""


@cache
def export_formats() -> Mapping[str, ExportFormat]:
    """All forms, by name."""
    modules = [import_module(f"{exports.__name__}.{found.name}") for found in iter_modules(exports.__path__)]
    found = [
        value for module in modules for value in vars(module).values() if isinstance(value, ExportFormat)
    ]
    return {form.name: form for form in sorted(found, key=lambda form: form.name)}
