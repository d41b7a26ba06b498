"""Finds the outcomes of an edited re-run's origin, by what each decode was asked.

A decode is known by its branch and by the exact context it reads. What does not depend on the edited branch is asked
with the same context as before and has its recorded outcome; what does depend on it reads something else and is
decoded. The journal alone is enough to tell.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from anabranch.dag import events as e
from anabranch.dag.commands import Decode, RunTool
from anabranch.dag.decoding import Decoded, Finish, Timing, Usage
from anabranch.dag.grammars import grammar_named
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.state import JobState, apply
from anabranch.dag.text import Context
from anabranch.dag.text.context import render


@dataclass(frozen=True, slots=True)
class _Asked:
    """What names a decode in both jobs."""

    branch: BranchId
    digest: str


class OriginOutcomes:
    """The outcomes of one job, with one branch's output edited; to be learned from its journal."""

    def __init__(self, origin: JobId, branch: BranchId, output: str) -> None:
        self._origin = origin
        self._branch = branch
        self._output = output
        self._first: _Asked | None = None
        """What the edited branch was asked first."""
        self._outcomes: dict[_Asked, list[tuple[int, Decoded]]] = {}
        self._state = JobState()
        self._asked: dict[BranchId, _Asked] = {}
        self._tools: dict[BranchId, e.BranchForked] = {}

    def of_decode(self, command: Decode) -> tuple[Decoded, ...]:
        """The segments that answer this decode, the last one not open; empty when it must be decoded."""
        asked = _asked(command.branch, command.context, command.decoding.grammar)
        if command.branch == self._branch and (command.segment == 1 or asked == self._first):
            return self._edited(command.decoding.grammar)
        return tuple(decoded for _, decoded in self._outcomes.get(asked, ()))

    def of_tool(self, command: RunTool) -> Decoded | None:
        """What this function gave, as long as it was asked by the same branch with the same arguments."""
        if command.branch == self._branch:
            return self._edited(None)[0]
        found = self._outcomes.get(_asked_tool(command.branch, command.tool, command.arguments))
        return found[0][1] if found else None

    def order(self, command: Decode) -> int:
        """Decodes that are answered together are answered in the order in which the origin's ended."""
        asked = _asked(command.branch, command.context, command.decoding.grammar)
        found = self._outcomes.get(asked)
        return found[-1][0] if found else 0

    def learn(self, records: Iterable[e.Record]) -> None:
        """Reads the next records of the origin's journal."""
        state, asked = self._state, self._asked
        for record in records:
            apply(state, record.event)
            match record.event:
                case e.BranchForked(child=child, tool=str()) as forked:
                    self._tools[child] = forked
                case e.SegmentStarted(continues=False) as started:
                    question = asked[started.branch] = self._question(started)
                    self._outcomes[question] = []
                case e.SegmentFinished(branch=branch, decoded=decoded):
                    outcomes = self._outcomes[asked[branch]]
                    outcomes.append((record.seq, self._recalled(decoded)))
                    if _useless(outcomes):
                        outcomes.clear()
                case _:
                    pass

    def _question(self, started: e.SegmentStarted) -> _Asked:
        tool = self._tools.get(started.branch)
        if tool is not None:
            return _asked_tool(started.branch, tool.tool or "", tool.params)
        question = _asked(started.branch, render(self._state, started.branch), started.grammar)
        if started.branch == self._branch and self._first is None:
            self._first = question
        return question

    def _recalled(self, decoded: Decoded) -> Decoded:
        return replace(
            decoded,
            usage=Usage(),
            usage_at_least=False,
            timing=Timing(),
            replica="",
            cost=0.0,
            recalled_from=self._origin,
            extra={},
        )

    def _edited(self, grammar: str | None) -> tuple[Decoded, ...]:
        """The edit, cut into segments as a replica would have cut it."""
        parser = grammar_named(grammar).parser() if grammar is not None else None
        said = Decoded(text="", finish=Finish.EOS, engine="edit", recalled_from=self._origin)
        segments: list[Decoded] = []
        start = 0
        for cut in parser.feed(self._output) if parser else ():
            text, start = self._output[start : cut.offset], cut.offset
            segments.append(replace(said, text=text, finish=Finish.TAG, tag=cut.tag, open=not cut.stops))
            if cut.stops:
                return tuple(segments)
        unclosed = parser.close() if parser else None
        return (*segments, replace(said, text=self._output[start:], tag=unclosed))


def _useless(outcomes: list[tuple[int, Decoded]]) -> bool:
    """A decode that failed from the start was tried again under the same name; one that was stopped says nothing."""
    last = outcomes[-1][1]
    return last.finish is Finish.ABORT or (last.finish is Finish.ERROR and len(outcomes) == 1)


def _asked(branch: BranchId, context: Context, grammar: str | None) -> _Asked:
    return _Asked(branch, _digest(context.messages, context.thought, context.continuation, grammar))


def _asked_tool(branch: BranchId, tool: str, arguments: object) -> _Asked:
    return _Asked(branch, _digest(tool, arguments))


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
