"""Solutions that grow step by step: what the nodes of a search tree are, and how a next step is asked for."""

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
PROPOSE = "Propose {k} different next steps of the solution: a numbered list, one sentence each."
FINISH = ' If it completes the solution, end it with "Final answer:" and the answer.'
LAST = ' It must be the last step: end it with "Final answer:" and the answer.'
ROLLOUT = 'Complete this solution. End it with "Final answer:" and the answer.'
VALUE = """\
How likely do these steps lead to the right answer? 0 is impossible, 10 is certain. Check them first. \
Reply with the number alone."""

_LINE = re.compile(r"^\s*\d+[.)]\s*(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Node:
    """A partial solution. Without steps: the root."""

    texts: tuple[str, ...] = ()
    """Its steps as they were written."""
    parts: Parts = ()
    """The same for others to read, by reference where a branch wrote nothing else."""
    branches: tuple[BranchId, ...] = ()
    """Who wrote them."""

    @property
    def key(self) -> str:
        """Equal for nodes that say the same."""
        return " ".join("\n".join(self.texts).casefold().split())

    @property
    def final(self) -> bool:
        """Whether it states its answer: nothing grows from it."""
        return bool(self.texts) and "final answer" in self.texts[-1].casefold()

    def next(self, ask: str, temperature: float, role: str = "step") -> Thought:
        """A child that writes what follows."""
        return Thought(
            base=Base.PROBLEM,
            messages=(*((say("user", SO_FAR, *self.parts),) if self.parts else ()), say("user", ask)),
            decoding=Decoding(temperature=temperature),
            role=role,
            after=self.branches,
        )

    def then(self, branch: BranchId, text: str = "") -> "Node":
        """This node and the step of a branch, which may still be writing it."""
        parts = (*self.parts, Output(branch=branch), "\n")
        return Node((*self.texts, text), parts, (*self.branches, branch))

    def grow(self, result: Result) -> list["Node"]:
        """This node and the step that a branch wrote; none where it wrote nothing."""
        text = result.value.strip()
        return [self.then(result.branch, text)] if text else []

    def grow_by_list(self, result: Result) -> list["Node"]:
        """This node and, one at a time, the steps that a branch listed."""
        branches = (*self.branches, result.branch)
        lines = _LINE.findall(result.value)
        return [Node((*self.texts, line), (*self.parts, escape(line), "\n"), branches) for line in lines]

    def judge(self, temperature: float = 0.0) -> Thought:
        """A child that marks how promising it is."""
        return judge(SO_FAR, *self.parts, prompt=VALUE, temperature=temperature)
