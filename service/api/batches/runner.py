"""Works on the batches that have not ended, beside the requests of one REST process.

It begins lines in the order of the file, writes what came of those whose jobs have ended, and stops what is cancelled
or late. What it did is in the store, in the transaction that did it, so it may be killed at any moment, and several
processes may work on one batch: who comes second finds it done.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from anabranch.dag.ids import JobId
from anabranch.service.api.batches.asking import read_asked
from anabranch.service.api.batches.lines import read_line
from anabranch.service.api.batches.results import refused_result, result_of, stopped_result
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.problems import Refused, refusal_of
from anabranch.service.store.batches.batches import BatchRow
from anabranch.service.store.batches.files import FileLine
from anabranch.service.store.batches.lines import Begun, EndedLine, NewLine, Result
from anabranch.service.store.errors import StoreAway
from anabranch.service.tenants.callers import ANYBODY, Caller

POLL_SECONDS = 1.0
OPEN_LINES = 200
"""Lines of one batch that have begun and not ended: enough to fill pools, and few enough for the lists of jobs."""
AT_ONCE = 20
"""Lines that begin or end in one transaction: it holds up nobody for long."""
SKIPPED_AT_ONCE = 500
LOOK_AGAIN_SECONDS = 5.0
"""After which a batch whose tenant's quota was spent is tried again, if not later."""
log = logging.getLogger(__name__)


class BatchRunner:
    """Takes all batches of a store forward. `open_lines` bounds how many lines of each are under way."""

    def __init__(self, deps: Dependencies, *, open_lines: int = OPEN_LINES) -> None:
        self._deps = deps
        self._batches = deps.store.batches
        self._open_lines = open_lines
        self._waits: dict[str, datetime] = {}
        """Until when a batch waits for its tenant's quota."""

    async def run(self) -> None:
        """Works until it is cancelled; over a store that goes away."""
        removed = False
        while True:
            try:
                if not removed:
                    await self._deps.store.files.remove_abandoned()
                    removed = True
                moved = await self.step()
            except StoreAway as error:
                log.warning("batches wait for the store: %s", error)
                moved = False
            if not moved:
                await asyncio.sleep(POLL_SECONDS)

    async def step(self) -> bool:
        """Takes each batch one step forward; says whether any of them moved."""
        moved = False
        for batch in await self._batches.list_live():
            try:
                moved |= await self._advance(batch)
            except StoreAway:
                raise
            except Exception:
                log.exception("batch %s stands still until it is tried again", batch.id)
        return moved

    async def _advance(self, batch: BatchRow) -> bool:
        if batch.stopping is None and datetime.now(UTC) >= batch.expires_at:
            self._nudge(await self._batches.stop(batch.id, "expired"))
            return True
        moved = await self._end_lines(batch)
        moved |= await (self._begin_lines(batch) if batch.stopping is None else self._skip_lines(batch))
        if not moved:
            await self._batches.end(batch.id)
        return moved

    async def _end_lines(self, batch: BatchRow) -> bool:
        ended = await self._batches.list_ended(batch.id, AT_ONCE)
        results = [await self._result(batch, line) for line in ended]
        if results:
            await self._batches.write_results(batch.id, results)
        return bool(results)

    async def _result(self, batch: BatchRow, line: EndedLine) -> Result:
        try:
            return await result_of(self._deps, batch, line, await self._batches.read_jobs(line))
        except StoreAway:
            raise
        except Exception as error:
            log.exception("line %d of %s has no result", line.number, batch.id)
            told = refused_result(batch, line.number, line.custom_id, refusal_of(error))
            return Result(line.number, False, told)

    async def _begin_lines(self, batch: BatchRow) -> bool:
        caller = await self._caller_of(batch.tenant)
        if caller is None or datetime.now(UTC) < self._waits.get(batch.id, datetime.min.replace(tzinfo=UTC)):
            return False
        room = self._open_lines - await self._batches.count_open(batch.id)
        lines = await self._read(batch, min(room, AT_ONCE)) if room > 0 else ()
        if not lines:
            return False
        new = [await self._new_line(batch, caller, line) for line in lines]
        begun = await self._batches.begin_lines(batch, new)
        self._nudge(begun.jobs)
        if begun.refused is not None:
            await self._wait_for_quota(batch, new, begun)
        return begun.lines > 0

    async def _wait_for_quota(self, batch: BatchRow, new: Sequence[NewLine], begun: Begun) -> None:
        """What fits into no day is refused, as it would be alone; all else is tried again."""
        assert begun.refused is not None
        if not begun.refused.never:
            wait = timedelta(seconds=min(begun.refused.retry_after, LOOK_AGAIN_SECONDS))
            self._waits[batch.id] = datetime.now(UTC) + wait
            return
        line = new[begun.lines]
        told = refused_result(batch, line.number, line.custom_id, refusal_of(begun.refused))
        begun_until = new[begun.lines - 1].number if begun.lines else batch.begun
        refused = NewLine(number=line.number, custom_id=line.custom_id, result=told)
        await self._batches.begin_lines(replace(batch, begun=begun_until), [refused])

    async def _new_line(self, batch: BatchRow, caller: Caller, line: FileLine) -> NewLine:
        """The line with its jobs; with a result where it is refused by now, such as for a model that has gone."""
        told = {"batch": batch.id, "custom_id": line.custom_id}
        try:
            body = read_line(line.text, line.number).body
            asked = await read_asked(self._deps, caller, batch.endpoint, body)
            jobs = asked.jobs(self._deps, caller, told)
        except StoreAway:
            raise
        except Exception as error:
            if not isinstance(error, Refused):
                log.exception("line %d of %s cannot begin", line.number, batch.id)
            result = refused_result(batch, line.number, line.custom_id, refusal_of(error))
            return NewLine(number=line.number, custom_id=line.custom_id, result=result)
        return NewLine(number=line.number, custom_id=line.custom_id, jobs=jobs)

    async def _skip_lines(self, batch: BatchRow) -> bool:
        """The lines of a batch that stops end without having begun."""
        lines = await self._read(batch, SKIPPED_AT_ONCE)
        skipped = [
            NewLine(
                number=line.number,
                custom_id=line.custom_id,
                result=stopped_result(batch, line.number, line.custom_id),
            )
            for line in lines
        ]
        return bool(lines) and (await self._batches.begin_lines(batch, skipped)).lines > 0

    async def _read(self, batch: BatchRow, count: int) -> Sequence[FileLine]:
        return await self._deps.store.files.read_lines(batch.file_id, batch.begun, count)

    async def _caller_of(self, tenant: str) -> Caller | None:
        """What holds for a tenant's jobs now; None while nobody may call for it: its batches stand still."""
        return ANYBODY if self._deps.keyring is None else await self._deps.keyring.of_tenant(tenant)

    def _nudge(self, jobs: Sequence[str]) -> None:
        for job in jobs:
            self._deps.organizers.nudge(JobId(job))
