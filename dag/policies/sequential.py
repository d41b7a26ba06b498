"""Decodes one line of thought: the baseline every other policy is compared with."""

from anabranch.dag.actions import Answer, Policy, Segment, Think
from anabranch.dag.decoding import Decoding, Purpose
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import TRUNK
from anabranch.dag.job import Problem
from anabranch.dag.policy import policy


@policy(
    title="Sequential thinking",
    paper="the baseline of every paper here",
    use_when="The question is short or each step needs the one before.\nAlso the yardstick: T equals L.",
    marks_answer=True,
    may_call=True,
)
def sequential(problem: Problem) -> Policy:
    """Decode one chain of thought; what it says is the answer. T = L = its length."""
    segment: Segment = yield Think(Decoding(purpose=Purpose.ANSWER))
    text = problem.trimmed(segment.text)
    if not text and not segment.calls and not segment.stopped:
        raise NoAnswer("the model wrote nothing")
    return Answer(text=text, sources=(TRUNK,), calls=segment.calls)
