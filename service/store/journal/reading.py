"""Reads the links of a journal, from rows and from packs.

A journal of a job that ended long ago may be packed (`maintenance/packing.py`): then its first links are in `packs`,
and only what came later is in `events`. Links go from one table to the other in one transaction, and never back; so
whoever finds rows missing finds them packed.
"""

from math import ceil

from sqlalchemy import Connection, select

from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import Link
from anabranch.dag.journal.packing import BadPack, unpack
from anabranch.service.store.errors import DamagedPack
from anabranch.service.store.journal.records import link_of_row
from anabranch.service.store.sql.tables import events, packs

LINKS_OF_PACK = 500
"""How many links a pack has; the last one of a journal may have fewer. Who reads a page unpacks two at most."""


def read_links(
    connection: Connection, job: JobId, after_seq: int = 0, limit: int | None = None
) -> list[Link]:
    """The links of this journal behind a seq, in order, at most `limit`. Raises DamagedPack."""
    rows = (
        select(events)
        .where(events.c.job_id == job, events.c.seq > after_seq)
        .order_by(events.c.seq)
        .limit(limit)
    )
    links = [link_of_row(row) for row in connection.execute(rows).mappings()]
    if links and links[0].seq == after_seq + 1:
        return links
    packed = _read_packed(connection, job, after_seq, limit)
    last = packed[-1].seq if packed else after_seq
    return [*packed, *(link for link in links if link.seq > last)][:limit]


def _read_packed(connection: Connection, job: JobId, after_seq: int, limit: int | None) -> list[Link]:
    found = (
        select(packs.c.last_seq, packs.c.data)
        .where(packs.c.job_id == job, packs.c.last_seq > after_seq)
        .order_by(packs.c.last_seq)
        .limit(None if limit is None else ceil(limit / LINKS_OF_PACK) + 1)
    )
    links: list[Link] = []
    for row in connection.execute(found):
        try:
            links += (link for link in unpack(job, row.data) if link.seq > after_seq)
        except BadPack as error:
            raise DamagedPack(job, links[-1].seq + 1 if links else after_seq + 1, error) from error
    return links
