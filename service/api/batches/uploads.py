"""Takes an upload to the disk, checks it there, and writes it to the store."""

import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, cast

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from anabranch.service.api.batches.lines import Checking, Upload, file_lines
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.problems import Fault, Refusal, Refused, bad_input, bad_request
from anabranch.service.store.batches.files import FileRow, NewFile
from anabranch.service.tenants.callers import Caller

IN_MEMORY = 1_000_000
"""Bytes of an upload that are kept in memory; larger ones lie on the disk."""
LONGEST_NAME = 255
_WINDOW = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_MINUTES = {"m": 1, "h": 60, "d": 60 * 24}
LONGEST_WINDOW = timedelta(days=30)


AT_ONCE = 8
"""Uploads that one process takes, checks and writes at once: each lies on its disk, and keeps a core busy."""
OF_ONE = 4
"""Of them, of one tenant."""
BUSY_SECONDS = 5
_taken: Counter[str] = Counter()


@asynccontextmanager
async def one_of_few(caller: Caller) -> AsyncIterator[None]:
    """A place among the uploads that are taken at once, before a byte is read. Raises Refused: 429."""
    if _taken.total() >= AT_ONCE or _taken[caller.tenant] >= OF_ONE:
        detail = (
            f"{OF_ONE} uploads of a tenant, and {AT_ONCE} in all, are taken at once. Nothing was written; "
            f"come again in {BUSY_SECONDS} s."
        )
        retry = {"Retry-After": str(BUSY_SECONDS)}
        raise Refused(
            Refusal(status=429, name="busy", title="Too many uploads at once", detail=detail, headers=retry)
        )
    _taken[caller.tenant] += 1
    try:
        yield
    finally:
        _taken[caller.tenant] -= 1


@asynccontextmanager
async def spooled(request: Request) -> AsyncIterator[BinaryIO]:
    """The body of a request, as a file."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        try:
            async for chunk in request.stream():
                file.write(chunk)
        except ClientDisconnect as error:
            raise bad_request("torn", "The upload broke off. Nothing was written.") from error
        yield cast("BinaryIO", file)


@asynccontextmanager
async def uploaded(request: Request) -> AsyncIterator[tuple[BinaryIO, str]]:
    """The file of a form, and its name. Raises Refused for a form that is not one of a batch's file."""
    async with request.form(max_files=1, max_fields=10) as form:
        purpose, file = form.get("purpose"), form.get("file")
        if purpose != "batch":
            message = f"only files for batches are kept here: purpose is 'batch', not {str(purpose)[:50]!r}"
            raise bad_input([Fault(path="purpose", message=message)])
        if not isinstance(file, UploadFile):
            raise bad_input([Fault(path="file", message="this part is missing, or is no file")])
        yield file.file, (file.filename or "batch.jsonl")[:LONGEST_NAME]


async def check(deps: Dependencies, caller: Caller, file: BinaryIO, *, plain: bool) -> Upload:
    """Raises Refused, which tells of all wrong lines."""
    return await Checking(deps, caller, plain=plain).check(file)


async def keep(
    deps: Dependencies, caller: Caller, file: BinaryIO, name: str, checked: Upload, *, plain: bool
) -> FileRow:
    """Writes the lines of an upload that was checked."""
    new = NewFile(tenant=caller.tenant, filename=name, endpoint=checked.endpoint, bytes=checked.bytes)
    return await deps.store.files.add(new, file_lines(file, deps.settings.max_request_bytes, plain=plain))


def end_of(window: str) -> datetime:
    """When a completion window that begins now is over. Raises Refused."""
    found = _WINDOW.fullmatch(window)
    length = timedelta(minutes=int(found[1]) * _MINUTES[found[2]]) if found else timedelta()
    if not timedelta() < length <= LONGEST_WINDOW:
        message = "give a number and m, h or d, up to 30d, such as 24h"
        raise bad_input([Fault(path="completion_window", message=message)])
    return datetime.now(UTC) + length
