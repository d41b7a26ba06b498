"""Assembles calls of tools from what upstreams stream of them.

The protocol numbers each call and sends its name and id once, then its arguments in pieces. Upstreams leave the number
out, give all calls the same one, with ids or without, repeat name and id with each piece, or send the arguments as an
object.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from anabranch.dag.decoding import Fault
from anabranch.dag.decoding.tools import Call
from anabranch.dag.vocabulary import Cause
from anabranch.workers.errors import DecodeError

MOST_CALLS = 128
"""Calls of one turn. Beyond them an upstream repeats itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPiece:
    """What one event adds to a call."""

    index: int | None = None
    id: str = ""
    name: str = ""
    arguments: str = ""


def read_calls(said: Mapping[str, Any]) -> tuple[CallPiece, ...]:
    """The pieces in a delta, or in a whole message; of the older protocol, its one call."""
    listed = said.get("tool_calls")
    pieces = [_piece(each) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    earlier = said.get("function_call")
    if not pieces and isinstance(earlier, dict):
        pieces = [_piece({"index": 0, "function": earlier})]
    return tuple(pieces)


def _piece(told: Mapping[str, Any]) -> CallPiece:
    function = told.get("function")
    named = function if isinstance(function, dict) else told
    index, id_, name = told.get("index"), told.get("id"), named.get("name")
    return CallPiece(
        index=index if type(index) is int else None,
        id=id_ if isinstance(id_, str) else "",
        name=name if isinstance(name, str) else "",
        arguments=_arguments(named.get("arguments")),
    )


def _arguments(told: Any) -> str:
    """As text; some upstreams have read them already."""
    if told is None or isinstance(told, str):
        return told or ""
    return json.dumps(told, ensure_ascii=False)


_STRUCTURAL = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)
"""In JSON: what may open or close something, and an escape, which may be cut behind its first character."""


@dataclass(slots=True)
class _Begun:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    whole: bool = False
    """All that its arguments opened is closed."""
    _depth: int = 0
    _quoted: bool = False
    _escaped: bool = False

    def add(self, arguments: str) -> None:
        """Each character is looked at once, however many pieces come."""
        self.arguments.append(arguments)
        all_found = _STRUCTURAL.findall(arguments[self._escaped :])
        for found in all_found:
            if found == '"':
                self._quoted = not self._quoted
            elif found[0] != "\\" and not self._quoted:
                self._depth += 1 if found in "{[" else -1
                self.whole = self._depth == 0
        self._escaped = all_found[-1:] == ["\\"]


@dataclass(slots=True)
class CallReading:
    """The calls so far. Takes piece after piece."""

    _begun: list[_Begun] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._begun)

    def take(self, piece: CallPiece) -> None:
        """Raises DecodeError for more calls than anybody means."""
        call = self._goes_on(piece)
        if call is None:
            if len(self._begun) >= MOST_CALLS:
                raise _broken(f"it calls more than {MOST_CALLS} tools at once")
            call = _Begun(piece.index)
            self._begun.append(call)
        call.id = call.id or piece.id
        if piece.name != call.name:  # the same name once more is no part of it
            call.name += piece.name
        if piece.arguments:
            call.add(piece.arguments)

    def calls(self) -> tuple[Call, ...]:
        """All of them. Raises DecodeError for one without a name."""
        return tuple(self._whole(*each) for each in self._named_apart())

    def _goes_on(self, piece: CallPiece) -> _Begun | None:
        """The call that a piece belongs to; None where it begins one."""
        if not self._begun:
            return None
        last = self._begun[-1]
        if piece.index is not None:
            found = next((call for call in reversed(self._begun) if call.index == piece.index), None)
        elif piece.id:
            known = next((call for call in self._begun if call.id == piece.id), None)
            found = known or (None if piece.name else last)
        else:
            found = last
        return None if found is None or (piece.name and _is_another(piece, found)) else found

    def _named_apart(self) -> Iterator[tuple[_Begun, str]]:
        """Each call with its id; one that was given before is none."""
        seen: set[str] = set()
        for call in self._begun:
            yield call, "" if call.id in seen else call.id
            seen.add(call.id)

    def _whole(self, call: _Begun, id_: str) -> Call:
        if not call.name:
            raise _broken("it calls a tool without naming it")
        return Call(name=call.name, arguments="".join(call.arguments).strip() or "{}", id=id_)


def _is_another(piece: CallPiece, call: _Begun) -> bool:
    """Whether a piece with a name begins a call of its own, though its number is that of this call."""
    if piece.id and call.id:
        return piece.id != call.id
    return bool(call.name) and call.whole


def _broken(detail: str) -> DecodeError:
    return DecodeError(Fault(cause=Cause.ENGINE_ERROR, detail=f"the upstream's answer is broken: {detail}"))
