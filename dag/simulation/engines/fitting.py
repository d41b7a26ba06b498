"""Fits a step-time model to the journals of jobs that were run.

A journal tells of each decode when its prompt was begun, its first token came and its last, on which replica. So it is
known at each time who was in the replica's batch, how long their contexts were, and which prompts were computed. The
time between two tokens is not known, but their number is: a decode of n tokens took n - 1 steps between its first and
its last token. With the model of `step_time.py`,

    last - first = a * (n - 1) + b * sum B + c * sum C + d * (prompt tokens computed meanwhile)

summed over the steps, and likewise for the one step from the beginning of a prompt to its first token. That is linear
in a, b, c and d; how the steps lie in the time between two changes of the batch follows from the model itself, so it is
solved a few times over. Steps vary independently, so a row of long duration varies more: rows are weighted by one over
the root of the seconds that the model gives them. (Not of those measured: times at which the machine was slow would
count for less than those at which it was quick, and the model would be too quick.) All jobs that used the replicas
meanwhile must be among those that are read: a batch that nobody tells of cannot be known.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import fmean, median

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.simulation.engines.least_squares import solve
from anabranch.dag.simulation.engines.step_time import StepTime

ROUNDS = 6
LEAST_SECONDS = 1e-4
"""Of a row, in its weight."""
FEWEST = 4
"""Decodes without which nothing is fitted."""


class CannotFit(ValueError):
    """The journals do not tell enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One decode as a journal tells it. Unix seconds."""

    replica: str
    scheduled: float
    first: float
    last: float
    tokens: int
    prompt: int
    computed: int
    """Prompt tokens that were not in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What was fitted, and how well it tells what was measured."""

    step: StepTime
    overhead: float
    """Seconds from a fact to the beginning of the decodes that follow from it, where no place had to be waited for."""
    decodes: int
    r_squared: float
    """Of the seconds of decodes."""
    median_error: float
    """Of the same: the share by which half of them are off at most."""
    worst_error: float
    """The share by which nine of ten are off at most."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Time between two changes of a replica's batch."""

    begin: float
    end: float
    batch: int
    context: float
    prefilled: float
    """Prompt tokens computed in it."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One duration, and the stretches that it is made of."""

    seconds: float
    steps: int
    stretches: Sequence[_Stretch]

    def features(self, step: StepTime) -> tuple[float, float, float, float]:
        """What the unknowns are multiplied with, the steps laid out as this model has them."""
        weights = [
            (part.end - part.begin)
            / max(1e-9, step.of_batch(part.batch) + step.per_context_token * part.context)
            for part in self.stretches
        ]
        whole = sum(weights) or 1.0
        batch = sum(w * part.batch for w, part in zip(weights, self.stretches, strict=True)) / whole
        context = sum(w * part.context for w, part in zip(weights, self.stretches, strict=True)) / whole
        prefilled = sum(part.prefilled for part in self.stretches)
        return float(self.steps), self.steps * batch, self.steps * context, prefilled

    def modelled(self, step: StepTime) -> float:
        """The seconds that the model gives it."""
        one, two = step.of_batch(1), step.of_batch(2)
        parameters = (2 * one - two, two - one, step.per_context_token, step.per_prefill_token)
        return sum(a * b for a, b in zip(self.features(step), parameters, strict=True))


def observe(records: Iterable[e.Record]) -> tuple[list[Observed], list[tuple[float, float]]]:
    """The decodes of one journal; and for each that its policy caused, the seconds from its cause to its hand-over, and
    from there to its beginning. A late segment's second decode has the clock as its cause."""
    open_decodes: dict[BranchId, list[Decoded]] = {}
    caused: dict[BranchId, float] = {}
    cause = 0.0
    observed: list[Observed] = []
    delays: list[tuple[float, float]] = []
    for record in records:
        match record.event:
            case e.JobClaimed():
                cause = record.at.timestamp()
            case e.SegmentStarted() as event if not event.continues:
                open_decodes[event.branch], caused[event.branch] = [], cause
            case e.SegmentFinished() as event:
                decoded = event.decoded
                cause = decoded.timing.finished or record.at.timestamp()
                open_decodes.setdefault(event.branch, []).append(decoded)
                if decoded.open:
                    continue
                segments = open_decodes.pop(event.branch)
                if (found := _observed(segments)) is None:
                    continue
                observed.append(found)
                if not event.copy:
                    timing = segments[0].timing
                    delays.append(
                        (timing.submitted - caused[event.branch], timing.scheduled - timing.submitted)
                    )
            case e.HedgeLost(decoded=decoded):
                if (found := _observed([decoded])) is not None:
                    observed.append(found)
            case _:
                pass
    return observed, delays


