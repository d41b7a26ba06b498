"""Gives recorded jobs to a simulation: asked the same, each branch writes what it wrote then."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from statistics import median_low

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.ids import BranchId
from anabranch.dag.job import JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.simulation.draws import uniform
from anabranch.dag.simulation.models.outputs import ENGINE, Cut, Output
from anabranch.dag.simulation.models.parts import FILLER

_FAILED = {Finish.ERROR}


@dataclass(frozen=True, slots=True)
class Journal:
    """What a simulation takes from the journal of a job."""

    spec: JobSpec
    limits: Limits
    outputs: dict[BranchId, tuple[Output, ...]]
    """Of each branch, its decodes in their order. Tries that failed are left out."""
    results: dict[BranchId, str] = field(default_factory=dict)
    """Of each tool's branch, what it gave."""

    @classmethod
    def read(cls, records: Iterable[e.Record]) -> "Journal":
        """Raises ValueError for records that do not begin a journal."""
        decodes: dict[BranchId, list[list[Decoded]]] = defaultdict(list)
        tools: set[BranchId] = set()
        submitted: e.JobSubmitted | None = None
        for record in records:
            match record.event:
                case e.JobSubmitted() as event:
                    submitted = event
                case e.BranchForked() as event if event.tool is not None:
                    tools.add(event.child)
                case e.SegmentStarted() as event if not event.continues:
                    decodes[event.branch].append([])
                case e.SegmentFinished() as event:
                    decodes[event.branch][-1].append(event.decoded)
                case _:
                    pass
        if submitted is None:
            raise ValueError("the journal does not begin with a job")
        spec = replace(submitted.spec, approvals=(), lineage=None)
        results = {tool: decodes.pop(tool)[-1][-1].text for tool in sorted(tools) if decodes.get(tool)}
        return cls(
            spec, submitted.limits, {branch: _outputs(told) for branch, told in decodes.items()}, results
        )

    def model(self) -> "Recital":
        """Stands for the model, once."""
        return Recital(self)

    def tool(self, call: c.RunTool) -> str | Fault:
        """Stands for the operator's tools."""
        return self.results.get(call.branch, "")


@dataclass(slots=True)
class Recital:
    """Gives the decodes of each branch in their order. Where more are asked for than were recorded, because time went
    another way, one of the job's others stands in."""

    journal: Journal
    _given: dict[BranchId, int] = field(default_factory=lambda: defaultdict(int))

    def __call__(self, decode: c.Decode) -> Output:
        place = self._given[decode.branch]
        self._given[decode.branch] = place + 1
        recorded = self.journal.outputs.get(decode.branch, ())
        if place < len(recorded):
            return recorded[place]
        others = recorded or [each for outputs in self.journal.outputs.values() for each in outputs]
        if not others:
            return Output(cuts=(Cut(1, Decoded(text="", finish=Finish.EOS, engine=ENGINE)),))
        chosen = others[int(uniform(self.journal.spec.seed, decode.branch, place) * len(others))]
        return replace(chosen, prompt_tokens=None)


def _outputs(decodes: list[list[Decoded]]) -> tuple[Output, ...]:
    """The decodes of one branch, interrupted ones put together again, aborted ones written to a plausible end."""
    whole: list[list[Decoded]] = []
    begun: list[Decoded] = []
    for segments in decodes:
        begun += (part for part in segments if part.finish is not Finish.ERROR)
        if begun and begun[-1].finish not in _FAILED | {Finish.INTERRUPTED}:
            whole.append(begun)
            begun = []
    lengths = [_tokens(segments) for segments in whole if segments[-1].finish is not Finish.ABORT]
    usual = median_low(lengths) if lengths else 0
    return tuple(_output(segments, usual) for segments in whole)


def _tokens(segments: list[Decoded]) -> int:
    return sum(part.usage.completion_tokens for part in segments)


def _output(segments: list[Decoded], usual: int) -> Output:
    cuts: list[Cut] = []
    text, tokens, before = "", 0, 0
    for part in segments:
        tokens += part.usage.completion_tokens
        text += part.text
        if part.finish is Finish.INTERRUPTED:
            continue
        decoded = replace(part, text=text, usage=Usage(completion_tokens=tokens - before), cost=0.0)
        if part.finish is Finish.ABORT:
            more = max(0, usual - tokens)
            tokens += more
            usage = Usage(completion_tokens=tokens - before)
            decoded = replace(decoded, text=text + FILLER * more, finish=Finish.EOS, usage=usage)
        cuts.append(Cut(tokens, decoded))
        text, before = "", tokens
    prompt = next((part.usage.prompt_tokens for part in segments if part.usage.prompt_tokens), None)
    return Output(cuts=tuple(cuts), prompt_tokens=prompt)
