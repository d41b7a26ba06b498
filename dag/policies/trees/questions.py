"""Words what a tree of thoughts asks of its children, and reads what they write: in the user's words, or the usual
ones.

Yao et al. (arXiv 2305.10601) write each of these anew for a task: how steps are proposed, what of a partial solution is
shown (the *state*), how it is valued and what the values are worth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from anabranch.dag.actions import Result, Thought, aside
from anabranch.dag.decoding import Decoding
from anabranch.dag.grammars.escape import escape
from anabranch.dag.policies.parts.judge import branches_in, read_mark
from anabranch.dag.policies.parts.lists import TRUNCATED, numbered, written_lines
from anabranch.dag.policies.parts.prompts import Fields, ask, fill_text
from anabranch.dag.policies.trees.partial_solution import FINISH, NEXT, Node, stated_answer, states_answer

PROPOSE = "Propose {k} different next steps of the solution: a numbered list, one sentence each."
PROPOSE_LINES = (
    "Propose {k} different next steps of the solution, each on a line of its own, and nothing else."
)
LAST = ' It must be the last step: end it with "Final answer:" and the answer.'
VERDICT = (
    "Can these steps still lead to the right answer? Check first. End with a line that is one of: {names}."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """A search's own questions; an empty prompt takes the usual words."""

    question: str
    depth: int
    form: Literal["sample", "list", "lines"]
    """sample: a child writes one step; else it writes up to `k`, numbered or each on its line."""
    k: int
    judges: int
    """Of each node; 0 where nodes are not judged one by one."""
    temperature: float
    step: str = ""
    last: str = ""
    value: str = ""
    answer_value: str = ""
    values: Mapping[str, float] | None = None
    """What each verdict of a judge is worth; None: a judge gives 0 to 10."""
    state: tuple[str, str] | None = None
    """Between which texts a step tells the state it leads to; None: the whole step is the state."""
    goal: str = ""
    final: str = ""
    judge_model: str | None = None

    def ask_step(self, node: Node, level: int) -> Thought:
        """A child that writes what follows the node."""
        done = self.state_of(node) == self.goal if self.goal else level == self.depth
        own = self.last if self.last and done else self.step
        if not own:
            usual = {"sample": NEXT, "list": PROPOSE, "lines": PROPOSE_LINES}[self.form]
            own = usual + (LAST if level == self.depth else FINISH if level > 1 else "")
        base, messages = ask(fill_text(own, k=self.k), self.fields(node), node.shown)
        decoding = Decoding(temperature=self.temperature)
        return Thought(base=base, messages=messages, decoding=decoding, role="step", after=node.branches)

    def read_steps(self, node: Node, result: Result) -> tuple[list[Node], list[str]]:
        """The nodes that a branch's text makes of this one, at most `k`, and the lines of it that are no step: without
        the number or the state that a step has, or cut off."""
        if self.form == "sample":
            return node.grow(result, self.final), []
        if self.form == "list":
            lines, odd = numbered(result.value)
        else:
            lines, odd = written_lines(result.value), []
        if TRUNCATED in result.flags and lines:
            odd = [*odd, lines.pop()]
        steps = [line for line in lines if self._is_step(line)]
        odd = [*odd, *(line for line in lines if not self._is_step(line))]
        return node.grow_each(result.branch, steps[: self.k], self.final), odd

    def judges_of(self, node: Node, level: int) -> list[Thought]:
        """Those who judge the node; nobody where it is worth nothing already: a last step that had to state its answer
        and does not."""
        if self.answer_value and level == self.depth and not node.final:
            return []
        temperature = self.temperature if self.judges > 1 else 0.0
        return [replace(self._judge(node, temperature), model=self.judge_model)] * self.judges

    def worth(self, results: list[Result]) -> float:
        """Of a node that these judged: the sum of its verdicts, or the mean of its marks."""
        if self.values is not None:
            return sum(self.values.get(verdict, 0.0) for verdict in map(self.verdict_of, results) if verdict)
        marks = [mark for mark in map(read_mark, results) if mark is not None]
        return sum(marks) / len(marks) if marks else 0.0

    def verdict_of(self, result: Result) -> str | None:
        """The verdict on a judge's last line, alone or behind a colon."""
        lines = written_lines(result.value) if result.ok else []
        last = lines[-1].casefold() if lines else ""
        said = {each.strip(" .!*`\"'") for each in (last, last.rpartition(":")[2])}
        return next((name for name in self.values or () if name.casefold() in said), None)

    def state_of(self, node: Node) -> str:
        """What the last step tells of where it leads; the question, before the first."""
        if not node.texts:
            return self.question
        if self.state is None:
            return node.last
        before, after = self.state
        _, found, rest = node.last.rpartition(before)
        return (rest.partition(after)[0] if after else rest).strip() if found else node.last

    def fields(self, node: Node) -> Fields:
        """What a prompt can name."""
        stated = stated_answer(node.last, self.final) if node.final else node.last
        state = self.question if not node.texts else escape(self.state_of(node))
        return {
            "question": (self.question,), "steps": node.parts, "state": (state,), "answer": (escape(stated),),
        }  # fmt: skip

    def _is_step(self, line: str) -> bool:
        return self.state is None or self.state[0] in line or states_answer(line, self.final)

    def _judge(self, node: Node, temperature: float) -> Thought:
        own = self.answer_value if node.final and self.answer_value else self.value
        if not own and self.values is None:
            return node.judge(temperature)
        prompt = own or fill_text(VERDICT, names=", ".join(self.values or ()))
        base, messages = ask(prompt, self.fields(node), node.shown)
        return Thought(
            base=base,
            messages=messages,
            decoding=Decoding(temperature=temperature),
            returns=aside,
            role="judge",
            after=branches_in(node.parts),
        )
