"""Implements GroupThink (Hsu et al., arXiv 2505.11107): protocols.md section 6, its step-wise approximation on any
engine.
"""

from typing import Annotated

from anabranch.dag.actions import Answer, Policy
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.peers import GroupConfig, run_group
from anabranch.dag.policies.parts.shared_memory import Layout
from anabranch.dag.policy import Param, policy

RULES = """\
You are {me}, one of several who think about this at the same time; {others} are the rest. While you write you see \
what they have written so far. Do not repeat them: take a part that nobody has, and when another has taken yours, \
break off and take the next. If the question has one final answer, whoever knows it writes it in \\boxed{}. Stop \
when nothing is left to do."""


@policy(
    title="GroupThink",
    paper="Hsu et al. 2025, arXiv 2505.11107",
    use_when="Many small parts, as in listing or surveying: thinkers spread over them by watching each other.\n"
    "Needs no training; redundancy is reduced, not removed.",
    efforts={
        "none": {"thinkers": 2},
        "minimal": {"thinkers": 2},
        "low": {"thinkers": 2},
        "high": {"thinkers": 5},
    },
)
def group_think(
    problem: Problem,
    *,
    thinkers: Annotated[int, Param("how many", ge=2, le=16)] = 3,
    stride: Annotated[
        int, Param("tokens each writes before it looks at the others (the paper: 1)", ge=1)
    ] = 32,
    tokens: Annotated[int, Param("tokens one thinker may write", ge=1)] = 512,
) -> Policy:
    """Thinkers write at once, each seeing what all have written; their shared trace is the result.

    The paper's token k of one thinker sees all tokens before k of every other. Here a thinker sees what was posted
    when it began its segment of `stride` tokens, or fewer where it leaves a blank line: an engine that shares memory
    token by token would take the place of `parts/shared_memory.py`. There is no join. If one writes an answer in a box
    at the end of a step, or of its turn, that is the answer and the rest are stopped; otherwise all think to their
    end, and the answer is what each wrote, in their order. T is the longest chain of segments written or read.
    """
    names = tuple(f"Thinker {number}" for number in range(1, thinkers + 1))
    config = GroupConfig(names=names, rules=RULES, layout=Layout.CONTIGUOUS, stride=stride, tokens=tokens)
    outcome = yield from run_group(config)
    if isinstance(outcome, Answer):
        return outcome
    trace = "\n\n".join(text for _, text in outcome)
    return Answer(text=trace, sources=tuple(branch for branch, _ in outcome))