def _observed(segments: list[Decoded]) -> Observed | None:
    """None where the engine did not tell when it worked, or another job had the segment decoded (an edited re-run)."""
    begun, last = segments[0].timing, segments[-1]
    first = next((part.timing.first_token for part in segments if part.timing.first_token), 0.0)
    tokens = sum(part.usage.completion_tokens + part.overshoot_tokens for part in segments)
    told = begun.scheduled and first and last.timing.finished and tokens
    if not told or last.finish is Finish.ERROR or last.recalled_from is not None:
        return None
    prompt = max(part.usage.prompt_tokens for part in segments)
    cached = max(part.usage.cached_tokens for part in segments)
    return Observed(
        replica=last.replica,
        scheduled=begun.scheduled,
        first=max(first, begun.scheduled),
        last=max(first, last.timing.finished),
        tokens=tokens,
        prompt=prompt,
        computed=max(1, prompt - cached),
    )


def fit(journals: Iterable[Iterable[e.Record]]) -> Fit:
    """Fits the model. Raises CannotFit."""
    observed: list[Observed] = []
    delays: list[tuple[float, float]] = []
    for records in journals:
        of_job, waited = observe(records)
        observed += of_job
        delays += waited
    if len(observed) < FEWEST:
        raise CannotFit(
            f"{len(observed)} decodes tell when they were scheduled and had their first token; {FEWEST} are needed"
        )
    rows = _rows(observed)
    step = StepTime(points=((1, 1.0),))
    for _ in range(ROUNDS):
        weights = [1 / sqrt(max(LEAST_SECONDS, row.modelled(step))) for row in rows]
        features = [
            [value * weight for value in row.features(step)]
            for row, weight in zip(rows, weights, strict=True)
        ]
        targets = [row.seconds * weight for row, weight in zip(rows, weights, strict=True)]
        step = _step_of(solve(features, targets))
    return _judged(step, [row for row in rows if row.steps > 1], observed, delays)


def _step_of(solution: Sequence[float]) -> StepTime:
    base, per_sequence, per_context, per_prefill = solution
    return StepTime(
        points=((1, base + per_sequence), (2, base + 2 * per_sequence)),
        per_context_token=per_context,
        per_prefill_token=per_prefill,
    )


def _rows(observed: list[Observed]) -> list[_Row]:
    by_replica: dict[str, list[Observed]] = defaultdict(list)
    for one in observed:
        by_replica[one.replica].append(one)
    rows: list[_Row] = []
    for decodes in by_replica.values():
        stretches = _stretches(decodes)
        begins = [stretch.begin for stretch in stretches]
        for one in decodes:
            for begin, end, steps in ((one.scheduled, one.first, 1), (one.first, one.last, one.tokens - 1)):
                if end > begin and steps:
                    parts = stretches[bisect_left(begins, begin) : bisect_left(begins, end)]
                    rows.append(_Row(end - begin, steps, parts))
    return rows


def _stretches(decodes: list[Observed]) -> list[_Stretch]:
    """What one replica did between any two changes of its batch. Quadratic in the decodes that overlap, no more."""
    times = sorted({time for one in decodes for time in (one.scheduled, one.first, one.last)})
    waiting = sorted(decodes, key=lambda one: one.scheduled, reverse=True)
    active: list[Observed] = []
    stretches: list[_Stretch] = []
    for begin, end in pairwise(times):
        while waiting and waiting[-1].scheduled <= begin:
            active.append(waiting.pop())
        active = [one for one in active if one.last > begin]
        context = prefilled = 0.0
        for one in active:
            if one.first <= begin:
                share = ((begin + end) / 2 - one.first) / (one.last - one.first)
                context += one.prompt + one.tokens * share
            else:
                prefilled += one.computed * (end - begin) / (one.first - one.scheduled)
        stretches.append(_Stretch(begin, end, len(active), context, prefilled))
    return stretches


def _judged(
    step: StepTime, rows: list[_Row], observed: list[Observed], delays: list[tuple[float, float]]
) -> Fit:
    """How well the model tells the seconds of decodes from their tokens and batches."""
    told = [row.seconds for row in rows]
    models = [row.modelled(step) for row in rows]
    errors = sorted(abs(model - real) / real for model, real in zip(models, told, strict=True))
    mean = fmean(told) if told else 0.0
    spread = sum((real - mean) ** 2 for real in told)
    missed = sum((model - real) ** 2 for model, real in zip(models, told, strict=True))
    handed = median(before for before, _ in delays)
    begun = min(after for _, after in delays)  # all others waited for a place, or for a step to end
    return Fit(
        step=step,
        overhead=max(0.0, handed + begun),
        decodes=len(observed),
        r_squared=1 - missed / spread if spread else 0.0,
        median_error=median(errors) if errors else 0.0,
        worst_error=errors[int(len(errors) * 0.9)] if errors else 0.0,
    )
