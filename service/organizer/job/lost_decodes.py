"""Ends decodes that nobody does now, with what was kept of them; and those of which a replica lost the end."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.ids import BranchId, by_path
from anabranch.dag.interpreter.retries import goes_on
from anabranch.dag.limits import Limits
from anabranch.dag.state import JobState
from anabranch.dag.vocabulary import Cause
from anabranch.service.store.journal.told_texts import ToldText
from anabranch.service.store.rows import Checkpoint


def keep_final_text(started: e.SegmentStarted | None, decoded: Decoded) -> Decoded:
    """The segment as it is recorded. Where a replica fails in the middle of the final thought, decoding goes on from
    the text that arrived: it may have been told, and an engine need not say the same again."""
    fails = decoded.finish is Finish.ERROR and decoded.fault is not None and decoded.fault.retryable
    if started is None or not goes_on(started) or not fails or not (decoded.text or decoded.thought):
        return decoded
    return replace(decoded, finish=Finish.INTERRUPTED)


def find_saved(
    started: e.SegmentStarted, checkpoints: Mapping[BranchId, Checkpoint], told: Sequence[ToldText]
) -> Checkpoint | None:
    """What the store has of this segment: its checkpoint, or what was stored to be told, whichever is further. Both are
    how the segment began."""
    told_so_far = Checkpoint(
        branch=started.branch, segment=started.segment, attempt=started.attempt, text="", tokens=0
    )
    for piece in told:
        if (piece.branch, piece.segment) == (started.branch, started.segment):
            told_so_far = replace(
                told_so_far,
                thought=told_so_far.thought[: piece.thought_at] + piece.thought,
                text=told_so_far.text[: piece.text_at] + piece.text,
                tokens=piece.tokens,
                reasoning_tokens=piece.reasoning_tokens,
            )
    saved = checkpoints.get(started.branch)
    if saved is None or (saved.segment, saved.attempt) != (started.segment, started.attempt):
        return told_so_far if told_so_far.thought or told_so_far.text else None
    return max(saved, told_so_far, key=lambda each: (len(each.text), len(each.thought)))


def end_lost_decodes(
    state: JobState, checkpoints: Mapping[BranchId, Checkpoint], told: Sequence[ToldText]
) -> list[e.SegmentFinished | e.HedgeLost]:
    """The ends of all decodes that a lost organizer left open. Booked is what the store knows of each; what was decoded
    after that nobody can tell, and the end says so."""
    ends: list[e.SegmentFinished | e.HedgeLost] = []
    told_of: dict[BranchId, list[ToldText]] = defaultdict(list)
    for piece in told:
        told_of[piece.branch].append(piece)
    for branch, two in state.hedges.items():
        copy = 1 if two.left is None else two.left
        ends.append(_end_lost_hedge(two.started, copy, checkpoints.get(branch), state.limits))
    for branch in sorted(state.open_segments, key=by_path):
        held = state.branches[branch]
        assert held.open is not None
        if held.tool is not None:
            ends.append(_end_lost_tool(held.open))
        elif held.copy:
            ends.append(_end_lost_second(held.open, checkpoints.get(branch), state.limits))
        else:
            saved = find_saved(held.open, checkpoints, told_of.get(branch, ()))
            ends.append(end_lost_segment(held.open, saved, state.limits))
    return ends


def end_lost_segment(
    started: e.SegmentStarted, saved: Checkpoint | None, limits: Limits
) -> e.SegmentFinished:
    """The end of a segment whose organizer was lost.

    Free text goes on from its checkpoint, and so does a thought. Text under a grammar or a structure cannot be entered
    in the middle: it is decoded again from its segment's start (the last tag), as is text that was never checkpointed.
    Where it was handed over before anything had come, nothing is lost, and no attempt is counted.
    """
    usage = _known(started, saved, 0)
    if saved is not None and _can_go_on(saved, started):
        decoded = Decoded(
            text=saved.text,
            finish=Finish.INTERRUPTED,
            usage=usage,
            thought=saved.thought,
            usage_at_least=True,
        )
    else:
        decoded = _lost("its text was not checkpointed, or cannot be entered midway", usage)
    return e.SegmentFinished(
        branch=started.branch,
        segment=started.segment,
        attempt=started.attempt,
        decoded=limits.priced(decoded, started.model),
    )


def _end_lost_second(
    started: e.SegmentStarted, saved: Checkpoint | None, limits: Limits
) -> e.SegmentFinished:
    """The end of a segment that was left to the second of its decodes, whose text nobody keeps."""
    decoded = _lost("it was decoded a second time, which is not checkpointed", _known(started, saved, 1))
    return e.SegmentFinished(
        branch=started.branch,
        segment=started.segment,
        attempt=started.attempt,
        decoded=limits.priced(decoded, started.model),
        copy=1,
    )


def _end_lost_hedge(
    started: e.SegmentStarted, copy: int, saved: Checkpoint | None, limits: Limits
) -> e.HedgeLost:
    """The end of the decode beside the one that counts, or would have."""
    decoded = _lost("it was decoded beside another", _known(started, saved, copy))
    return e.HedgeLost(
        branch=started.branch,
        segment=started.segment,
        attempt=started.attempt,
        decoded=limits.priced(decoded, started.model),
        copy=copy,
    )


def _end_lost_tool(started: e.SegmentStarted) -> e.SegmentFinished:
    fault = Fault(cause=Cause.ORGANIZER_LOST, detail="it was not known whether the call had ended")
    return e.SegmentFinished(
        branch=started.branch,
        segment=started.segment,
        attempt=started.attempt,
        decoded=Decoded(text="", finish=Finish.ERROR, fault=fault),
    )


def _lost(detail: str, usage: Usage) -> Decoded:
    """Tokens of text that is gone."""
    fault = Fault(cause=Cause.ORGANIZER_LOST, detail=detail)
    return Decoded(text="", finish=Finish.ERROR, usage=usage, fault=fault, usage_at_least=True)


def _known(started: e.SegmentStarted, saved: Checkpoint | None, copy: int) -> Usage:
    """What was stored of the tokens of this segment's decode."""
    if saved is None or (saved.segment, saved.attempt) != (started.segment, started.attempt):
        return Usage()
    if copy:
        return Usage(completion_tokens=saved.second_tokens, reasoning_tokens=saved.second_reasoning_tokens)
    return Usage(completion_tokens=saved.tokens, reasoning_tokens=saved.reasoning_tokens)


def _can_go_on(saved: Checkpoint, started: e.SegmentStarted) -> bool:
    """Whether a decode can go on from here: no form holds for a thought, and where nothing was decoded it begins."""
    if saved.text:
        return not started.structured and started.grammar is None
    return bool(saved.thought) or not saved.tokens
