"""Grows solutions step by step: the nodes of a search tree, and the children that write and judge them."""

import re
from dataclasses import dataclass

from anabranch.dag.actions import Result, Thought
from anabranch.dag.decoding import Decoding
from anabranch.dag.grammars.escape import escape
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.parts.judge import judge
from anabranch.dag.text import Base, Output, Parts, say

SO_FAR = "Steps of a solution so far:\n"
NEXT = "Write only the next step of the solution, in one or two sentences."
FINISH = ' If it completes the solution, end it with "Final answer:" and the answer.'
ROLLOUT = 'Complete this solution. End it with "Final answer:" and the answer.'
FINAL = "final answer"
"""What a step contains that states the answer, in whatever case."""
VALUE = """\
How likely do these steps lead to the right answer? 0 is impossible, 10 is certain. Check them first. \
Reply with the number alone."""


def states_answer(step: str, final: str) -> bool:
    """Whether a step contains the words that state an answer; there may be none."""
    return bool(final) and final in step.casefold()


def stated_answer(step: str, final: str) -> str:
    """What stands behind the last of these words; the whole step where there are none."""
    pieces = re.split(re.escape(final), step, flags=re.IGNORECASE) if final else []
    return pieces[-1].strip(" :\n") if len(pieces) > 1 else step


@dataclass(frozen=True, slots=True)
class Node:
    """A partial solution. Without steps: the root."""

    texts: tuple[str, ...] = ()
    """Its steps as they were written."""
    parts: Parts = ()
    """The same for others to read, by reference where a branch wrote nothing else."""
    branches: tuple[BranchId, ...] = ()
    """Who wrote them."""
    final: bool = False
    """Whether it states its answer: nothing grows from it."""

    @property
    def key(self) -> str:
        """Equal for nodes that say the same."""
        return " ".join("\n".join(self.texts).casefold().split())

    @property
    def last(self) -> str:
        """Its last step."""
        return self.texts[-1] if self.texts else ""

    @property
    def shown(self) -> Parts:
        """Its steps under their heading; nothing for the root."""
        return (SO_FAR, *self.parts) if self.parts else ()

    def next(self, ask: str, temperature: float, role: str = "step") -> Thought:
        """A child that writes what follows."""
        return Thought(
            base=Base.PROBLEM,
            messages=(*((say("user", *self.shown),) if self.parts else ()), say("user", ask)),
            decoding=Decoding(temperature=temperature),
            role=role,
            after=self.branches,
        )

    def then(self, branch: BranchId, text: str = "", final: str = FINAL) -> "Node":
        """This node and the step of a branch, which may still be writing it."""
        parts = (*self.parts, Output(branch=branch), "\n")
        return Node((*self.texts, text), parts, (*self.branches, branch), states_answer(text, final))

    def grow(self, result: Result, final: str = FINAL) -> list["Node"]:
        """This node and the step that a branch wrote; none where it wrote nothing."""
        text = result.value.strip()
        return [self.then(result.branch, text, final)] if text else []

    def grow_each(self, branch: BranchId, lines: list[str], final: str) -> list["Node"]:
        """This node and, one at a time, the steps that a branch listed."""
        branches = (*self.branches, branch)
        return [
            Node((*self.texts, line), (*self.parts, escape(line), "\n"), branches, states_answer(line, final))
            for line in lines
        ]

    def judge(self, temperature: float = 0.0) -> Thought:
        """A child that marks how promising it is."""
        return judge(*self.shown, prompt=VALUE, temperature=temperature)
