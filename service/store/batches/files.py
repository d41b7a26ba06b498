"""Stores uploaded files, line by line: none is ever in memory as a whole. All methods raise StoreAway."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select, true, update

from anabranch.service.store.batches.tables import batches, file_lines, files
from anabranch.service.store.errors import FileInUse, NotFound
from anabranch.service.store.identity import new_id
from anabranch.service.store.sql.repository import Repository

AT_ONCE = 500
"""Lines that are written in one transaction, so that an upload never holds up the organizers for long."""
PREFIX = "file-"
ABANDONED = timedelta(hours=1)
"""After which a file that is not whole belongs to a process which died while it wrote it."""
Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A file that is whole."""

    id: str
    filename: str
    endpoint: str
    """What all its lines ask."""
    bytes: int
    lines: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FileLine:
    number: int
    """From 1, as an editor shows it; blank lines count, and are not kept."""
    custom_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    tenant: str
    filename: str
    endpoint: str
    bytes: int


class Files(Repository):
    """The files of one database."""

    async def add(self, new: NewFile, lines: Iterable[FileLine]) -> FileRow:
        """Writes the lines, some at a time; the file is there for others once all of them are."""
        id_ = PREFIX + new_id()
        row = {
            "id": id_,
            "tenant": new.tenant,
            "filename": new.filename,
            "endpoint": new.endpoint,
            "bytes": new.bytes,
            "lines": 0,
            "created_at": self._now(),
        }
        await self._database.write(lambda connection: connection.execute(insert(files), row))
        count = 0
        for some in _pieces(id_, lines):
            await self._database.write(partial(_insert_lines, some))
            count += len(some)
        whole = update(files).where(files.c.id == id_).values(lines=count, whole=true())
        await self._database.write(lambda connection: connection.execute(whole))
        return await self.get(id_)

    async def get(self, file: str, tenant: str | None = None) -> FileRow:
        """One file. Raises NotFound, also for another tenant's."""
        wanted = _WHOLE.where(files.c.id == file, _of_tenant(tenant))
        rows = await self._database.read(lambda connection: connection.execute(wanted).mappings().all())
        if not rows:
            raise NotFound("file", file[:100])
        return FileRow(**rows[0])

    async def list_page(
        self, limit: int, after: str | None = None, tenant: str | None = None, order: Order = "desc"
    ) -> Sequence[FileRow]:
        """Files in the order in which they came, behind the one of this id. Raises NotFound."""
        place = None if after is None else (await self.get(after, tenant)).id
        wanted = _WHOLE.where(_of_tenant(tenant)).limit(limit)
        if place is not None:
            wanted = wanted.where(files.c.id < place if order == "desc" else files.c.id > place)
        ordered = wanted.order_by(files.c.id.desc() if order == "desc" else files.c.id)
        rows = await self._database.read(lambda connection: connection.execute(ordered).mappings().all())
        return [FileRow(**row) for row in rows]

    async def read_lines(self, file: str, after: int, limit: int) -> Sequence[FileLine]:
        """Lines behind this number, in order."""
        wanted = (
            select(file_lines.c.number, file_lines.c.custom_id, file_lines.c.text)
            .where(file_lines.c.file_id == file, file_lines.c.number > after)
            .order_by(file_lines.c.number)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(wanted).all())
        return [FileLine(*row) for row in rows]

    async def delete(self, file: str, tenant: str | None = None) -> None:
        """Deletes a file that no batch reads any more. Raises NotFound and FileInUse."""
        await self._database.write(partial(_delete, file=file, tenant=tenant))

    async def remove_abandoned(self) -> None:
        """Removes what uploads left behind whose process died."""
        left = files.c.whole.is_not(True) & (files.c.created_at < self._now() - ABANDONED)
        await self._database.write(lambda connection: connection.execute(delete(files).where(left)))


_WHOLE = select(
    *(getattr(files.c, name) for name in ("id", "filename", "endpoint", "bytes", "lines", "created_at"))
).where(files.c.whole)


def in_use() -> ColumnElement[bool]:
    """Whether a batch that has not ended reads the file."""
    return exists().where(batches.c.file_id == files.c.id, batches.c.ended_at.is_(None))


def _of_tenant(tenant: str | None) -> ColumnElement[bool]:
    return true() if tenant is None else files.c.tenant == tenant


def _pieces(file: str, lines: Iterable[FileLine]) -> Iterator[list[dict[str, Any]]]:
    reading = iter(lines)
    while some := list(islice(reading, AT_ONCE)):
        yield [
            {"file_id": file, "number": line.number, "custom_id": line.custom_id, "text": line.text}
            for line in some
        ]


def _insert_lines(rows: list[dict[str, Any]], connection: Connection) -> None:
    connection.execute(insert(file_lines), rows)


def _delete(connection: Connection, file: str, tenant: str | None) -> None:
    this = (files.c.id == file) & files.c.whole & _of_tenant(tenant)
    found = connection.execute(select(in_use()).where(this).with_for_update(of=files)).scalar_one_or_none()
    if found is None:
        raise NotFound("file", file[:100])
    if found:
        raise FileInUse(file)
    connection.execute(delete(files).where(this))
