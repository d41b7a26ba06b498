"""Renders what a branch has read and written, byte for byte, from the state alone: base by reference, then its own
text.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from anabranch.dag.grammars.escape import escape
from anabranch.dag.ids import TRUNK, BranchId, parent_of
from anabranch.dag.state import BranchState, JobState
from anabranch.dag.status import BranchStatus
from anabranch.dag.text import Base, Context, Message, Output, Parts, Reading, Role

CUT = "\n[… {n} characters cut …]\n"


def render(state: JobState, branch: BranchId) -> Context:
    """The context that an engine gets for this branch's next segment. All branches it refers to have ended."""
    of = state.branches[branch]
    return replace(_render(state, of, None), thought=of.thought)


def _render(state: JobState, of: BranchState, until: Reading | None) -> Context:
    """A branch's context now, or as a child forked at `until` inherits it."""
    if of.reading is None:
        return Context(messages=())
    turns = of.turns if until is None else of.turns[: until.turns]
    own = of.own if until is None or len(of.turns) == until.turns else _literal(of.turns[until.turns])
    context = _behind(_beginning(state, of, of.reading), state, turns)
    continuation = context.continuation + own
    return Context(
        _as_turns(context.messages), continuation if until is None else continuation[: until.cursor]
    )


def _beginning(state: JobState, of: BranchState, reading: Reading) -> Context:
    """Messages and opening before the branch wrote anything."""
    match reading.base:
        case Base.NOTHING:
            inherited = Context(messages=())
        case Base.PROBLEM:
            inherited = _problem(state, of.id)
        case Base.PARENT:
            inherited = _render(state, state.branches[parent_of(of.id) or TRUNK], reading)
    context = _behind(inherited, state, reading.messages)
    return replace(context, continuation=context.continuation + render_parts(state, reading.opening))


def _behind(context: Context, state: JobState, messages: Sequence[Message]) -> Context:
    """The context with these messages behind it. The assistant's turn stays open until a user speaks: so a last
    assistant message is continued (prefill), and a system message, which goes to the front, interrupts nothing."""
    draft = _Draft(list(context.messages), deque(filter(None, [context.continuation])))
    for message in messages:
        draft.add(message.role, render_parts(state, message.parts))
    return Context(tuple(draft.messages), draft.text())


@dataclass(slots=True)
class _Draft:
    """A context that grows by one message after the other, each at the cost of its own length."""

    messages: list[tuple[Role, str]]
    open: deque[str]
    """The text that is continued, in pieces, none of them empty."""

    def add(self, role: Role, text: str) -> None:
        if role == "assistant":
            self.open.extend([text] if text else [])
        elif not self.messages and self.open:
            self._add_to_prompt(role, text)
        else:
            self._add_to_conversation(role, text)

    def text(self) -> str:
        return "".join(self.open)

    def _add_to_conversation(self, role: Role, text: str) -> None:
        if role == "system":
            self.messages.append(("system", text))
            return
        if self.open:
            self.messages.append(("assistant", self.text()))
            self.open.clear()
        self.messages.append(("user", text))

    def _add_to_prompt(self, role: Role, text: str) -> None:
        """Raw text knows no turns: what a policy says in a message is a paragraph of it."""
        if role == "system":
            self.open.appendleft(f"{text}\n\n")
        else:
            self.open.append(f"\n\n{text}\n\n")


def _literal(turn: Message) -> str:
    return "".join(part for part in turn.parts if isinstance(part, str))


def _as_turns(messages: tuple[tuple[Role, str], ...]) -> tuple[tuple[Role, str], ...]:
    """Messages as chat templates want them: one system message, at the front, and never two of a user in a row."""
    system = "\n\n".join(text for role, text in messages if role == "system")
    turns: list[tuple[Role, list[str]]] = [("system", [system])] if system else []
    for role, text in messages:
        if role == "user" and turns and turns[-1][0] == "user":
            turns[-1][1].append(text)
        elif role != "system":
            turns.append((role, [text]))
    return tuple((role, "\n\n".join(texts)) for role, texts in turns)


def _problem(state: JobState, branch: BranchId) -> Context:
    """The problem of the nearest enclosing policy: the job's own, or a nested job's."""
    nothing, parent = Context(messages=()), parent_of(branch)
    while parent is not None:
        above = state.branches[parent]
        if above.policy is not None and above.id != TRUNK and above.reading is not None:
            return _behind(nothing, state, above.reading.messages)
        parent = parent_of(parent)
    spec = state.spec
    assert spec is not None
    return Context((), spec.question) if spec.raw else _behind(nothing, state, spec.messages)


def render_parts(state: JobState, parts: Parts) -> str:
    """Literal text as it stands; outputs of branches escaped, so that what a branch wrote never reads as an action."""
    return "".join(part if isinstance(part, str) else _output(state, part) for part in parts)


def _output(state: JobState, part: Output) -> str:
    branch = state.branches[part.branch]
    if branch.ended is BranchStatus.FAILED:
        return f"[branch {branch.id} failed: {escape(branch.cause)}]"
    text = escape(branch.value if branch.ended is BranchStatus.RETURNED else branch.own)
    return truncate(text, part.limit)


def truncate(text: str, limit: int | None) -> str:
    """Keep `limit` characters, half from each end, and mark the cut. None keeps all."""
    if limit is None or len(text) <= limit:
        return text
    head, tail = limit - limit // 2, limit // 2
    return text[:head] + CUT.format(n=len(text) - limit) + (text[-tail:] if tail else "")
