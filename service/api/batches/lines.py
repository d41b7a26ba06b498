"""Reads an upload line by line, and refuses it whole where lines are wrong: all of them are told, by their numbers."""

import asyncio
import codecs
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from pydantic import Field, ValidationError

from anabranch.service.api.batches.asking import ENDPOINTS, JOBS, read_asked
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.problems import Fault, Refusal, Refused, bad_input, faults_of
from anabranch.service.api.views.fields import Sent
from anabranch.service.bounded_json import BadJson, read_json
from anabranch.service.store.batches.files import FileLine
from anabranch.service.tenants.callers import Caller

MOST_LINES = 50_000
MOST_TOLD = 5
"""Wrong lines that the sentence of a refusal tells of; its `errors` tell of all."""
LONGEST_MESSAGE = 300
LONGEST_ID = 512
PIECE = 65_536


class Line(Sent):
    """A line as OpenAI's Batch API has it."""

    custom_id: str = Field(min_length=1, max_length=LONGEST_ID)
    method: Literal["POST"]
    url: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was checked."""

    endpoint: str
    bytes: int
    digest: str
    """SHA-256 of what was sent."""
    lines: int


def read_line(text: str | bytes, number: int, *, plain: bool = False) -> Line:
    """One line. `plain`: it may be a job alone, which is named by its number where it names itself not.

    Raises BadJson, json.JSONDecodeError and pydantic.ValidationError.
    """
    found = read_json(text if isinstance(text, str) else _decode(text))
    if plain and isinstance(found, dict) and "body" not in found:
        custom_id = found.pop("custom_id", str(number))
        found = {"custom_id": custom_id, "method": "POST", "url": JOBS, "body": found}
    return Line.model_validate(found)


def file_lines(file: BinaryIO, most: int, *, plain: bool) -> Iterator[FileLine]:
    """The lines of an upload that was checked, each as it is stored."""
    for number, text in _split(file, most):
        line = read_line(text, number, plain=plain)
        kept = json.dumps(line.model_dump(), ensure_ascii=False) if plain else text.decode()
        yield FileLine(number, line.custom_id, kept)


class Checking:
    """Checks one upload. `plain`: its lines may be jobs alone."""

    def __init__(self, deps: Dependencies, caller: Caller, *, plain: bool) -> None:
        self._deps = deps
        self._caller = caller
        self._plain = plain
        self._most = deps.settings.max_request_bytes
        self._endpoint: str | None = None
        self._seen: dict[bytes, int] = {}
        """Where each custom_id stands, by a digest of it: ids may be long."""
        self._faults: list[Fault] = []

    async def check(self, file: BinaryIO) -> Upload:
        """Raises Refused, which tells of all wrong lines."""
        lines = 0
        for number, text in _split(file, self._most):
            lines += 1
            if lines > MOST_LINES:
                raise self._refused(f"a file may have {MOST_LINES:,} lines; send several")
            fault = await self._fault(number, text)
            if fault is not None:
                self._faults.append(fault)
            await asyncio.sleep(0)  # others are answered between two lines
        if not lines:
            raise bad_input([Fault(path="file", message="there is no line in it")])
        if self._faults or self._endpoint is None:
            wrong = (
                f"{len(self._faults):,} of {lines:,} lines {'is' if len(self._faults) == 1 else 'are'} wrong"
            )
            raise self._refused(wrong)
        size = file.tell()
        return Upload(self._endpoint, size, _digest(file), lines)

    async def _fault(self, number: int, text: bytes) -> Fault | None:
        try:
            if len(text) > self._most:
                return _fault(number, "", f"it is longer than the {self._most:,} bytes of one request")
            line = read_line(text, number, plain=self._plain)
            self._check_place(line, number)
            await read_asked(self._deps, self._caller, line.url, line.body)
        except BadJson as error:
            return _fault(number, error.where, str(error))
        except json.JSONDecodeError as error:
            return _fault(number, "", f"it is not JSON: {error}")
        except ValidationError as error:
            return _of(number, "", faults_of(error)[0])
        except Refused as error:
            own = isinstance(error, _WrongPlace) or not error.refusal.errors
            told = error.refusal.errors[0] if error.refusal.errors else None
            if told is None:
                return _fault(number, "body", error.refusal.detail)
            return _of(number, "" if own else "body.", told)
        return None

    def _check_place(self, line: Line, number: int) -> None:
        """Raises Refused for an endpoint or a custom_id that cannot stand here."""
        if line.url not in ENDPOINTS:
            raise _WrongPlace("url", f"{line.url[:100]!r} takes no batches; these do: {', '.join(ENDPOINTS)}")
        if self._endpoint is None:
            self._endpoint = line.url
        if line.url != self._endpoint:
            raise _WrongPlace("url", f"the lines before ask {self._endpoint}; a batch asks one endpoint")
        digest = hashlib.blake2b(line.custom_id.encode(), digest_size=16).digest()
        first = self._seen.setdefault(digest, number)
        if first != number:
            raise _WrongPlace("custom_id", f"line {first} has {line.custom_id[:100]!r}, too")

    def _refused(self, wrong: str) -> Refused:
        told = "; ".join(f"{fault.path}: {fault.message}" for fault in self._faults[:MOST_TOLD])
        more = "; …" if len(self._faults) > MOST_TOLD else ""
        detail = f"Nothing was written: {wrong}" + (f". {told}{more}" if told else "")
        refusal = Refusal(
            status=422, name="bad-lines", title="Lines are wrong", detail=detail, errors=self._faults
        )
        return Refused(refusal)


class _WrongPlace(Refused):
    """A line that cannot stand in this file."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(bad_input([Fault(path=path, message=message)]).refusal)


def _split(file: BinaryIO, most: int) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers; of one that is too long, a part that is too long, too."""
    file.seek(0)
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:  # some editors begin a file with one
        file.seek(0)
    number = 0
    while text := file.readline(most + 2):
        number += 1
        rest = text
        while rest and not rest.endswith(b"\n") and len(text) > most:
            rest = file.readline(most)
        stripped = text.strip()
        if stripped:
            yield number, stripped


def _decode(line: bytes) -> str:
    """The line as it is stored and read again: JSON may have other encodings, a file of lines has one."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("it is not text in UTF-8", "", error.start) from error


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _fault(number: int, path: str, message: str) -> Fault:
    where = f"line {number}" + (f": {path}" if path else "")
    return Fault(path=where, message=message[:LONGEST_MESSAGE])


def _of(number: int, under: str, fault: Fault) -> Fault:
    return _fault(number, under + fault.path, fault.message)
