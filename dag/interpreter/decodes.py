"""Starts decodes within width and token budget, lets the others wait in line, and takes finished segments."""

from dataclasses import replace

from anabranch.dag import events as e
from anabranch.dag.actions import Segment, Splice, Think, ToolCall
from anabranch.dag.commands import Abort, RunTool
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.errors import DecodeFailed, PolicyBroken
from anabranch.dag.ids import TRUNK, BranchId, by_path
from anabranch.dag.interpreter import asking, hedges, reads, room
from anabranch.dag.interpreter.branch_run import NOBODY, Routine, Waiting
from anabranch.dag.interpreter.budget import allowance, exceeded, tokens_left
from anabranch.dag.interpreter.organizing import model_of
from anabranch.dag.interpreter.retries import allowed_tries, excuse_told_wait, goes_on, retry_delay
from anabranch.dag.interpreter.run import Run
from anabranch.dag.text import outputs_in
from anabranch.dag.vocabulary import Cause

DENIALS = 8
"""Empty segments that a routine without budget is given before it is stopped."""


def think(run: Run, routine: Routine, action: Think) -> Segment | None:
    """A segment that is there already; otherwise the routine waits for the open stream, or in line for a new decode."""
    if routine.decodes.inbox:
        return routine.decodes.inbox.pop(0)
    missing = {read for read in outputs_in(routine.decodes.spliced.messages) if not run.settled(read)}
    reads.wait_for(run, routine, Waiting(action=action, missing=missing or NOBODY))
    streaming = run.state.branches[routine.branch].open is not None or routine.branch in run.streams
    if not missing and not streaming:
        queue(run, routine)
    return None


def run_tool(run: Run, routine: Routine, call: ToolCall) -> None:
    """Start a registered function in place of a decode."""
    branch = run.state.branches[routine.branch]
    started = e.SegmentStarted(branch=branch.id, segment=branch.segment + 1, attempt=branch.attempt)
    run.emit(started)
    routine.decodes.begin(started)
    routine.waiting = Waiting(action=call)
    run.commands.append(
        RunTool(
            branch=branch.id,
            segment=started.segment,
            attempt=started.attempt,
            tool=call.tool,
            arguments=call.arguments,
        )
    )


def splice(run: Run, routine: Routine, action: Splice) -> None:
    """Text for the next segment to begin with; it waits for the branches that the messages read."""
    if run.state.branches[routine.branch].open is not None or routine.branch in run.streams:
        raise PolicyBroken(f"branch {routine.branch} splices into a stream that is open")
    read = outputs_in(action.messages)
    reads.refuse_impossible(run, routine.branch, (*read, *action.reads))
    routine.decodes.splice(action, (*action.reads, *reads.unjoined(run, routine.branch, read)))


def queue(run: Run, routine: Routine) -> None:
    """Puts a routine in line for a decode, the trunk first."""
    if routine.branch == TRUNK:
        run.line.appendleft(routine)
    else:
        run.line.append(routine)


def decoding_now(run: Run) -> int:
    """Decodes that run."""
    return len(run.state.open_segments) + len(run.state.hedges)


def start_decodes(run: Run) -> bool:
    """Start what is in line while there is room. True when a routine became ready instead (its budget is spent)."""
    while run.line and decoding_now(run) < run.state.limits.width:
        routine = run.line[0]
        if not run.state.branches[routine.branch].live or routine.waiting is None:
            run.line.popleft()
            continue
        if room.must_wait(run, routine):
            return False
        tokens = tokens_left(run, model_of(run, routine))
        if tokens is not None and tokens <= 0:
            if decoding_now(run):
                return False  # what they leave over of their reservation may be enough
            run.line.popleft()
            _spent(run, routine)
            return True
        run.line.popleft()
        _start(run, routine, tokens)
    return False


def _spent(run: Run, routine: Routine) -> None:
    """Nothing can be decoded any more: the policy gets an empty segment and must wind up."""
    if not run.state.winding_down:
        run.emit(exceeded(run, routine.branch))
    routine.decodes.denied += 1
    if routine.decodes.denied > DENIALS:
        routine.waiting = None
        run.ready.append(
            (routine, PolicyBroken("its budget is spent, and it asks for more instead of answering"))
        )
        return
    nothing = Decoded(text="", finish=Finish.LENGTH)
    if run.state.limits.final_thoughts:  # what was interrupted, and cannot go on, stands
        _deliver(run, routine, routine.decodes.complete(nothing, winding_down=True))
    else:
        _deliver(run, routine, Segment(text="", tokens=0, finish=Finish.LENGTH, winding_down=True))


