"""What the tests of the semantics share."""

from tests.dag.journals import of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import JobSpec
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say

PUBLISHED = {"assist": "none"}
REFUSED = Fault(cause="refused", detail="not here", retryable=False)


def ask(text: str) -> a.Thought:
    return a.Thought(messages=(say("user", text),), label=text)


def problems(simulation: Simulation) -> list[str]:
    return [event.problem for event in of_kind(simulation, e.ActionMalformed)]


def inserted(simulation: Simulation) -> list[str]:
    return [event.inserted for event in of_kind(simulation, e.SegmentStarted) if event.inserted]


def begun(policy: str, **params: object) -> Interpreter:
    """A job that was submitted and claimed, to be told facts by hand."""
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "q"),), policy=policy, params=params)
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
    interpreter.feed(e.JobClaimed(owner="first", attempt=1))
    return interpreter


def ended(
    branch: str = TRUNK, text: str = "7", finish: Finish = Finish.EOS, segment: int = 1, attempt: int = 1,
    fault: Fault | None = None, tokens: int = 1,
) -> e.SegmentFinished:  # fmt: skip
    decoded = Decoded(text=text, finish=finish, usage=Usage(completion_tokens=tokens), fault=fault)
    return e.SegmentFinished(branch=BranchId(branch), segment=segment, attempt=attempt, decoded=decoded)
