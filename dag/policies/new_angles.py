"""Lines of thought from different angles; one that repeats an elder one makes way for a new angle."""

from collections.abc import Sequence
from typing import Annotated

from anabranch.dag.actions import Answer, Fork, Forked, Join, Joined, Mode, Policy, Prune, Result
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.angles import ANGLES, REDUNDANT, Lines, check_angles
from anabranch.dag.policies.parts.samples import Samples
from anabranch.dag.policies.parts.waiting import Within
from anabranch.dag.policy import Param, policy


@policy(
    title="New angles",
    paper="Anabranch's own; shingles: Broder 1997",
    use_when="Samples tend to say the same in other words, and the right idea is a rare one.\n"
    "Costs n lines of thought: what a repeating one leaves over goes to a new line.",
    efforts={"none": {"n": 2}, "minimal": {"n": 2}, "low": {"n": 3}, "high": {"n": 8}},
)
def new_angles(
    problem: Problem,
    *,
    n: Annotated[int, Param("lines of thought at once", ge=2, le=64)] = 4,
    angles: Annotated[
        Sequence[str], Param("how a line is to go about it; each takes the next one", check=check_angles)
    ] = ANGLES,
    stride: Annotated[
        int, Param("tokens after which a line is compared with its elders", ge=8, le=65536)
    ] = 64,
    alike: Annotated[
        float, Param("share of its phrases with which a line repeats an elder one", ge=0.1, le=1.0)
    ] = 0.5,
    tokens: Annotated[int, Param("tokens one line may write", ge=8, le=1_048_576)] = 1024,
    within: Within = None,
    ask: Annotated[bool, Param("tell the model how to mark its answer, so that it can be found")] = True,
    temperature: Annotated[float, Param("of the lines", ge=0.0, le=2.0)] = 0.8,
) -> Policy:
    """Follow n lines of thought, each from its own angle; stop one that repeats an elder, and start one from the next.

    A line posts what it wrote at each stride, and reads what its elders posted: by phrases of three words, in time that
    is linear in what was written. The new line has the tokens that the stopped one left over, so all lines together
    cost no more than n of them. A line that repeats does not vote, and is pruned; the reason, the elder and the share
    are in the journal. The majority of the others answers, as soon as no other answer can win; where no answer can be
    compared, the eldest line. T is the longest line that was waited for, those that it followed on included.
    """
    numbers: dict[BranchId, int] = {}
    lines = Lines(
        angles=angles, stride=stride, alike=alike, temperature=temperature, ask=ask, numbers=numbers
    )
    forked: Forked = yield Fork(children=tuple(lines.line(number, tokens) for number in range(n)))
    numbers |= {branch: number for number, branch in enumerate(forked.ids) if branch is not None}
    allowed = dict.fromkeys(forked.branches, tokens)
    pending, samples, tally = forked.branches, Samples(structured=False), None
    while pending and not (tally and tally.decided):
        joined: Joined = yield Join(targets=pending, mode=Mode.FIRST, seconds=within)
        if joined.expired:
            break
        pending, [ended] = joined.pending, joined.results
        left = allowed[ended.branch] - ended.tokens
        if REDUNDANT not in ended.flags:
            samples.take(ended)
        else:
            yield Prune(branches=(ended.branch,), rule="repeats an elder line")
            if left >= stride and not joined.winding_down:
                number = max(numbers.values()) + 1
                forked = yield Fork(children=(lines.line(number, left),))
                numbers |= dict.fromkeys(forked.branches, number)
                allowed |= dict.fromkeys(forked.branches, left)
                pending += forked.branches
        tally = yield from samples.count(len(pending))
    if tally is not None and tally.winner is not None:
        return (yield from samples.answer(tally))
    written: list[Result] = [each for each in samples.drawn.values() if each.ok and each.value.strip()]
    if not written:
        raise NoAnswer("no line of thought came to anything")
    eldest = min(written, key=lambda each: numbers[each.branch])
    return Answer(text=eldest.value.strip(), sources=(eldest.branch,), flags=eldest.flags)