def _start(run: Run, routine: Routine, tokens: int | None) -> None:
    waiting = routine.waiting
    assert waiting is not None and isinstance(waiting.action, Think)
    branch = run.state.branches[routine.branch]
    decoding, held_to = asking.decoding_of(run, routine.branch, waiting.action)
    delay, spliced = routine.decodes.delay, routine.decodes.spliced
    started = e.SegmentStarted(
        branch=branch.id,
        segment=branch.segment + 1,
        attempt=branch.attempt,
        inserted=spliced.text,
        messages=spliced.messages,
        removed=spliced.removed,
        reads=spliced.reads,
        max_tokens=allowance(run, decoding, routine.decodes.partial_tokens, tokens),
        temperature=decoding.temperature,
        seed=asking.seed_of(run.spec.seed, branch.id),
        grammar=decoding.grammar,
        structured=decoding.structure is not None,
        final=asking.is_final(run, decoding, held_to),
        top_p=decoding.top_p,
        output_type=asking.output_type(decoding),
        model=model_of(run, routine),
    )
    run.emit(started)
    routine.decodes.begin(started, held_to)
    run.commands.append(replace(asking.command_of(run, routine, started, decoding), delay=delay))


def final_thought(run: Run) -> BranchId | None:
    """The branch that is decoding the final thought, or goes on with it soon; None where nothing stands of one yet."""
    for branch in sorted(run.state.live, key=by_path):
        routine = run.routines.get(branch)
        opened = routine.decodes.opened if routine is not None else None
        if routine is None or opened is None or not goes_on(opened) or routine.waiting is None:
            continue
        if run.state.branches[branch].open is not None or routine.decodes.partial:
            return branch
    return None


def go_on_with_streams(run: Run) -> None:
    """Open the next segment of every stream that goes on, after the policy has had its say about the last one."""
    for branch in sorted(run.streams):
        state = run.state.branches[branch]
        opened = run.routines[branch].decodes.opened
        if state.open is None and opened is not None:
            run.emit(
                replace(
                    opened,
                    segment=state.segment + 1,
                    continues=True,
                    inserted="",
                    messages=(),
                    removed=0,
                    reads=(),
                    max_tokens=run.routines[branch].decodes.room,
                )
            )
    run.streams.clear()


def abort(run: Run, routine: Routine) -> None:
    """Stop the decode of this branch, if one runs. Its last segment still comes, with its exact tokens."""
    branch = routine.branch
    running = run.state.branches[branch].open is not None or branch in run.streams
    opened = routine.decodes.opened
    if running and opened is not None:
        run.commands.append(Abort(branch=branch, segment=opened.segment))


def segment_finished(run: Run, fact: e.SegmentFinished) -> bool:
    """Take a finished segment. False when it is not the open one: a result of an older attempt."""
    branch = run.state.branches.get(fact.branch)
    if branch is None or branch.open is None:
        return False
    if (branch.open.segment, branch.open.attempt) != (fact.segment, fact.attempt):
        return False
    run.emit(fact)
    decoded, routine = fact.decoded, run.routines[fact.branch]
    hedges.abort_loser(run, fact)
    routine.decodes.spend(decoded.usage.completion_tokens)
    if decoded.open:
        run.streams.add(fact.branch)
    if branch.live and branch.id != run.stopping:
        _go_on(run, routine, decoded)
    return True


def _go_on(run: Run, routine: Routine, decoded: Decoded) -> None:
    match decoded.finish:
        case Finish.ERROR:
            _retry_or_fail(run, routine, decoded.fault or Fault(cause=Cause.ENGINE_ERROR))
        case Finish.INTERRUPTED:
            routine.decodes.interrupt(decoded)
            if decoded.fault is not None:
                _retry_or_fail(run, routine, decoded.fault)
            else:
                _again(run, routine)
        case _:
            _deliver(run, routine, routine.decodes.complete(decoded, winding_down=run.state.winding_down))


def _deliver(run: Run, routine: Routine, segment: Segment) -> None:
    waiting = routine.waiting
    if waiting is not None and isinstance(waiting.action, Think | ToolCall):
        routine.waiting = None
        run.ready.append((routine, segment))
    else:
        routine.decodes.inbox.append(segment)


def _again(run: Run, routine: Routine) -> None:
    waiting = routine.waiting
    if waiting is not None and isinstance(waiting.action, ToolCall):
        run_tool(run, routine, waiting.action)
        return
    if waiting is None or not isinstance(waiting.action, Think):
        return  # the policy has not asked for more; it will, or will not, by itself
    queue(run, routine)


def _retry_or_fail(run: Run, routine: Routine, fault: Fault) -> None:
    branch, limits = run.state.branches[routine.branch], run.state.limits
    delay = retry_delay(limits, branch.attempt, fault)
    excuse_told_wait(routine.decodes, fault, delay)
    if not fault.retryable or branch.attempt - routine.decodes.excused >= allowed_tries(limits, fault):
        routine.waiting = None
        run.ready.append((routine, DecodeFailed(fault.cause, fault.detail)))
        return
    run.emit(e.BranchRetried(branch=branch.id, attempt=branch.attempt + 1, cause=fault.cause, delay=delay))
    routine.decodes.delay = delay
    _again(run, routine)
