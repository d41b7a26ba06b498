"""Words a decode: what it is asked for, and what it is held to."""

import hashlib
from dataclasses import replace

from anabranch.dag import events as e
from anabranch.dag.actions import Think
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoding, Purpose
from anabranch.dag.ids import TRUNK, BranchId, parent_of
from anabranch.dag.interpreter.branch_run import Routine
from anabranch.dag.interpreter.organizing import organizer_of, reads_thoughts
from anabranch.dag.interpreter.run import Run
from anabranch.dag.job import AnswerFormat
from anabranch.dag.text import Base
from anabranch.dag.text.context import render


def command_of(
    run: Run, routine: Routine, started: e.SegmentStarted, decoding: Decoding, *, copy: int = 0
) -> Decode:
    """Asks for the decode that begins with this segment, or (`copy` 1) for a second one of the same."""
    branch = started.branch
    return Decode(
        branch=branch,
        segment=started.segment,
        attempt=started.attempt,
        context=render(run.state, branch),
        decoding=replace(
            decoding,
            max_tokens=started.max_tokens,
            thinking_tokens=routine.decodes.thinking_left(decoding.thinking_tokens),
            raw_thoughts=reads_thoughts(run, branch),
        ),
        seed=started.seed,
        model=started.model,
        affinity=affinity_of(run, branch),
        copy=copy,
    )


def decoding_of(run: Run, branch: BranchId, action: Think) -> tuple[Decoding, AnswerFormat | None]:
    """The decoding, complete, and what its text is held to."""
    held_to = answer_format(run, branch, action.decoding)
    decoding = held_to.complete(action.decoding) if held_to else action.decoding
    return run.spec.sampling.complete(decoding), held_to


def answer_format(run: Run, branch: BranchId, decoding: Decoding) -> AnswerFormat | None:
    """What this decode is held to, if its text is the job's answer; the answer of a nested job is not."""
    if decoding.purpose is Purpose.WORK or organizer_of(run, branch) != TRUNK:
        return None
    return run.spec.answer_format


def is_final(run: Run, decoding: Decoding, held_to: AnswerFormat | None) -> bool:
    return run.state.limits.final_thoughts and decoding.purpose is Purpose.ANSWER and held_to is not None


def output_type(decoding: Decoding) -> str:
    """As OpenTelemetry words it."""
    if decoding.structure is None:
        return ""
    return "text" if decoding.structure.json_schema is None else "json"


def seed_of(job_seed: int, branch: BranchId) -> int:
    """The same for a retry, different for each branch: 31 bits of a digest."""
    return int.from_bytes(hashlib.sha256(f"{job_seed}/{branch}".encode()).digest()[:4]) >> 1


def affinity_of(run: Run, branch: BranchId) -> str:
    """Names the prefix this branch shares: its parent's text, the problem's, or its own."""
    reading = run.state.branches[branch].reading
    if reading is None or branch == TRUNK:
        return branch
    match reading.base:
        case Base.PARENT:
            return affinity_of(run, parent_of(branch) or TRUNK)
        case Base.PROBLEM:
            return TRUNK
        case Base.NOTHING:
            return branch
