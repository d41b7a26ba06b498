"""Implements Hogwild! Inference (Rodionov et al., arXiv 2504.06261): protocols.md section 7, step by step on any
engine.
"""

from typing import Annotated, Literal

from anabranch.dag.actions import Answer, Policy
from anabranch.dag.answers.extraction import extract_answer
from anabranch.dag.errors import NoAnswer
from anabranch.dag.job import Problem
from anabranch.dag.policies.parts.peers import FINISHER, GroupConfig, run_group
from anabranch.dag.policies.parts.shared_memory import Layout
from anabranch.dag.policies.presets.hogwild_published import HOGWILD_PUBLISHED
from anabranch.dag.policy import Param, policy

NAMES = ("Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi")
RULES = """\
You are {me}. You work on this problem together with {others}, all at the same time, and you see each other's steps. \
Do different parts, check each other, and do no work twice: agree on who does what in a sentence. Write short steps, \
with a blank line after each. Whoever knows the final answer writes it in \\boxed{} at the end of a step."""


@policy(
    title="Hogwild! Inference",
    paper="Rodionov et al. 2025, arXiv 2504.06261",
    use_when="How to split the work shows only on the way: workers see each other's steps and divide it by talking.\n"
    "Needs no training, but a model that follows what others say (the paper's smallest got distracted).",
    presets={"published": HOGWILD_PUBLISHED},
    efforts={"high": {"workers": 4}},
)
def hogwild(
    problem: Problem,
    *,
    workers: Annotated[int, Param("how many (the paper has 2 to 4)", ge=2, le=8)] = 2,
    layout: Annotated[
        Literal["combined", "interleaved", "contiguous"],
        Param(
            "combined: finished steps, then what others are writing; interleaved: finished steps only; "
            "contiguous: one worker after the other"
        ),
    ] = "combined",
    stride: Annotated[int, Param("tokens after which an unfinished step is shown to the others", ge=4)] = 64,
    tokens: Annotated[int, Param("tokens one worker may write", ge=16)] = 1024,
    nudge: Annotated[
        int,
        Param(
            "tokens after which a worker is asked whether its work is redundant (paper 1024, code 256)", ge=0
        ),
    ] = 256,
    steps: Annotated[
        Literal["lenient", "strict"],
        Param("strict: a step ends with . ? ! … alone; lenient: with a quote or a box behind it, too"),
    ] = "lenient",
    system_prompt: Annotated[str, Param("what each is told first: {me}, {others}")] = RULES,
    primer: Annotated[str, Param("how each begins its first step: {me}, {others}")] = "",
    finisher: Annotated[str, Param("what makes one answer whose tokens are used up")] = FINISHER,
) -> Policy:
    """Workers think at once, each reading the others' steps; the first answer wins and stops the rest.

    A worker looks up when it has ended a step (a blank line behind a sentence) or written `stride` tokens. The paper
    shares the KV cache, token by token: here what is shared is posted at segment boundaries, so it is seen a segment
    later, and an engine that shares memory would only make it sooner (`parts/shared_memory.py`). An answer counts at
    the end of a step. Ending a turn ends a step, no more; a worker that has no more to say, or no tokens, is made to
    answer in 16, which counts when nobody answers unasked. T is the longest chain of segments that were written or
    read; when all keep pace, the winner's own tokens.
    """
    config = GroupConfig(
        names=NAMES[:workers],
        rules=system_prompt,
        layout=Layout(layout),
        stride=stride,
        tokens=tokens,
        nudge=nudge,
        primer=primer,
        strict=steps == "strict",
        finisher=finisher,
        must_answer=True,
    )
    outcome = yield from run_group(config)
    if isinstance(outcome, Answer):
        return outcome
    for branch, trace in outcome:
        answer = extract_answer(trace)
        if answer is not None:
            return Answer(text=answer, sources=(branch,), flags=("unfinished",))
    raise NoAnswer(f"none of {len(outcome)} workers came to an answer")
