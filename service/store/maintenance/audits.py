"""Audits a journal against the tables: is the chain whole, do the tables say what the journal says; and makes them say
it again.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, select, update

from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import Break, Head, Link, Reason, verify
from anabranch.service.store.errors import DamagedPack, NotFound
from anabranch.service.store.journal.reading import read_links
from anabranch.service.store.journal.records import record_of_link
from anabranch.service.store.projections.apply import KEYS, write
from anabranch.service.store.projections.changes import Change
from anabranch.service.store.projections.fold import fold
from anabranch.service.store.rows import Columns
from anabranch.service.store.sql.storable import json_text
from anabranch.service.store.sql.tables import approvals, jobs, metadata

FOLDED = ("branches", "segments", "joins", "approvals")
"""Tables of which each row is folded from a journal. Of `jobs`, some columns are."""

_DECISION = ("decision", "edit", "decided_by", "reason", "decided_at")
"""Columns of `approvals` that a person fills in before the journal does."""

_Row = tuple[str, tuple[Any, ...]]
"""A table's name, and a row's key in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A value that is not what the journal gives."""

    table: str
    key: tuple[Any, ...]
    column: str
    """Empty where the whole row is missing, or should not be there."""
    stored: Any
    folded: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found about one job."""

    job: JobId
    records: int
    broken: Break | None
    """The first place at which the journal is not what was written."""
    differences: tuple[Difference, ...]
    """Empty also where the chain is broken: a journal that was tampered with is nothing to compare with."""

    @property
    def sound(self) -> bool:
        return self.broken is None and not self.differences


def audit(connection: Connection, job: JobId) -> Audit:
    """Verifies the hash chain and compares the tables with what folds from the journal. Raises NotFound."""
    row = connection.execute(select(jobs).where(jobs.c.id == job)).mappings().one_or_none()
    if row is None:
        raise NotFound("job", job)
    try:
        journal = read_links(connection, job)
    except DamagedPack as damaged:
        changed = Break(seq=damaged.first_seq, reason=Reason.CHANGED)
        return Audit(job=job, records=row["head_seq"], broken=changed, differences=())
    broken = verify(journal, Head(seq=row["head_seq"], hash=row["head_hash"]))
    stored = {("jobs", (job,)): row, **_stored(connection, job)}
    found = () if broken else tuple(_differences(stored, _folded(job, journal)))
    return Audit(job=job, records=len(journal), broken=broken, differences=found)


def rebuild(connection: Connection, job: JobId) -> None:
    """Folds the journal into the tables anew; decisions that wait to be journaled stay. Raises NotFound."""
    if connection.execute(select(jobs.c.id).where(jobs.c.id == job).with_for_update()).one_or_none() is None:
        raise NotFound("job", job)
    folded = _folded(job, read_links(connection, job))
    waiting = _waiting_decisions(connection, job)
    for table in FOLDED:
        connection.execute(delete(metadata.tables[table]).where(_of_job(table, job)))
    write(connection, [(job, change) for change in folded.values()])
    for decision in waiting:
        of_gate = (approvals.c.job_id == job) & (approvals.c.ordinal == decision["ordinal"])
        connection.execute(update(approvals).where(of_gate).values(decision))


def _of_job(table: str, job: JobId) -> Any:
    return metadata.tables[table].c.job_id == job


def _stored(connection: Connection, job: JobId) -> dict[_Row, Columns]:
    rows: dict[_Row, Columns] = {}
    for table in FOLDED:
        found = connection.execute(select(metadata.tables[table]).where(_of_job(table, job)))
        rows |= {(table, tuple(row[column] for column in KEYS[table])): row for row in found.mappings()}
    return rows


def _folded(job: JobId, journal: Sequence[Link]) -> dict[_Row, Change]:
    """What the journal makes of the job's rows. Its row in `jobs` was made with it: there it only changes columns."""
    inserted = [change for change in fold(map(record_of_link, journal)) if change.insert]
    return {
        (change.table, (job, *change.key)): change
        if change.table in FOLDED
        else Change("jobs", set=change.set)
        for change in inserted
    }


def _waiting_decisions(connection: Connection, job: JobId) -> Sequence[Columns]:
    columns = [approvals.c[column] for column in ("ordinal", *_DECISION)]
    waiting = (
        (approvals.c.job_id == job) & approvals.c.decision.is_not(None) & approvals.c.recorded.is_(False)
    )
    return connection.execute(select(*columns).where(waiting)).mappings().all()


def _differences(stored: Mapping[_Row, Columns], folded: Mapping[_Row, Change]) -> Iterator[Difference]:
    for table, key in sorted(stored.keys() | folded.keys(), key=repr):
        row, change = stored.get((table, key)), folded.get((table, key))
        if row is None or change is None:
            yield Difference(
                table=table, key=key, column="", stored=row and dict(row), folded=change and dict(change.set)
            )
            continue
        unsaid = _DECISION if table == "approvals" and not change.set["recorded"] else ()
        for column, value in change.set.items():
            if column not in unsaid and not _same(row[column], value):
                yield Difference(table=table, key=key, column=column, stored=row[column], folded=value)


def _same(stored: Any, folded: Any) -> bool:
    if isinstance(folded, float):
        return isinstance(stored, int | float) and math.isclose(stored, folded, rel_tol=1e-9)
    if isinstance(folded, dict | list):
        return bool(_with_decimals(stored) == _with_decimals(folded))
    return bool(stored == folded)


def _with_decimals(value: Any) -> Any:
    """JSON whose numbers are what is written, however that is: PostgreSQL writes 1e23 as an integer."""
    return json.loads(json_text(value), parse_int=_decimal, parse_float=_decimal)


def _decimal(written: str) -> tuple[Decimal]:
    return (Decimal(written),)  # by itself, 1 would equal true
